"""Statuses put together once for all who look: what shows no mark of its viewer is kept, with its JSON in pieces.

Box: social. The cache tells when a part was dropped, in whatever process; then the views made of it go too. A view is
only kept while all its parts are, so none is made of parts that were dropped before they were put together.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from cachebox import LRUCache

from townsquare.cache.port import Cache, Kind
from townsquare.render.status import Fragment, Person, StatusView, Totals

S = TypeVar("S", bound=msgspec.Struct)

_CAPACITY = 30_000  # views, of about 500 bytes beside their parts
_NOTES_A_VIEW = 6  # that may pile up for views which are gone, before all are forgotten


def _kind(name: str, shape: type[S], ttl_s: int, capacity: int) -> Kind[S]:
    return Kind(
        name=name,
        encode=msgspec.msgpack.Encoder().encode,
        decode=msgspec.msgpack.Decoder(shape).decode,
        ttl_s=ttl_s,
        capacity=capacity,
    )


STATUS = _kind("s", Fragment, 2 * 86_400, 50_000)
PERSON = _kind("a", Person, 86_400, 20_000)
TOTALS = _kind("n", Totals, 2 * 86_400, 50_000)


class Parts(NamedTuple):
    """What a view is made of. `original` and its author: where it is a boost; `totals` are then the original's."""

    fragment: Fragment
    author: Person
    original: Fragment | None
    original_author: Person | None
    totals: Totals

    def are_kept(self, cache: Cache) -> bool:
        """Whether all of them are what the cache has just now."""
        status = self.fragment.status
        return (
            cache.peek(STATUS, status.status_id) is self.fragment
            and cache.peek(PERSON, status.author) is self.author
            and cache.peek(TOTALS, status.boost_of or status.status_id) is self.totals
            and (self.original is None or cache.peek(STATUS, status.boost_of) is self.original)
            and (self.original is None or cache.peek(PERSON, self.original.status.author) is self.original_author)
        )


class Plain(msgspec.Struct, frozen=True, gc=False):
    """A view without marks, and what decides whether a viewer gets it as it is."""

    view: StatusView
    parts: Parts
    status_id: int  # of what is shown: of a boost, the original
    root: int  # of its thread
    authors: tuple[int, ...]  # its own, and the original's
    is_same_for_all: bool  # is open (see seeing.py; both where it is a boost) and has no poll
    months: tuple[int, ...]  # of `status_id` and `root`: where its viewers' flags are
    marked: dict[int, StatusView]  # the same with marks of viewers, by `hydrate._mark`; where `is_same_for_all`


class Views:
    """The plain views of one process by status id, for those who are signed in and for those who are not."""

    def __init__(self) -> None:
        self.signed_in: LRUCache[int, Plain] = LRUCache(_CAPACITY)
        self.anonymous: LRUCache[int, Plain] = LRUCache(_CAPACITY)
        self._by_author: dict[int, set[int]] = {}
        self._boosts: dict[int, set[int]] = {}  # by what they boost
        self._notes = 0

    def follow(self, cache: Cache) -> None:
        """Forget views when their parts are dropped there."""
        kinds: tuple[tuple[Kind[Any], Callable[[Iterable[int]], None]], ...] = (
            (STATUS, self._drop_statuses),
            (TOTALS, self._drop_statuses),
            (PERSON, self._drop_authors),
        )
        for kind, drop in kinds:
            cache.on_drop(kind, self._listener(drop))

    def keep(self, plain: Plain, *, signed_in: bool) -> None:
        """Keep a view whose parts are kept."""
        if self._notes > _NOTES_A_VIEW * _CAPACITY:
            self.clear()
        status_id = plain.parts.fragment.status.status_id
        (self.signed_in if signed_in else self.anonymous)[status_id] = plain
        for author in plain.authors:
            self._by_author.setdefault(author, set()).add(status_id)
        if plain.status_id != status_id:
            self._boosts.setdefault(plain.status_id, set()).add(status_id)
        self._notes += 1 + len(plain.authors)

    def clear(self) -> None:
        """Forget all."""
        self.signed_in.clear()
        self.anonymous.clear()
        self._by_author.clear()
        self._boosts.clear()
        self._notes = 0

    def _listener(self, drop: Callable[[Iterable[int]], None]) -> Callable[[Sequence[Any] | None], None]:
        return lambda keys: self.clear() if keys is None else drop(keys)

    def _drop_authors(self, account_ids: Iterable[int]) -> None:
        for account_id in account_ids:
            self._forget(self._by_author.pop(account_id, ()))

    def _drop_statuses(self, status_ids: Iterable[int]) -> None:
        for status_id in status_ids:
            self._forget((status_id, *self._boosts.pop(status_id, ())))

    def _forget(self, status_ids: Iterable[int]) -> None:
        for status_id in status_ids:
            self.signed_in.pop(status_id, None)
            self.anonymous.pop(status_id, None)
