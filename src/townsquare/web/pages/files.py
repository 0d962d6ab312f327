"""Files of people, by the address that was given out for them. A web server in front may serve them instead.

Box: web. Only what the media box made itself has such an address: a file with a media type of our own list. Uploads
that still wait to be worked on have none. Pictures are sent whole; films and sounds in parts, as much as is asked for.
"""

import re
from collections.abc import AsyncIterator

from townsquare.media.film import FILM_TYPES
from townsquare.media.types import FILE_TYPES
from townsquare.model.errors import NotFound
from townsquare.social.ports import Ports
from townsquare.web.ranges import range_of
from townsquare.web.routes import Access, CacheClass, Limit, Request, Response, Route

_FOLDER = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(rf"([0-9a-f]{{28}})\.({'|'.join(FILE_TYPES)})")
_PART_BYTES = 1 << 19
_LED_ON = ("cache-control", "public, max-age=1800")  # half as long as a signed link lives
_HEADERS = (
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("access-control-allow-origin", "*"),
    ("vary", "Origin"),
)


async def show(request: Request, ports: Ports) -> Response:
    """A file that somebody uploaded, under its unguessable name; or the way to it where the media store serves it."""
    folder, inner, name = (request.path_params[part] for part in ("folder", "inner", "name"))
    known = _NAME.fullmatch(name)
    if not (_FOLDER.fullmatch(folder) and _FOLDER.fullmatch(inner) and known):
        raise NotFound
    key, extension = f"{folder}/{inner}/{name}", known[2]
    link = await ports.media.link_of(key)
    if link is not None:
        return Response(b"", 302, FILE_TYPES[extension], (*_HEADERS, ("location", link), _LED_ON))
    if extension in FILM_TYPES:
        return await _film(request, ports, key, tag=f'"{known[1]}"')
    data = await ports.media.get(key)
    if data is None:
        raise NotFound
    return Response(data, content_type=FILE_TYPES[extension], headers=_HEADERS)


async def _film(request: Request, ports: Ports, key: str, *, tag: str) -> Response:
    """A film or a sound: the part that is asked for, or all of it, read as fast as it is taken."""
    size = await ports.media.size(key)
    if size is None:
        raise NotFound
    content_type = FILM_TYPES[key.rpartition(".")[2]]
    headers: tuple[tuple[str, str], ...] = (*_HEADERS, ("etag", tag))
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", 304, content_type, headers)
    ranged = request.headers.get("if-range", tag) == tag  # else the client has another file's beginning
    try:
        part = range_of(request.headers.get("range"), size) if ranged else None
    except ValueError:
        return Response(b"", 416, content_type, (*headers, ("content-range", f"bytes */{size}")))
    start, end = part or (0, size)
    if part is not None:
        headers += (("accept-ranges", "bytes"), ("content-range", f"bytes {start}-{end - 1}/{size}"))
    headers += (("content-length", str(end - start)),)
    return Response(b"", 206 if part else 200, content_type, headers, _parts(ports, key, start, end))


async def _parts(ports: Ports, key: str, start: int, end: int) -> AsyncIterator[bytes]:
    for at in range(start, end, _PART_BYTES):
        part = await ports.media.part(key, at, min(_PART_BYTES, end - at))
        if part is None:  # it was removed meanwhile
            return
        yield part


ROUTES = [
    Route(
        "GET",
        "/media/{folder}/{inner}/{name}",
        show,
        access=Access.PUBLIC,
        limit=Limit.NONE,
        cache=CacheClass.IMMUTABLE,
    )
]
