"""The cache's promise: values by key, made again when lost, never older than the last `drop`.

Box: cache. Engines: memory, redis, memcached. Suite: tests/contract/cache.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

T = TypeVar("T")
K = TypeVar("K", int, str, tuple[int, int])
Load = Callable[[Sequence[K]], Awaitable[Sequence[T | None]]]


class Kind(msgspec.Struct, Generic[T], frozen=True, eq=False, kw_only=True):
    """One kind of value. An engine in this process keeps the objects; one outside keeps `encode`d bytes."""

    name: str  # the prefix of its keys, one or two letters
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    ttl_s: int
    capacity: int  # how many one process keeps at most


class Tally(msgspec.Struct, frozen=True):
    """What this process has asked one layer for since it started."""

    layer: str  # "process" or "server"
    kind: str
    asked: int  # keys
    missed: int  # of them


PROCESS = "process"  # the layer of objects in the process


class Cache(Protocol):
    """Values that can be made again. Losing them all is a slow minute, never a wrong answer."""

    def peek(self, kind: Kind[T], key: int | str | tuple[int, int]) -> T | None:
        """The value if this process holds it: no wait, no round trip."""

    async def get_many(self, kind: Kind[T], keys: Sequence[K], load: Load[K, T]) -> list[T | None]:
        """The values in the keys' order; what is missing is loaded by one call of `load` and kept.

        `load` answers in the order of the keys it is given, None where there is nothing (not kept). Requests for a key
        that is being loaded wait for that one load. A value whose key is dropped while it loads is returned but not
        kept. Cost: one round trip at most, then one `load`.
        """

    async def drop(self, kind: Kind[T], keys: Sequence[K]) -> None:
        """Forget these keys in all processes: when this returns, no later `get_many` here gives an older value, and
        other processes follow within milliseconds."""

    def on_drop(self, kind: Kind[Any], listener: Callable[[Sequence[Any] | None], None]) -> None:
        """Call the listener with the keys of this kind that are dropped, here (before `drop` returns) or in another
        process; with None where some may have been missed. For what is made of kept values."""

    async def count(self, key: str, *, window_s: int, amount: int = 1) -> int:
        """Add to a counter shared by all processes that starts anew each `window_s` of the clock; the new sum.

        `amount` 0 reads. Counters may be lost with the engine; they limit rates, they do not keep books.
        """

    def tallies(self) -> list[Tally]:
        """What was asked and missed so far, by layer and kind. `peek` is not counted."""

    async def close(self) -> None:
        """Let go of files and connections."""
