"""The routes as a compiled tree, checked at the start: each documented, none twice.

Box: web.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from falcon.routing import CompiledRouter

from townsquare.kit.meters import RequestMeter
from townsquare.web.routes import Route
from townsquare.web.server.answers import RouteHeaders, headers_of_route

METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))


@dataclass(frozen=True, slots=True)
class Stop:
    """A route with what is the same for all its answers."""

    route: Route
    headers: RouteHeaders
    meter: RequestMeter = field(default_factory=RequestMeter, compare=False)


@dataclass(slots=True)
class Place:
    """A path's routes by method. HEAD is GET without the body."""

    path: str
    stops: dict[str, Stop] = field(default_factory=dict)

    @property
    def allow(self) -> str:
        """The methods, for an Allow header."""
        return ", ".join(sorted({*self.stops, "OPTIONS", *(("HEAD",) if "GET" in self.stops else ())}))


_NO_VALUES: Mapping[str, str] = MappingProxyType({})


class Site:
    """All routes, found by path."""

    def __init__(self, routes: Sequence[Route], *, files: tuple[str, ...] = ()) -> None:
        """`files`: other origins where files come from.

        Raises: ValueError for a route that is not documented or is declared twice.
        """
        self._places = places = dict[str, Place]()
        for route in routes:
            _check(route)
            place = places.setdefault(route.path, Place(route.path))
            if route.method in place.stops:
                raise ValueError(f"{route.method} {route.path} is declared twice")
            place.stops[route.method] = Stop(route, headers_of_route(route, files=files))
        self._router = _compiled(tuple(places))
        self._plain = {path: place for path, place in places.items() if "{" not in path}  # without values: looked up

    def stops(self) -> Iterator[Stop]:
        """All routes."""
        for place in self._places.values():
            yield from place.stops.values()

    def find(self, path: str) -> tuple[Place, Mapping[str, str]] | None:
        """The place of a path, which may end in a slash, and the values in the path."""
        if len(path) > 1 and path.endswith("/"):
            path = path[:-1]
        if "//" in path or "\0" in path or (".." in path and ".." in path.split("/")):
            return None
        plain = self._plain.get(path)
        if plain is not None:
            return plain, _NO_VALUES
        found: Any = self._router.find(path)
        return None if found is None else (self._places[found[0]], found[2])


@lru_cache(8)
def _compiled(paths: tuple[str, ...]) -> CompiledRouter:
    """The tree of the paths; made once for all applications of a process that have the same."""
    router = CompiledRouter()
    for path in paths:
        router.add_route(path, path)
    return router


def _check(route: Route) -> None:
    if not (route.handler.__doc__ or "").strip():
        raise ValueError(f"{route.method} {route.path} is not documented: its handler has no docstring")
    if route.method not in METHODS:
        raise ValueError(f"{route.method} {route.path}: there is no such method here")
    if not route.path.startswith("/") or (route.path.endswith("/") and route.path != "/"):
        raise ValueError(f"{route.method} {route.path}: a path begins with a slash and does not end with one")
