"""What every answer carries: caching, safety headers, sharing between origins, tags of its content.

Box: web. Source: Mastodon API, as a real server answers
"""

import zlib
from dataclasses import dataclass

from townsquare.web.policy import page_policy
from townsquare.web.ranges import range_of
from townsquare.web.routes import CacheClass, RawHeaders, Response, Route

API_POLICY = "default-src 'none'; frame-ancestors 'none'; form-action 'none'"
_INSTANCE_CACHING = "max-age=300, public, stale-while-revalidate=30, stale-if-error=86400"
_TIMELINE_CACHING = "max-age=15, public, stale-while-revalidate=30, stale-if-error=86400"
_PRIVATE_CACHING = "private, no-store"
_CACHING = {
    CacheClass.PRIVATE: _PRIVATE_CACHING,
    CacheClass.OWN: "private, no-cache",
    CacheClass.INSTANCE: _INSTANCE_CACHING,
    CacheClass.HALF_HOUR: "max-age=1800, public",
    CacheClass.DAYS: "max-age=259200, public",
    CacheClass.TIMELINE: _TIMELINE_CACHING,
    CacheClass.PAGE: "private, no-cache",
    CacheClass.OPEN_PAGE: "private, no-cache",
    CacheClass.IMMUTABLE: "public, max-age=31536000, immutable",
}
_ABOUT_SERVER = frozenset((CacheClass.INSTANCE, CacheClass.HALF_HOUR, CacheClass.DAYS))
_TAGGED = _ABOUT_SERVER | {
    CacheClass.OWN, CacheClass.TIMELINE, CacheClass.PAGE, CacheClass.OPEN_PAGE, CacheClass.IMMUTABLE
}  # fmt: skip
_EXPOSED = (
    b"Link, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Mastodon-Async-Refresh, "
    b"Deprecation"
)
_ALL_METHODS = b"GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
_SHARED_OAUTH = ("/oauth/token", "/oauth/revoke", "/oauth/userinfo")
_UNSAFE = str.maketrans({"\r": "%0D", "\n": "%0A", "\0": "%00"})


@dataclass(frozen=True, slots=True)
class RouteHeaders:
    """The headers of all answers of a route, made once."""

    signed_in: RawHeaders
    anonymous: RawHeaders
    shared: RawHeaders  # added where another origin asks
    names: frozenset[bytes]  # of those that all answers have


def headers_of_route(route: Route, *, files: tuple[str, ...] = ()) -> RouteHeaders:
    """The headers of a route's answers. `files`: other origins where pictures of pages come from."""
    signed_in = _fixed(route, files, signed_in=True)
    return RouteHeaders(
        signed_in=signed_in,
        anonymous=_fixed(route, files, signed_in=False),
        shared=shared_headers(route.path),
        names=frozenset(name for name, _ in signed_in),
    )


def _fixed(route: Route, files: tuple[str, ...], *, signed_in: bool) -> RawHeaders:
    caching = _CACHING[route.cache]
    if route.cache is CacheClass.TIMELINE and signed_in:
        caching = _PRIVATE_CACHING
    vary = "Accept, Origin" if route.cache in _ABOUT_SERVER else "Authorization, Origin"
    if route.html:
        vary = "Cookie"
    headers = [
        ("cache-control", caching),
        ("vary", vary),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", page_policy(files=files) if route.html else API_POLICY),
    ]
    if route.html:
        headers += [("x-frame-options", "DENY"), ("referrer-policy", "same-origin")]
    return [(name.encode(), value.encode()) for name, value in headers]


def shared_headers(path: str) -> RawHeaders:
    """What other origins may do here: all with the API, read what is public; never with cookies."""
    if path.startswith("/api/"):
        methods = _ALL_METHODS
    elif path in _SHARED_OAUTH:
        methods = b"POST, OPTIONS"
    elif path.startswith(("/.well-known/", "/nodeinfo/", "/@")):
        methods = b"GET, HEAD, OPTIONS"
    else:
        return []
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", methods),
        (b"access-control-expose-headers", _EXPOSED),
        (b"access-control-max-age", b"7200"),
    ]


def raw_header(name: str, value: str) -> tuple[bytes, bytes]:
    """A header as bytes; line ends and NUL in its value are escaped, so that it stays one header."""
    if "\r" in value or "\n" in value or "\0" in value:
        value = value.translate(_UNSAFE)
    return name.lower().encode("latin-1"), value.encode("latin-1", "backslashreplace")


def with_own_headers(fixed: RawHeaders, own: RawHeaders) -> RawHeaders:
    """The fixed headers, each replaced where the handler gives one of that name, and the handler's."""
    names = {name for name, _ in own}
    return [header for header in fixed if header[0] not in names] + own


def tag_of(route: Route, response: Response) -> bytes | None:
    """A tag of an answer that may be asked for again, None if it is of no use. That of what never changes is strong: a
    part may be asked for by it."""
    if response.status != 200 or route.cache not in _TAGGED or response.chunks is not None:
        return None
    form = b'"%x-%x"' if route.cache is CacheClass.IMMUTABLE else b'W/"%x-%x"'
    return form % (zlib.crc32(response.body), len(response.body))


def part_of(response: Response, wanted: str | None) -> tuple[int, int] | None:
    """The one range of bytes that is asked for, as start and end; None for the whole. Several at once are not served.

    Raises: ValueError where it lies outside.
    """
    if response.status != 200 or response.chunks is not None:
        return None
    return range_of(wanted, len(response.body))


def matches(if_none_match: str | None, tag: bytes) -> bool:
    """Whether the client has this already."""
    if not if_none_match:
        return False
    known = [piece.strip().removeprefix("W/") for piece in if_none_match.split(",")]
    return known == ["*"] or tag.decode().removeprefix("W/") in known
