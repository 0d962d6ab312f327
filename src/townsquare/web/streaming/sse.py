"""Streams as server-sent events: one connection, one stream.

Box: web. Source: Mastodon API, /methods/streaming/
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from townsquare.model.errors import Unauthorized, Unavailable
from townsquare.social.ports import Ports
from townsquare.social.sessions import Session
from townsquare.web.params import FALSE_WORDS
from townsquare.web.routes import Access, Request, Response, Route
from townsquare.web.streaming.channels import Subscription, Wish, subscription_of
from townsquare.web.streaming.connection import Caller, Waiting
from townsquare.web.streaming.envelopes import Envelope, Label
from townsquare.web.streaming.hub import Hub

HEARTBEAT_S = 15.0


class EventConnection(Caller):
    """A client that reads server-sent events. `form` says what is kept of each until it is sent, None for nothing."""

    __slots__ = ("_closed", "_form", "_waiting", "_wake")

    def __init__(self, session: Session, form: Callable[[Envelope], bytes | None] = Envelope.lines) -> None:
        super().__init__(session)
        self._form = form
        self._waiting, self._wake, self._closed = Waiting(), asyncio.Event(), False

    def push(self, envelope: Envelope, label: Label) -> None:
        chunk = None if self._closed else self._form(envelope)
        if chunk is not None and not self._waiting.add(chunk):
            self.abort()
        self._wake.set()

    def close(self, code: int) -> None:
        self._closed = True
        self._wake.set()

    def stalled_s(self, now: float) -> float:
        """Never: whoever sends the chunks sees to it."""
        return 0.0

    def abort(self) -> None:
        self._waiting.clear()
        self.close(0)

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is sent, until the connection is closed; a sign of life where there is nothing to tell."""
        yield b":)\n"
        while not self._closed:
            chunk = self._waiting.take()
            if chunk is None:
                self._wake.clear()
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await self._wake.wait()
                except TimeoutError:
                    chunk = b":thump\n"
            if chunk is not None:
                yield chunk


class EventStreams:
    """The routes of server-sent events; they need the hub, so they are made with it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> tuple[Route, ...]:
        """All of them."""
        statuses, notices, base = ("read:statuses",), ("read:notifications",), "/api/v1/streaming"
        return (
            Route("GET", f"{base}/health", health, access=Access.PUBLIC),
            Route("GET", f"{base}/user", self.user, access=Access.STREAM, scope=statuses),
            Route("GET", f"{base}/user/notification", self.notification, access=Access.STREAM, scope=notices),
            Route("GET", f"{base}/public", self.public, access=Access.STREAM, scope=statuses),
            Route("GET", f"{base}/public/local", self.local, access=Access.STREAM, scope=statuses),
            Route("GET", f"{base}/public/remote", self.remote, access=Access.STREAM, scope=statuses),
            Route("GET", f"{base}/hashtag", self.hashtag, access=Access.STREAM, scope=statuses),
            Route("GET", f"{base}/hashtag/local", self.local_hashtag, access=Access.STREAM, scope=statuses),
            Route("GET", f"{base}/list", self.list, access=Access.STREAM, scope=statuses),
            Route("GET", f"{base}/direct", self.direct, access=Access.STREAM, scope=statuses),
        )

    async def user(self, request: Request, ports: Ports) -> Response:
        """Events of the home timeline, and notifications."""
        return self._stream(request, "user")

    async def notification(self, request: Request, ports: Ports) -> Response:
        """Notifications alone."""
        return self._stream(request, "user:notification")

    async def public(self, request: Request, ports: Ports) -> Response:
        """All public statuses."""
        return self._stream(request, "public")

    async def local(self, request: Request, ports: Ports) -> Response:
        """Public statuses of this server."""
        return self._stream(request, "public:local")

    async def remote(self, request: Request, ports: Ports) -> Response:
        """Public statuses of other servers."""
        return self._stream(request, "public:remote")

    async def hashtag(self, request: Request, ports: Ports) -> Response:
        """Public statuses with a hashtag."""
        return self._stream(request, "hashtag")

    async def local_hashtag(self, request: Request, ports: Ports) -> Response:
        """Public statuses of this server with a hashtag."""
        return self._stream(request, "hashtag:local")

    async def list(self, request: Request, ports: Ports) -> Response:
        """Statuses of the accounts on a list."""
        return self._stream(request, "list")

    async def direct(self, request: Request, ports: Ports) -> Response:
        """Direct conversations."""
        return self._stream(request, "direct")

    def _stream(self, request: Request, stream: str) -> Response:
        session = request.session
        if session is None or session.account is None:
            raise Unauthorized
        if self._hub.draining:
            raise Unavailable("This server is about to stop")
        tag, only_media = request.params.get("tag"), request.params.get("only_media")
        wish = Wish(
            stream,
            tag if isinstance(tag, str) else "",
            only_media=bool(only_media) and only_media not in FALSE_WORDS,
        )
        subscription = subscription_of(wish, session.account.account_id, session.token.scopes)
        connection = EventConnection(session)
        headers = (("cache-control", "private, no-store"), ("x-accel-buffering", "no"))
        return Response(
            b"", content_type="text/event-stream", headers=headers, chunks=self._chunks(connection, subscription)
        )

    async def _chunks(self, connection: EventConnection, subscription: Subscription) -> AsyncIterator[bytes]:
        self._hub.add(connection)
        try:
            self._hub.subscribe(connection, subscription)
            async for chunk in connection.chunks():
                yield chunk
        finally:
            self._hub.remove(connection)


async def health(request: Request, ports: Ports) -> Response:
    """Say that streams are served."""
    return Response(b"OK", content_type="text/plain; charset=utf-8")
