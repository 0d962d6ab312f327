"""The queue in one process's memory: for tests and for a server that may forget.

Box: queue. A consumer lives until it is closed, so no lease ends here.
"""

import asyncio
import struct
from collections.abc import Sequence

import msgspec

from townsquare.kit.clock import Clock
from townsquare.queue.port import Consumer, Delivery, LaneDepth, Message, Parked
from townsquare.queue.shares import PARTITIONS, check, partition_of, share_of

_REMEMBER_MS = 600_000  # how long the id of a finished message is known
_REMEMBER_COUNT = 200_000
_POLL_S = 0.01  # how often a waiting consumer looks whether a delayed message is due
_TOKEN = struct.Struct(">q")


class _Held(msgspec.Struct, kw_only=True):
    message: Message
    seq: int
    tries: int
    due_ms: int
    put_ms: int
    out: bool = False


class _Lane:
    """One lane: its messages by partition and sequence, and who holds the partitions."""

    def __init__(self) -> None:
        self.partitions: list[dict[int, _Held]] = [{} for _ in range(PARTITIONS)]
        self.owners: list[int | None] = [None] * PARTITIONS
        self.consumers: set[int] = set()
        self.parked: dict[int, Parked] = {}
        self.ids: set[int] = set()

    def hand_over(self, consumer: int) -> list[int]:
        """The partitions that `consumer` holds, after it took its share as far as others have finished with it."""
        mine = share_of("", consumer, self.consumers)
        for partition in mine:
            if self.owners[partition] != consumer and not any(h.out for h in self.partitions[partition].values()):
                self.owners[partition] = consumer
        return [p for p in mine if self.owners[p] == consumer]


class MemoryQueue:
    """Queue, kept in dictionaries."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lanes, self._seq, self._last_consumer = clock, dict[str, _Lane](), 0, 0
        self._done: dict[tuple[str, int], int] = {}  # when it was done, oldest first
        self._news = asyncio.Event()

    async def put(self, messages: Sequence[Message]) -> None:
        check(messages)
        now_ms = self._clock.now_ms()
        self._forget(now_ms)
        for message in messages:
            lane = self._lane(message.lane)
            if message.id not in lane.ids and (message.lane, message.id) not in self._done:
                lane.ids.add(message.id)
                self._add(message, due_ms=now_ms, put_ms=now_ms)
        self._tell()

    async def sync(self) -> None:
        """There is nothing to make durable."""

    def consume(self, lanes: Sequence[str], *, lease_s: float = 30.0) -> Consumer:
        self._last_consumer += 1
        for lane in lanes:
            self._lane(lane).consumers.add(self._last_consumer)
        return _MemoryConsumer(self, self._last_consumer, tuple(lanes))

    async def depths(self) -> list[LaneDepth]:
        depths = []
        for name, lane in sorted(self._lanes.items()):
            put_ms = [held.put_ms for partition in lane.partitions for held in partition.values()]
            oldest_ms = min(put_ms, default=None)
            depths.append(LaneDepth(lane=name, waiting=len(put_ms), parked=len(lane.parked), oldest_ms=oldest_ms))
        return depths

    async def parked(self, *, limit: int) -> list[Parked]:
        parked = [parked for lane in self._lanes.values() for parked in lane.parked.values()]
        return sorted(parked, key=lambda one: one.parked_ms)[:limit]

    async def redrive(self, lane: str, message_id: int) -> bool:
        parked = self._lane(lane).parked.pop(message_id, None)
        if parked is None:
            return False
        now_ms = self._clock.now_ms()
        self._add(parked.message, due_ms=now_ms, put_ms=now_ms)
        self._tell()
        return True

    async def discard(self, lane: str, message_id: int) -> bool:
        if self._lane(lane).parked.pop(message_id, None) is None:
            return False
        self._remember(lane, message_id)
        return True

    async def close(self) -> None:
        self._lanes.clear()

    def _lane(self, name: str) -> _Lane:
        return self._lanes.setdefault(name, _Lane())

    def _add(self, message: Message, *, due_ms: int, put_ms: int, tries: int = 0) -> None:
        self._seq += 1
        held = _Held(message=message, seq=self._seq, tries=tries, due_ms=due_ms, put_ms=put_ms)
        self._lane(message.lane).partitions[partition_of(message.key)][self._seq] = held

    def _remember(self, lane: str, message_id: int) -> None:
        self._lane(lane).ids.discard(message_id)
        self._done[lane, message_id] = self._clock.now_ms()

    def _forget(self, now_ms: int) -> None:
        while self._done:
            first = next(iter(self._done))
            if self._done[first] > now_ms - _REMEMBER_MS and len(self._done) <= _REMEMBER_COUNT:
                return
            del self._done[first]

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class _MemoryConsumer:
    """Consumer of a MemoryQueue."""

    def __init__(self, queue: MemoryQueue, number: int, lanes: tuple[str, ...]) -> None:
        self._queue, self._number, self._lanes, self._closed = queue, number, lanes, False

    async def take(self, *, limit: int, wait_s: float) -> list[Delivery]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while not (found := self._ready(limit)):
            left_s = until - loop.time()
            if left_s <= 0 or self._closed:
                return []
            await self._news(min(left_s, _POLL_S if self._anything_waits() else left_s))
        return [self._give(held) for held in found]

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if self._drop(delivery):
                self._queue._remember(delivery.message.lane, delivery.message.id)
        self._queue._tell()

    async def retry(self, delivery: Delivery, *, delay_s: float, counts: bool = True) -> None:
        held = self._drop(delivery)
        if held is not None:
            due_ms = self._queue._clock.now_ms() + int(delay_s * 1000)
            tries = delivery.tries if counts else delivery.tries - 1
            self._queue._add(delivery.message, due_ms=due_ms, put_ms=held.put_ms, tries=tries)
        self._queue._tell()

    async def park(self, delivery: Delivery, *, reason: str) -> None:
        if self._drop(delivery):
            message, now_ms = delivery.message, self._queue._clock.now_ms()
            parked = Parked(message=message, tries=delivery.tries, reason=reason, parked_ms=now_ms)
            self._queue._lane(message.lane).parked[message.id] = parked
        self._queue._tell()

    async def close(self) -> None:
        self._closed = True
        for name in self._lanes:
            lane = self._queue._lane(name)
            lane.consumers.discard(self._number)
            for partition, owner in enumerate(lane.owners):
                if owner == self._number:
                    lane.owners[partition] = None
                    for held in lane.partitions[partition].values():
                        held.out = False
        self._queue._tell()

    def _ready(self, limit: int) -> list[_Held]:
        if self._closed:
            return []
        now_ms, found = self._queue._clock.now_ms(), list[_Held]()
        for name in self._lanes:
            lane = self._queue._lane(name)
            for partition in lane.hand_over(self._number):
                waiting = lane.partitions[partition].values()
                ready = (held for held in waiting if not held.out and held.due_ms <= now_ms)
                found += [held for held, _ in zip(ready, range(limit), strict=False)]
        return sorted(found, key=lambda held: held.seq)[:limit]

    def _anything_waits(self) -> bool:
        return any(any(self._queue._lane(name).partitions) for name in self._lanes)

    def _give(self, held: _Held) -> Delivery:
        held.out = True
        return Delivery(message=held.message, tries=held.tries + 1, token=_TOKEN.pack(held.seq))

    def _drop(self, delivery: Delivery) -> _Held | None:
        message = delivery.message
        (seq,) = _TOKEN.unpack(delivery.token)
        partition = self._queue._lane(message.lane).partitions[partition_of(message.key)]
        held = partition.get(seq)
        return partition.pop(seq) if held is not None and held.out else None

    async def _news(self, wait_s: float) -> None:
        news = self._queue._news
        try:
            async with asyncio.timeout(wait_s):
                await news.wait()
        except TimeoutError:
            return
