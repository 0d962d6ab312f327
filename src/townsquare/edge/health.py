"""Whether a process lives and whether it should be given requests, for balancers and supervisors.

Box: edge. An ASGI layer: it answers before limits, sessions and the store, so it answers also when these do not.
"""

from townsquare.edge.addresses import Application, Event, Receive, Scope, Send
from townsquare.social.readiness import Readiness

_TEXT, _JSON = b"text/plain; charset=utf-8", b"application/json"


class Health:
    """`/health/live` says that the process runs; `/health/ready` and `/health` that it serves and its store answers,
    with a word on each engine."""

    def __init__(self, app: Application, readiness: Readiness) -> None:
        self._app, self._readiness = app, readiness
        self._stopping = False

    def stop(self) -> None:
        """From now on say that no more requests are wanted."""
        self._readiness.stop()

    def end(self) -> None:
        """From now on end each connection with its next answer."""
        self._stopping = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._stopping and scope["type"] == "http":
            send = _last_answer(send)
        if scope["type"] != "http" or not scope["path"].startswith("/health"):
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/")
        if path == "/health/live":
            await _answer(send, 200, b"OK", kind=_TEXT)
        elif path in ("/health", "/health/ready"):
            report = await self._readiness.report()
            await _answer(send, 200 if report.ready else 503, report.json(), kind=_JSON)
        else:
            await self._app(scope, receive, send)


def _last_answer(send: Send) -> Send:
    """A `send` whose answer tells the client to connect anew for its next request."""

    async def closing(message: Event) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return closing


async def _answer(send: Send, status: int, body: bytes, *, kind: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
