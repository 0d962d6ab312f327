"""What the routes mean to a server in front: paths of one kind and one body cap share a place there.

Box: edge. Made from the routes as they are declared, so that a new route cannot be forgotten.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

LONG_BODY_BYTES = 1 << 20  # a body over this is an upload, which takes its time
_WITH_BODY = frozenset(("POST", "PUT", "PATCH", "DELETE"))
_SHARED = frozenset(("instance", "half_hour", "days", "timeline"))
_VALUE = re.compile(r"\{\w+\}")


class Declared(Protocol):
    """What is looked at of a route; the words are those of the web's own enums."""

    @property
    def method(self) -> str:
        """GET, POST, ..."""

    @property
    def path(self) -> str:
        """The path, with names in braces."""

    @property
    def access(self) -> str:
        """Whose token it wants."""

    @property
    def cache(self) -> str:
        """What a shared cache may do with the answer."""

    @property
    def body_limit_bytes(self) -> int:
        """The largest body."""

    @property
    def html(self) -> bool:
        """Whether it is a page for people."""

    @property
    def keyed(self) -> bool:
        """Whether it honours Idempotency-Key."""


class Kind(StrEnum):
    """How the requests of a path are passed on."""

    ANSWER = "answer"  # of the API, for one reader
    SHARED = "shared"  # of the API, kept as long as it says itself
    PAGE = "page"  # for one reader
    OPEN_PAGE = "open_page"  # kept for moments where the reader is nobody
    FILE = "file"  # kept on disk
    STREAM = "stream"  # does not end


class Place(msgspec.Struct, frozen=True, order=True):
    """All paths that are treated alike."""

    kind: Kind
    body_limit_bytes: int
    keyed: bool
    paths: tuple[str, ...]

    @property
    def patterns(self) -> list[str]:
        """The paths as regular expressions, without a slash at their end."""
        return [pattern_of(path) for path in self.paths]


def places_of(routes: Iterable[Declared], *, sockets: Sequence[str] = ()) -> list[Place]:
    """The places of all routes. `sockets`: paths that take WebSockets.

    Raises: ValueError for a path whose routes cannot be treated alike.
    """
    by_path: dict[str, list[Declared]] = {}
    for route in routes:
        by_path.setdefault(route.path, []).append(route)
    grouped: dict[tuple[Kind, int, bool], list[str]] = {}
    for path, declared in by_path.items():
        limits = [route.body_limit_bytes for route in declared if route.method in _WITH_BODY]
        keyed = any(route.keyed for route in declared)
        if keyed and not all(route.keyed for route in declared if route.method == "POST"):
            raise ValueError(f"{path}: of two POST routes one honours Idempotency-Key and one does not")
        grouped.setdefault((_kind(declared), max(limits, default=LONG_BODY_BYTES), keyed), []).append(path)
    for path in sockets:
        grouped.setdefault((Kind.STREAM, LONG_BODY_BYTES, False), []).append(path)
    return sorted(Place(*key, tuple(sorted(set(paths)))) for key, paths in grouped.items())


def pattern_of(path: str) -> str:
    """A path as a regular expression: each name in braces stands for what has no slash in it."""
    whole, at = "", 0
    for found in _VALUE.finditer(path):
        whole += re.escape(path[at : found.start()]) + "[^/]+"
        at = found.end()
    return whole + re.escape(path[at:])


def _kind(declared: Sequence[Declared]) -> Kind:
    """What a path's routes have in common; reading decides how answers are kept."""
    if any(route.access == "stream" for route in declared):
        return Kind.STREAM
    reads = {route.cache for route in declared if route.method == "GET"}
    if "immutable" in reads:
        return Kind.FILE
    if reads & _SHARED:
        return Kind.SHARED
    if "open_page" in reads:
        return Kind.OPEN_PAGE
    return Kind.PAGE if any(route.html for route in declared) else Kind.ANSWER
