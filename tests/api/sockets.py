"""WebSocket and event-stream clients without a network."""

import asyncio
import contextlib
import json
from typing import Any
from urllib.parse import urlencode

from townsquare.web.server.app import App


class Socket:
    """One connection to the application."""

    def __init__(self, app: App, scope: dict[str, Any], first: dict[str, Any]) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._received.put_nowait(first)
        self.reads = asyncio.Event()
        self.reads.set()
        self._task = asyncio.create_task(app(scope, self._received.get, self._send))  # type: ignore[arg-type]

    async def _send(self, event: Any) -> None:
        await self.reads.wait()
        await self.sent.put(event)

    async def next(self) -> dict[str, Any]:
        """The next event of the application."""
        async with asyncio.timeout(5):
            return await self.sent.get()

    async def frame(self) -> dict[str, Any]:
        """The next message, read."""
        event = await self.next()
        assert event["type"] == "websocket.send", event
        return json.loads(event["text"])

    def say(self, **message: Any) -> None:
        """Send a message."""
        self._received.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def tell(self, event: dict[str, Any]) -> None:
        """Hand the application an event of the server."""
        self._received.put_nowait(event)

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read."""
        return self.sent.empty()

    async def end(self) -> None:
        """Go away."""
        self._received.put_nowait({"type": "websocket.disconnect"})
        self._received.put_nowait({"type": "http.disconnect"})
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


def _scope(kind: str, path: str, query: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
    return {
        "type": kind,
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(query).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
        "subprotocols": [p for p in [headers.get("Sec-WebSocket-Protocol")] if p],
        "extensions": {"websocket.http.response": {}},
    }


def open_socket(app: App, *, headers: dict[str, str] | None = None, **query: str) -> Socket:
    """A WebSocket to the streams."""
    scope = _scope("websocket", "/api/v1/streaming", query, headers or {})
    return Socket(app, scope, {"type": "websocket.connect"})


def open_events(app: App, path: str, *, headers: dict[str, str] | None = None, **query: str) -> Socket:
    """An event stream."""
    scope = _scope("http", f"/api/v1/streaming/{path}", query, headers or {})
    return Socket(app, scope, {"type": "http.request", "body": b"", "more_body": False})


def open_live(app: App, *, headers: dict[str, str] | None = None, **query: str) -> Socket:
    """The event stream of an open page."""
    return Socket(app, _scope("http", "/live", query, headers or {}), {"type": "http.request", "body": b""})
