"""What keeps an open page new: posts, replies and counts as ready HTML, by one stream of server-sent events.

Box: web. The hub tells what happened; what it looks like is made here for the one who looks, through the same gate as
the page itself.
"""

from collections.abc import AsyncIterator, Sequence

import msgspec

from townsquare.kit.urls import with_files
from townsquare.model.errors import NotFound, Unauthorized, Unavailable
from townsquare.model.paging import Window
from townsquare.render.status import StatusView
from townsquare.social import timelines
from townsquare.social.context import context
from townsquare.social.hydrate import statuses, visible
from townsquare.social.notifications import NoticeFilter, unread_count
from townsquare.social.ports import Ports
from townsquare.social.sessions import Session
from townsquare.social.viewer import viewer_of
from townsquare.web.pages.frame import MOST_UNREAD
from townsquare.web.pages.parts.post import Look, post
from townsquare.web.routes import Access, Request, Response, Route
from townsquare.web.streaming.channels import Subscription, thread_channel
from townsquare.web.streaming.envelopes import Envelope
from townsquare.web.streaming.hub import Hub
from townsquare.web.streaming.sse import EventConnection

_LABEL = ("page",)
_MISSED = 20  # posts that are sent after a gap; who was away longer loads the page again
_HEADERS = (("cache-control", "private, no-store"), ("x-accel-buffering", "no"))
_EVENTS = {"update": "post", "status.update": "edit"}


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which page is open: `on` home, local, thread (of the status `id`) or notices; what it shows ends at `after`."""

    on: str = "notices"
    id: int = 0
    after: int = 0


_ID = msgspec.json.Decoder(_Id)


def _kept(envelope: Envelope) -> bytes | None:
    """What is kept of an event until it is drawn: what happened, to which id."""
    if envelope.event in _EVENTS:
        return f"{_EVENTS[envelope.event]} {_ID.decode(envelope.payload).id}".encode()
    if envelope.event == "delete":
        return b"gone " + envelope.payload
    return b"badge 0" if envelope.event == "notification" else None


class LivePages:
    """The route of live pages; it needs the hub, so it is made with it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> tuple[Route, ...]:
        """All of them."""
        return (Route("GET", "/live", self.live, access=Access.STREAM, html=True),)

    async def live(self, request: Request, ports: Ports) -> Response:
        """What happens on the page that is open, for whose browser asks."""
        session = request.session
        if session is None or session.account is None:
            raise Unauthorized
        if self._hub.draining:
            raise Unavailable("This server is about to stop")
        asked = request.read(_Asked)
        last = request.headers.get("last-event-id", "")
        if last.isascii() and last.isdecimal() and len(last) < 19:
            asked = msgspec.structs.replace(asked, after=int(last))
        channels = await self._channels(ports, asked, session.account.account_id)
        chunks = self._chunks(ports, session, asked, Subscription(_LABEL, channels))
        return Response(b"", content_type="text/event-stream", headers=_HEADERS, chunks=chunks)

    async def _channels(self, ports: Ports, asked: _Asked, account_id: int) -> tuple[str, ...]:
        notices = f"notification:{account_id}"
        if asked.on == "home":
            return (f"user:{account_id}", notices)
        if asked.on == "local":
            return ("public:local", notices)
        if asked.on == "thread":
            view = await visible(ports, asked.id, await viewer_of(ports, account_id))
            return (thread_channel(view.status.root or view.status.status_id), notices)
        return (notices,)

    async def _chunks(
        self, ports: Ports, session: Session, asked: _Asked, subscription: Subscription
    ) -> AsyncIterator[bytes]:
        connection = EventConnection(session, _kept)
        self._hub.add(connection)
        try:
            self._hub.subscribe(connection, subscription)
            for view in await _missed(ports, connection.account_id, asked):
                yield _event(ports, "post", _drawn(ports, view))
            async for chunk in connection.chunks():
                if chunk.startswith(b":"):
                    yield chunk
                else:
                    yield await _rendered(ports, session, chunk)
        finally:
            self._hub.remove(connection)


async def _missed(ports: Ports, account_id: int, asked: _Asked) -> Sequence[StatusView]:
    """What was posted since the page was made, the oldest first."""
    window = Window(above=asked.after, limit=_MISSED)
    if not asked.after:
        return ()
    if asked.on == "home":
        return (await timelines.home(ports, account_id, window)).views[::-1]
    if asked.on == "local":
        return (await timelines.public(ports, account_id, window)).views[::-1]
    if asked.on == "thread":
        try:
            _, below = await context(ports, asked.id, await viewer_of(ports, account_id))
        except NotFound:  # deleted meanwhile
            return ()
        return sorted((v for v in below if v.status.status_id > asked.after), key=lambda v: v.status.status_id)
    return ()


async def _rendered(ports: Ports, session: Session, chunk: bytes) -> bytes:
    """An event as the page understands it; nothing where it is not for this reader any more."""
    assert session.account is not None
    kind, _, thing = chunk.decode().partition(" ")
    if kind == "gone":
        return _event(ports, kind, thing)
    if kind == "badge":
        count = await unread_count(ports, actor=session.account, wanted=NoticeFilter(), limit=MOST_UNREAD)
        return _event(ports, kind, str(count))
    views = await statuses(ports, [int(thing)], await viewer_of(ports, session.account.account_id))
    return _event(ports, kind, _drawn(ports, views[0])) if views else b":\n"


def _drawn(ports: Ports, view: StatusView) -> str:
    return with_files(post(view, Look(now_ms=ports.clock.now_ms())), ports.settings.base)


def _event(ports: Ports, kind: str, data: str) -> bytes:
    """A server-sent event. Its id is the time, so that a browser that comes again is told what it missed."""
    lines = "".join(f"data: {line}\n" for line in data.replace("\r", "").split("\n"))
    return f"id: {ports.clock.now_ms() << 16}\nevent: {kind}\n{lines}\n".encode("utf-8", "replace")
