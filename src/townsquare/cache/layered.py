"""Values in a server outside, behind those in the process: found there by one round trip, told of by the bus.

Who finds nothing under a key leaves a lease there, in the same round trip, and may put the value in its place as long
as that lease lies there. A drop takes away value and lease alike. So one who read the store before a change and is slow
cannot bring the old value back, and neither can one whose lease was lost with all else that the server held.

A drop that does not reach the server is owed: tried until it does, and told to the other processes, who try too.
Until then this process does not use the server.

Box: cache.
"""

import asyncio
import struct
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from townsquare.cache.counters import MemoryCounters
from townsquare.cache.drops import DROP, Key, decode_drop, tell_drops
from townsquare.cache.outer import Keep, Outer
from townsquare.cache.port import Cache, Kind, Load, Tally
from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Examines, Finding
from townsquare.streaming.port import Streaming

T = TypeVar("T")
K = TypeVar("K", int, str, tuple[int, int])

_OWED = "drop-owed"
_PAY_EVERY_S = 0.5
_BORN = struct.Struct("<q")


class LayeredCache:
    """A cache of objects in this process, filled from a cache of bytes that all processes share."""

    def __init__(self, inner: Cache, outer: Outer, streaming: Streaming, clock: Clock) -> None:
        """`inner`: the cache of this process, on the same bus."""
        self._outer, self._streaming, self._now_ms = outer, streaming, clock.now_ms
        self._inner = inner
        self._counters = MemoryCounters()  # while the server does not count
        self._asked, self._missed = Counter[str](), Counter[str]()
        self._owed: dict[tuple[str, Key], None] = {}
        self._paying: asyncio.Task[None] | None = None
        streaming.listen(_OWED, self._told_owed)

    def peek(self, kind: Kind[T], key: int | str | tuple[int, int]) -> T | None:
        return self._inner.peek(kind, key)

    def get_many(
        self, kind: Kind[T], keys: Sequence[K], load: Load[K, T]
    ) -> Coroutine[Any, Any, list[T | None]]:  # no coroutine of its own: most calls find all in the process
        return self._inner.get_many(kind, keys, partial(self._through, kind, load))

    async def drop(self, kind: Kind[T], keys: Sequence[K]) -> None:
        # First outside: a process that has dropped its own value looks there next.
        try:
            await self._outer.drop([_name(kind.name, key) for key in keys])
        except Unavailable:
            self._owe(kind.name, keys)
            tell_drops(self._streaming, _OWED, kind.name, keys)
        await self._inner.drop(kind, keys)

    def on_drop(self, kind: Kind[Any], listener: Callable[[Sequence[Any] | None], None]) -> None:
        self._inner.on_drop(kind, listener)

    async def count(self, key: str, *, window_s: int, amount: int = 1) -> int:
        now_s = self._now_ms() // 1000
        try:
            total = await self._outer.count(f"{window_s}:{now_s // window_s}:{key}", amount, ttl_s=window_s)
        except Unavailable:
            return self._counters.add(key, amount, window_s=window_s, now_s=now_s)
        return max(total, 0)

    def tallies(self) -> list[Tally]:
        outer = [Tally("server", name, asked, self._missed[name]) for name, asked in self._asked.items()]
        return self._inner.tallies() + outer

    async def examine(self) -> list[Finding]:
        """What the server outside says. Raises: Unavailable."""
        return await self._outer.examine() if isinstance(self._outer, Examines) else []

    async def close(self) -> None:
        if self._paying is not None and not self._paying.done():
            self._paying.cancel()
            await asyncio.gather(self._paying, return_exceptions=True)
        await self._inner.close()
        await self._outer.close()

    async def _through(self, kind: Kind[Any], load: Load[Any, Any], keys: Sequence[Any]) -> list[Any]:
        """What the server has of the keys, and the rest loaded."""
        if self._owed:
            return list(await load(keys))
        names = [_name(kind.name, key) for key in keys]
        try:
            found, lease = await self._outer.find(names)
        except Unavailable:
            return list(await load(keys))
        oldest_ms = self._now_ms() - kind.ttl_s * 500
        values = [None if raw is None else _opened(kind, raw, oldest_ms) for raw in found]
        missing = [n for n, value in enumerate(values) if value is None]
        self._asked[kind.name] += len(keys)
        self._missed[kind.name] += len(missing)
        if missing:
            born = _BORN.pack(self._now_ms())
            for n, value in zip(missing, await load([keys[n] for n in missing]), strict=True):
                values[n] = value
            # For half its time: what a process takes from here it may keep for all of it.
            kept = [
                Keep(names[n], born + kind.encode(values[n]), kind.ttl_s * 500)
                for n in missing
                if values[n] is not None and found[n] is None
            ]
            if kept:
                self._outer.keep(lease, kept)
        return values

    # Drops that are owed.

    def _owe(self, kind: str, keys: Sequence[Key]) -> None:
        self._owed.update(((kind, key), None) for key in keys)
        if self._paying is None or self._paying.done():
            self._paying = asyncio.ensure_future(self._pay())

    def _told_owed(self, topic: str, payload: bytes) -> None:
        """Another process could not drop these: try from here. We hear ourselves too."""
        message = decode_drop(payload)
        self._owe(message.kind, message.keys)

    async def _pay(self) -> None:
        """Drop what is owed, and tell all once more: they may have taken it from the server in between."""
        while self._owed:
            owed = list(self._owed)
            try:
                await self._outer.drop([_name(kind, key) for kind, key in owed])
            except Unavailable:
                await asyncio.sleep(_PAY_EVERY_S)
                continue
            for one in owed:
                self._owed.pop(one, None)
            for kind in dict.fromkeys(kind for kind, _ in owed):
                tell_drops(self._streaming, DROP, kind, [key for name, key in owed if name == kind])


def _name(kind: str, key: Key) -> str:
    """A key as the server knows it; keys of different sorts do not mix."""
    if isinstance(key, int):
        return f"{kind}:{key}"
    if isinstance(key, str):
        return f"{kind}'{key}"
    return f"{kind}:{key[0]},{key[1]}"


def _opened(kind: Kind[Any], raw: bytes, oldest_ms: int) -> Any:
    """The value; None for one that is too old, or of another version of the program."""
    if _BORN.unpack_from(raw)[0] <= oldest_ms:
        return None
    try:
        return kind.decode(raw[_BORN.size :])
    except (msgspec.MsgspecError, ValueError, struct.error):
        return None
