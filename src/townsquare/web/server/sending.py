"""Answers on their way out: their headers put together, what the client has already left out.

Box: web.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from townsquare.web.bodies import Receive
from townsquare.web.routes import CacheClass, RawHeaders, Request, Response
from townsquare.web.server.answers import (
    matches,
    part_of,
    raw_header,
    shared_headers,
    tag_of,
    with_own_headers,
)
from townsquare.web.server.reading import Headers, Scope
from townsquare.web.server.site import Stop

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STALL_S = 10.0  # for a stream's client to take what is sent
SLOW_S = 30.0  # for other clients to take a chunk
_NOT_KEPT = (b"cache-control", b"private, no-store")


@dataclass(slots=True, kw_only=True)
class Asked:
    """What is answered. `own`: headers of this answer alone, after those that are the same for all of the route."""

    scope: Scope
    headers: Headers
    stop: Stop
    request: Request | None = None
    own: RawHeaders = field(default_factory=list)


def cut(send: Send) -> bool:
    """Cut the connection behind `send`; False where the server does not show it. ASGI has no word for this, and a
    client that does not read never takes a goodbye."""
    transport = _transport(send)
    if transport is None:
        return False
    transport.abort()
    return True


def bound_unread(send: Send, size_bytes: int) -> None:
    """Let the kernel keep no more than about this much for a client that does not read: unbounded it takes megabytes,
    and we would not notice for a thousand events."""
    transport = _transport(send)
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size_bytes)


def _transport(send: Send) -> asyncio.Transport | None:
    return getattr(getattr(send, "__self__", None), "transport", None)


async def send_answer(asked: Asked, response: Response, receive: Receive, send: Send) -> None:
    """Send the answer, whole or in its chunks."""
    headers, body, status = _headers(asked, response), response.body, response.status
    method, tag = asked.scope["method"], None
    if method in ("GET", "HEAD"):
        tag = tag_of(asked.stop.route, response)
        if tag is not None:
            headers.append((b"etag", tag))
            if matches(asked.headers.get("if-none-match"), tag):
                status, body = 304, b""
    if asked.stop.route.cache is CacheClass.IMMUTABLE and status == 200:
        # A part of what the client has the beginning of is of use only while it is the same.
        same = asked.headers.get("if-range", tag.decode() if tag else "") == (tag.decode() if tag else "")
        status, body = _part(response, asked.headers.get("range") if same else None, headers)
    if response.chunks is None:
        if status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(body)))
        if method != "HEAD" and status < 400 and _send_whole(send, status, headers, body):
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
        return
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if method != "HEAD":
        await _send_chunks(response.chunks, receive, send, streaming=response.content_type == "text/event-stream")
    await send({"type": "http.response.body", "body": b""})


def _send_whole(send: Send, status: int, headers: RawHeaders, body: bytes) -> bool:
    """Whether our own protocol is there and has sent the answer in one write."""
    whole: Callable[[int, RawHeaders, bytes], bool] | None = getattr(
        getattr(send, "__self__", None), "send_whole", None
    )
    return whole is not None and whole(status, headers, body)


def _part(response: Response, wanted: str | None, headers: RawHeaders) -> tuple[int, bytes]:
    """The status and the bytes of an answer of which a part may be asked for."""
    headers.append((b"accept-ranges", b"bytes"))
    size = len(response.body)
    try:
        part = part_of(response, wanted)
    except ValueError:
        headers.append((b"content-range", b"bytes */%d" % size))
        return 416, b""
    if part is None:
        return 200, response.body
    headers.append((b"content-range", b"bytes %d-%d/%d" % (part[0], part[1] - 1, size)))
    return 206, response.body[part[0] : part[1]]


async def _send_chunks(chunks: AsyncIterator[bytes], receive: Receive, send: Send, *, streaming: bool) -> None:
    """Send chunk by chunk until all are sent, the client is gone, or it does not take one in time."""
    gone = asyncio.create_task(_gone(receive), name="until the client goes")
    try:
        async for chunk in chunks:
            if gone.done():
                break
            async with asyncio.timeout(STALL_S if streaming else SLOW_S):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except TimeoutError:
        cut(send)
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(asked: Asked, response: Response) -> RawHeaders:
    stop, request = asked.stop, asked.request
    signed_in = request is not None and request.session is not None
    fixed = stop.headers.signed_in if signed_in else stop.headers.anonymous
    own = asked.own
    own.append((b"content-type", response.content_type.encode("latin-1")))
    if response.headers or response.status >= 400 or (request is not None and request.made):
        made = [raw_header(name, value) for name, value in response.headers]
        if response.status >= 400:
            made.append(_NOT_KEPT)
        if stop.headers.names.isdisjoint([name for name, _ in made]):
            headers = fixed + made + own
        else:
            headers = with_own_headers(fixed, made + own)
        if request is not None:
            headers += [raw_header(name, value) for name, value in request.made]
    else:
        headers = fixed + own
    if asked.headers.raw_get(b"origin") is not None:
        headers += stop.headers.shared or shared_headers(asked.scope["path"])
    return headers
