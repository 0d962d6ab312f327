"""From what the server hands us to a Request, reading no more of it than is asked for.

Box: web.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

from townsquare.web.bodies import Receive, parse_body, read_body
from townsquare.web.cookies import read_cookies
from townsquare.web.forms import decode_pairs, nest
from townsquare.web.multipart import IN_MEMORY_BYTES, take_multipart
from townsquare.web.routes import Request, Route

Scope = Mapping[str, Any]
D = TypeVar("D")

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_ESCAPED_PATH = re.compile(rb"%(2f|5c|00|2e)", re.IGNORECASE)


class Headers(Mapping[str, str]):
    """Headers by lower-case name, decoded when asked for; of two with one name the last."""

    __slots__ = ("_raw", "raw_get")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = dict(raw)
        self.raw_get = self._raw.get  # undecoded

    def __getitem__(self, name: str) -> str:
        return self._raw[name.encode("latin-1")].decode("latin-1")

    @overload
    def get(self, name: str, default: None = None, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str | D, /) -> str | D: ...
    def get(self, name: str, default: object = None, /) -> object:
        """A header's value."""
        value = self._raw.get(name.encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def is_plain_path(scope: Scope) -> bool:
    """Whether nothing in the path is escaped that could change where it leads: a proxy before us decides alike."""
    raw: bytes = scope.get("raw_path") or b""
    return b"%" not in raw or _ESCAPED_PATH.search(raw) is None


def request_of(
    scope: Scope, headers: Headers, route: Route, path_params: Mapping[str, str], *, request_id: str, base_url: str
) -> Request:
    """The request without its body.

    Raises: BadRequest where the query cannot be read.
    """
    query: bytes = scope["query_string"]
    params: dict[str, Any] = {}
    if query:
        nest(decode_pairs(query), params)
    client = scope.get("client")
    raw_id = headers.raw_get(b"x-request-id")
    given_id = raw_id.decode("latin-1") if raw_id else ""
    method = scope["method"]
    return Request(
        method="GET" if method == "HEAD" else method,
        path=scope["path"],
        route=route,
        path_params=path_params,
        params=params,
        query_string=query.decode("latin-1") if query else "",
        files={},
        headers=headers,
        cookies=read_cookies(headers.get("cookie", "")) if route.html else {},
        session=None,
        address=client[0] if client else "",
        request_id=given_id if given_id and _REQUEST_ID.fullmatch(given_id) else request_id,
        base_url=base_url,
    )


async def take_body(request: Request, receive: Receive, *, folder: Path) -> None:
    """Read the body, where there is one, into the request's params and files; large files go to `folder`.

    Raises: BadRequest, TooLarge, Disconnected.
    """
    length = request.headers.get("content-length")
    if length is None:
        if request.headers.get("transfer-encoding") is None:
            return
        limit = request.route.body_limit_bytes
    else:
        limit = request.route.body_limit_bytes if int(length) <= request.route.body_limit_bytes else -1
    content_type = request.headers.get("content-type", "")
    if limit > IN_MEMORY_BYTES < int(length or limit):
        if content_type.lower().startswith("multipart/form-data"):
            request.files = await take_multipart(receive, content_type, request.params, limit=limit, folder=folder)
            return
        limit = -1 if length else IN_MEMORY_BYTES  # only files are large
    body = await read_body(receive, limit=limit)
    if body:
        request.files = parse_body(content_type, body, request.params)
