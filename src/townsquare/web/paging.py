"""Which page of a list a request asks for, and the Link header that leads to the next and the previous one.

Box: web. Source: Mastodon API, /api/guidelines/#pagination
"""

from typing import Literal
from urllib.parse import quote_plus

from townsquare.model.errors import BadRequest
from townsquare.model.paging import Window
from townsquare.web.forms import decode_pairs
from townsquare.web.params import MAX_ID
from townsquare.web.routes import Request

_MAX_OFFSET = 100_000
_PAGE_PARAMETERS = frozenset(("max_id", "min_id", "since_id", "offset", "access_token"))

Headers = tuple[tuple[str, str], ...]


def window(request: Request, default: int = 20, maximum: int = 40) -> Window:
    """The page asked for. A limit above the maximum is cut to it; none, or one that is no number, is the default.

    Raises: BadRequest where an id is not one.
    """
    params = request.params
    if not params:
        return Window(limit=default)
    limit = page_limit(request, default, maximum)
    if not ("max_id" in params or "min_id" in params or "since_id" in params):
        return Window(limit=limit)
    above = _id(request, "min_id")
    forward = above is not None
    return Window(
        below=_id(request, "max_id"),
        above=above if forward else _id(request, "since_id"),
        forward=forward,
        limit=limit,
    )


def page_limit(request: Request, default: int = 20, maximum: int = 40) -> int:
    """The `limit` parameter, between 1 and `maximum`."""
    limit = request.params.get("limit")
    return default if limit is None else _number(limit, default, maximum) or default


def page_offset(request: Request) -> int:
    """The `offset` parameter, 0 if it is none."""
    return _number(request.params.get("offset"), 0, _MAX_OFFSET)


def _number(value: object, default: int, maximum: int) -> int:
    text = str(value).removeprefix("-")
    if not (text.isascii() and text.isdecimal()):
        return default
    return maximum if len(text) > 9 else min(int(text), maximum)


def _id(request: Request, name: str) -> int | None:
    value = request.params.get(name)
    if value is None or value == "":
        return None
    text = str(value)
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest(f"Invalid parameter: {name} is not an id")
    return MAX_ID if len(text) > 19 else min(int(text), MAX_ID)


def link_header(
    request: Request,
    first_id: int,
    last_id: int,
    count: int,
    limit: int,
    *,
    prev: Literal["min_id", "since_id"] = "min_id",
) -> Headers:
    """The Link header of a page whose first (newest) and last rows have these ids: `next` where the page is full,
    `prev` where it is not empty. An empty tuple where neither is."""
    links = []
    if count >= limit > 0:
        links.append(f'<{_page_url(request, "max_id", last_id)}>; rel="next"')
    if count:
        links.append(f'<{_page_url(request, prev, first_id)}>; rel="prev"')
    return (("link", ", ".join(links)),) if links else ()


def offset_link_header(request: Request, offset: int, count: int, limit: int) -> Headers:
    """The Link header of a list that is paged by offset."""
    links = []
    if count >= limit > 0:
        links.append(f'<{_page_url(request, "offset", offset + limit)}>; rel="next"')
    if offset > 0:
        links.append(f'<{_page_url(request, "offset", max(0, offset - limit))}>; rel="prev"')
    return (("link", ", ".join(links)),) if links else ()


def _page_url(request: Request, name: str, value: int) -> str:
    """This request's absolute URL with one page parameter, the other parameters kept, all sorted by name."""
    if not request.query_string:
        return f"{request.base_url}{request.path}?{name}={value}"
    pairs = [pair for pair in decode_pairs(request.query_string.encode()) if pair[0] not in _PAGE_PARAMETERS]
    pairs.append((name, str(value)))
    pairs.sort(key=lambda pair: pair[0])
    query = "&".join(f"{quote_plus(key)}={quote_plus(text)}" for key, text in pairs)
    return f"{request.base_url}{request.path}?{query}"
