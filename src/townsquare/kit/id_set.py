"""A set of ids as one sorted array: 8 bytes each, where a frozenset of numbers takes about 70.

Box: kit.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator


class IdSet:
    """A set that never changes."""

    __slots__ = ("_ids",)

    def __init__(self, ids: Iterable[int] = ()) -> None:
        self._ids = array("q", sorted(set(ids)))

    @classmethod
    def unpack(cls, data: bytes) -> "IdSet":
        """The set that `pack` made bytes of."""
        made = cls()
        made._ids.frombytes(data)
        return made

    def pack(self) -> bytes:
        """The ids as bytes, for a cache on the same kind of machine."""
        return self._ids.tobytes()

    def __contains__(self, each: int) -> bool:
        ids = self._ids
        at = bisect_left(ids, each)
        return at < len(ids) and ids[at] == each

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdSet) and self._ids == other._ids

    def __hash__(self) -> int:
        return hash(self._ids.tobytes())
