"""Whether a process lives and whether it should be given requests, for balancers and supervisors.

Box: edge. An ASGI layer: it answers before limits, sessions and the store, so it answers also when these do not.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from townsquare.edge.addresses import Application, Event, Receive, Scope, Send
from townsquare.model.errors import TownsquareError

CHECK_WITHIN_S = 1.0

log = logging.getLogger(__name__)


class Health:
    """`/health/live` says that the process runs; `/health/ready` and `/health` that it serves and its store answers."""

    def __init__(self, app: Application, check: Callable[[], Awaitable[object]]) -> None:
        """`check` asks the store something; what it raises means that we are not ready."""
        self._app, self._check = app, check
        self._stopping = False

    def stop(self) -> None:
        """From now on say that no more requests are wanted, and end each connection with its next answer."""
        self._stopping = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._stopping and scope["type"] == "http":
            send = _last_answer(send)
        if scope["type"] != "http" or not scope["path"].startswith("/health"):
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/")
        if path == "/health/live":
            await _answer(send, 200, b"OK")
        elif path in ("/health", "/health/ready"):
            ready = await self._is_ready()
            await _answer(send, 200 if ready else 503, b"OK" if ready else b"Not ready")
        else:
            await self._app(scope, receive, send)

    async def _is_ready(self) -> bool:
        if self._stopping:
            return False
        try:
            async with asyncio.timeout(CHECK_WITHIN_S):
                await self._check()
        except (TownsquareError, TimeoutError) as exc:
            log.warning("not ready: %s", exc)
            return False
        return True


def _last_answer(send: Send) -> Send:
    """A `send` whose answer tells the client to connect anew for its next request."""

    async def closing(message: Event) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return closing


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
