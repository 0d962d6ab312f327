"""Totals of rows that say whether they are counted: what a batch adds to each, and which are taken from the rows anew.

Box: workers. A write that failed may still be done, late: between the reading of a total and of the rows, or after a
later total. Whoever failed comes again, so a place where a task finds its row as it should be is counted anew.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Tally(Generic[K]):
    """One batch's changes of some totals, by their places."""

    def __init__(self) -> None:
        self._more: dict[K, int] = {}
        self._again: set[K] = set()

    def add(self, place: K, n: int) -> None:
        """The batch counts so many more there."""
        self._more[place] = self._more.get(place, 0) + n

    def repeat(self, place: K) -> None:
        """A task there was done before."""
        self._again.add(place)

    @property
    def places(self) -> list[K]:
        """Where a total may change."""
        return list(dict.fromkeys([*self._more, *self._again]))

    async def changed(self, kept: Mapping[K, int], recount: Callable[[K], Awaitable[int]]) -> dict[K, int]:
        """The totals to write. `kept`: those of all `places`, 0 where none is kept. Cost: a recount for each repeat."""
        totals: dict[K, int] = {}
        for place in self.places:
            before = kept.get(place, 0)
            n = (await recount(place) if place in self._again else before) + self._more.get(place, 0)
            if place in self._more or n != before:
                totals[place] = n
        return totals
