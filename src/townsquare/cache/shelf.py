"""The values of one kind in one process, with the loads that are under way.

Box: cache.
"""

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from cachebox import LRUCache

# Values are forgotten by parts of `ttl_s`, each when its first value is that old: so reading compares no times.
_PARTS = 8
_COMPACT_AT = 4  # keys noted for forgetting per value that is kept, before the notes of evicted ones are swept


class Loading:
    """One call of a `load`; those who want its keys wait for it."""

    __slots__ = ("done", "values")

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.values: dict[Hashable, Any] = {}


class Shelf:
    """Values by key, least recently used out first, and forgotten after `ttl_s`."""

    def __init__(self, *, ttl_s: int, capacity: int) -> None:
        self._part_ms = max(1, ttl_s * 1000 // _PARTS)
        self._ttl_ms, self._capacity = ttl_s * 1000, capacity
        self.values: LRUCache[Hashable, Any] = LRUCache(capacity)
        self.loading: dict[Hashable, Loading] = {}
        self.asked = self.missed = 0  # keys
        self.expires_ms = 0  # when `forget_old` must run before the next read
        self._parts: deque[tuple[int, list[Hashable]]] = deque()  # (first birth in ms, keys)
        self._noted = 0

    def keep(self, loading: Loading, *, now_ms: int) -> None:
        """Keep what was loaded, but for keys that were dropped meanwhile: they are no longer in `loading`."""
        part = self._part(now_ms)
        for key, value in loading.values.items():
            if self.loading.get(key) is loading:
                del self.loading[key]
                if value is not None:
                    self.values[key] = value
                    part.append(key)
                    self._noted += 1
        if self._noted > _COMPACT_AT * self._capacity + 1000:
            self._compact()

    def give_up(self, loading: Loading, keys: Iterable[Hashable]) -> None:
        """The load failed."""
        for key in keys:
            if self.loading.get(key) is loading:
                del self.loading[key]

    def drop(self, keys: Sequence[Hashable]) -> None:
        """Forget the keys; loads under way no longer count for them."""
        for key in keys:
            self.values.pop(key, None)
            self.loading.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self.values.clear()
        self.loading.clear()
        self._parts.clear()
        self._noted = 0

    def forget_old(self, now_ms: int) -> None:
        """Forget the parts whose first value is as old as it may be."""
        while self._parts and self._parts[0][0] + self._ttl_ms <= now_ms:
            _, keys = self._parts.popleft()
            self._noted -= len(keys)
            for key in keys:
                self.values.pop(key, None)
        self.expires_ms = self._parts[0][0] + self._ttl_ms if self._parts else now_ms + self._ttl_ms

    def _part(self, now_ms: int) -> list[Hashable]:
        if self._parts and 0 <= now_ms - self._parts[-1][0] < self._part_ms:
            return self._parts[-1][1]
        if not self._parts:
            self.expires_ms = now_ms + self._ttl_ms
        self._parts.append((now_ms, []))
        return self._parts[-1][1]

    def _compact(self) -> None:
        """Sweep the notes of keys that were evicted or dropped; of a key noted twice the newer note stays."""
        seen: set[Hashable] = set()
        kept: deque[tuple[int, list[Hashable]]] = deque()
        for born_ms, keys in reversed(self._parts):
            alive = [key for key in dict.fromkeys(keys) if key in self.values and key not in seen]
            seen.update(alive)
            kept.appendleft((born_ms, alive))
        self._parts = kept
        self._noted = len(seen)
