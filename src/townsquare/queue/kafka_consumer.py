"""One process's share of some lanes in Kafka.

Box: queue. A take is noted beside the offsets before its messages are given, so a try is counted for what a dead
process had out; all that changes while a commit is under way goes with the next one.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.queue.kafka_address import translated
from townsquare.queue.kafka_held import Given, Held
from townsquare.queue.kafka_partition import Partition
from townsquare.queue.kafka_reader import Place, Reader, Record
from townsquare.queue.kafka_records import Envelope, Names, ParkedRecord
from townsquare.queue.port import Delivery

log = logging.getLogger(__name__)
COMMIT_WITHIN_S = 5.0
_SETTLE_S = 0.05  # how long a take waits for partitions that may have something older
_LOOK_S = 0.05  # how often it is looked whether a delayed message is due
_ANEW_S = 0.5
_AT_ONCE = 500
_SOON_S = 0.05
# Our share is changing, or the broker that keeps offsets is: what is still ours then can be committed soon.
_PASSING = frozenset(
    {
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._WAIT_COORD,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
    }
)


class Home(Protocol):
    """What a consumer needs of its queue."""

    clock: Clock
    names: Names

    async def join(self, consumer: "KafkaConsumer", lanes: Sequence[str]) -> Reader:
        """A reader of the lanes, not yet started. Raises: Unavailable."""

    async def send(self, envelopes: Sequence[Envelope], *, later: bool = False) -> None:
        """Have the messages kept, in their lanes or for `later`. Raises: Unavailable."""

    async def send_parked(self, record: ParkedRecord) -> None:
        """Have it kept among the parked. Raises: Unavailable."""

    def part(self, consumer: "KafkaConsumer") -> None:
        """Forget a consumer that was closed."""


class KafkaConsumer:
    """Consumer of a KafkaQueue."""

    def __init__(self, lanes: Sequence[str], *, home: Home) -> None:
        self._lanes, self._home = tuple(lanes), home
        self._held = Held(home.names, home.clock)
        self._held_back = frozenset[Place]()
        self._reader: Reader | None = None
        self._joining, self._committing = asyncio.Lock(), asyncio.Lock()
        self._closed, self._behind_since_s = False, 0.0
        self._news, self._finished, self._timed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._next_commit: asyncio.Task[None] | None = None
        self._forwarder: asyncio.Task[None] | None = None

    async def take(self, *, limit: int, wait_s: float) -> list[Delivery]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while not self._closed:
            await self._join()
            self._news.clear()
            found, settles_s = self._choose(limit)
            if found and (deliveries := await self._note(found)):
                return deliveries
            left_s = until - loop.time()
            if left_s <= 0:
                return []
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, settles_s)):
                    await self._news.wait()
        return []

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        now_ms = self._home.clock.now_ms()
        for delivery in deliveries:
            where = self._held.find(delivery)
            if where is not None:
                where[0].finish(where[1], now_ms)
        await self._settle()

    async def retry(self, delivery: Delivery, *, delay_s: float, counts: bool = True) -> None:
        where = self._held.find(delivery)
        if where is None:
            return
        now_ms = self._home.clock.now_ms()
        partition, offset = where
        envelope = msgspec.structs.replace(
            partition.out[offset],
            due_ms=now_ms + int(delay_s * 1000),
            tries=delivery.tries if counts else delivery.tries - 1,
            cuts=delivery.cuts,
            turn=partition.out[offset].turn + 1,
        )
        await self._home.send([envelope], later=True)
        partition.finish(offset, now_ms)
        await self._settle()

    async def park(self, delivery: Delivery, *, reason: str) -> None:
        where = self._held.find(delivery)
        if where is None:
            return
        message, now_ms, (partition, offset) = delivery.message, self._home.clock.now_ms(), where
        await self._home.send_parked(
            ParkedRecord(
                lane=message.lane,
                key=message.key,
                id=message.id,
                body=message.body,
                tries=delivery.tries,
                reason=reason,
                parked_ms=now_ms,
                turn=partition.out[offset].turn if offset in partition.out else 0,
            )
        )
        partition.finish(offset, now_ms)
        await self._settle()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._news.set()
        self._finished.set()
        self._home.part(self)
        if self._forwarder is not None:
            self._forwarder.cancel()
            await asyncio.wait([self._forwarder])
        async with self._joining:
            reader = self._reader
        if reader is not None:
            for partition in self._held.partitions.values():
                partition.hand_back()
            await self._save_or_warn()
            await reader.close()
        self._held.partitions.clear()

    def trimmable(self) -> dict[Place, int]:
        """Per partition held, the offset before which all is finished."""
        return {(one.topic, one.number): one.start for one in self._held.partitions.values()}

    def gain(self, held: Sequence[TopicPartition]) -> None:
        for one in held:
            self._held.add((one.topic, one.partition), start=max(one.offset, 0), text=one.metadata or "")

    def is_busy(self) -> bool:
        return self._held.is_busy or self._committing.locked() or self._next_commit is not None

    def is_full(self) -> bool:
        return self._held.is_full

    def hear(self, records: Sequence[Record], ends: Mapping[Place, int]) -> None:
        self._held.read(records)
        self._held.ends.update(ends)
        self._steer()
        self._news.set()
        self._timed.set()

    async def let_go(self, places: Sequence[Place]) -> None:
        mine = self._held.at(places)
        for partition in mine:
            partition.leaving = True
        while not self._closed and any(one.out for one in mine if one.gives):
            self._finished.clear()
            await self._finished.wait()
        if not self._closed:
            for partition in mine:
                partition.hand_back()
            await self._save_or_warn()

    def lose(self, places: Sequence[Place]) -> None:
        self._held.drop(places)
        self._finished.set()
        self._steer()  # what was read ahead of them is no more

    async def _join(self) -> None:
        if self._reader is not None:
            return
        async with self._joining:
            if self._reader is None:
                reader = await self._home.join(self, self._lanes)
                if not self._closed:
                    self._reader = reader
                    self._forwarder = asyncio.create_task(self._forward_for_ever(), name="kafka retries")
                    reader.start()

    def _choose(self, limit: int) -> tuple[list[Given], float]:
        """What to give, and how soon to look again where some of it may come late."""
        now_s = time.monotonic()
        if not self._held.is_settled():
            self._behind_since_s = self._behind_since_s or now_s
            late_s = self._behind_since_s + _SETTLE_S - now_s
            if late_s > 0:
                return [], late_s
        self._behind_since_s = 0.0
        return self._held.give(limit), 60.0

    async def _note(self, found: Sequence[Given]) -> list[Delivery]:
        """Note that they are out, so that their tries count; those that were not lost meanwhile."""
        self._steer()
        try:
            await self._save()
        except (Unavailable, asyncio.CancelledError):
            for one in reversed(found):
                if one.offset in one.partition.out:
                    one.partition.take_back(one.offset)
            self._finished.set()
            raise
        return [one.delivery for one in found if self._held.find(one.delivery) is not None]

    async def _settle(self) -> None:
        """After something was finished."""
        try:
            await self._save()
        finally:
            self._finished.set()
            self._steer()

    def _steer(self) -> None:
        held_back = self._held.steer()
        if self._reader is not None and held_back != self._held_back and not self._closed:
            self._held_back = held_back
            self._reader.hold_back(held_back)

    async def _save_or_warn(self) -> None:
        try:
            await self._save()
        except Unavailable:
            log.warning("what a consumer has done cannot be told to Kafka; some is done again by others")

    async def _save(self) -> None:
        """Have kept what is finished and out now. Raises: Unavailable."""
        if self._next_commit is None:
            self._next_commit = asyncio.create_task(self._commit(), name="kafka commit")
        await asyncio.shield(self._next_commit)

    async def _commit(self) -> None:
        async with self._committing:
            self._next_commit = None
            changed = [partition for partition in self._held.partitions.values() if partition.changed]
            if not changed or self._reader is None:
                return
            told = [partition.tell() for partition in changed]
            offsets = [TopicPartition(one.topic, one.number, *each) for one, each in zip(changed, told, strict=True)]
            try:
                async with asyncio.timeout(COMMIT_WITHIN_S):
                    await self._commit_now(self._reader, offsets)
            except (TimeoutError, KafkaException) as exc:
                for partition in changed:
                    partition.kept(None)
                if isinstance(exc, KafkaException):
                    raise translated(exc) from exc
                raise Unavailable("The queue does not answer just now") from exc
            for partition, each in zip(changed, told, strict=True):
                partition.kept(each)

    async def _commit_now(self, reader: Reader, offsets: Sequence[TopicPartition]) -> None:
        while True:
            try:
                return await reader.commit(offsets)
            except KafkaException as exc:
                if exc.args[0].code() not in _PASSING:
                    raise
            await asyncio.sleep(_SOON_S)

    async def _forward_for_ever(self) -> None:
        """Put what was to be tried later back into its lane when its time has come."""
        while True:
            due = self._held.due(_AT_ONCE)
            if due:
                await self._forward(due)
                continue
            next_s = self._held.next_due_s()
            self._timed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if next_s is None else min(next_s, _LOOK_S)):
                    await self._timed.wait()

    async def _forward(self, due: Sequence[tuple[Partition, int, Envelope]]) -> None:
        try:
            await self._home.send([envelope for _, _, envelope in due])
            now_ms = self._home.clock.now_ms()
            for partition, offset, _ in due:
                partition.finish(offset, now_ms)
            await self._settle()
        except Unavailable:
            log.warning("%d messages cannot be tried again just now", len(due))
            self._held.wait_again((p, o, e) for p, o, e in due if o in p.out)
            await asyncio.sleep(_ANEW_S)
