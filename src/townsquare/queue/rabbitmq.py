"""The queue in RabbitMQ, for processes on many machines.

Box: queue. URL: `amqp://[user:password@]host[:port][,host...][/vhost][?prefix=...&partitions=...&type=...&prefetch=...]`,
`amqps://` for TLS. How our promise is kept there: docs/decisions/0011-rabbitmq.md.
"""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Finding, fine, warning, wrong
from townsquare.queue import rabbitmq_depths as deep
from townsquare.queue.port import Consumer, LaneDepth, Message, Parked
from townsquare.queue.rabbitmq_consumer import RabbitConsumer
from townsquare.queue.rabbitmq_line import Line
from townsquare.queue.rabbitmq_members import BEAT_S, Held, Members
from townsquare.queue.rabbitmq_names import Layout, to
from townsquare.queue.rabbitmq_parked import ParkedQueues
from townsquare.queue.rabbitmq_records import Numbers, Record, pack
from townsquare.queue.shares import check, partition_of
from townsquare.wire.amqp import Address
from townsquare.wire.amqp_channel import Channel

_AT_ONCE = 1000  # messages sent before their confirms are awaited
_MOST_UNCONFIRMED = 10_000  # of all who put


class RabbitQueue:
    """Queue, some RabbitMQ queues for each lane. Made by `open` inside the event loop that uses it."""

    def __init__(self, address: Address, *, clock: Clock, lanes: Sequence[str] = ()) -> None:
        """`lanes`: those that `depths` shows besides what this process has put into or taken from."""
        self.clock, self.layout, self.numbers = clock, Layout.of(address), Numbers()
        self.puts = Line(address, self.layout)
        self.takes = Line(address, self.layout)
        self._lanes, self._routes = set(lanes), dict[str, list[bytes]]()
        self._consumers, self._present = set[RabbitConsumer](), set[RabbitConsumer]()
        self._parked = ParkedQueues(self.takes, self.layout)
        self._members = Members(
            self.takes,
            self.puts,
            self.layout,
            process=secrets.randbits(62),
            mine=self._mine,
            held=self._held,
            changed=self._settle,
        )
        self._beating: asyncio.Task[None] | None = None
        self._asking = asyncio.Lock()

    @classmethod
    async def open(cls, url: str, *, clock: Clock, lanes: Sequence[str] = ()) -> "RabbitQueue":
        """Connect. Raises: Unavailable; ValueError for a URL that cannot be meant, or where we are not let in."""
        queue = cls(Address.of(url), clock=clock, lanes=lanes)
        try:
            async with queue.puts.answering():
                await queue.puts.puts()
        except BaseException:
            await queue.close()
            raise
        return queue

    async def put(self, messages: Sequence[Message]) -> None:
        check(messages)
        if not messages:
            return
        now_ms, cut, records = self.clock.now_ms(), self.layout.partitions, list[tuple[bytes, bytes]]()
        for message in messages:
            routes = self._routes.get(message.lane) or self._learn(message.lane)
            record = Record(message=message, number=self.numbers.next(), put_ms=now_ms)
            records.append((routes[partition_of(message.key, cut)], pack(record)))
        async with self.puts.answering():
            channel = await self.puts.puts({message.lane for message in messages})
            for at in range(0, len(records), _AT_ONCE):
                await self._room(channel)
                await channel.publish(records[at : at + _AT_ONCE])

    async def sync(self) -> None:
        """`put` returns only when RabbitMQ has the messages on its disks."""

    def consume(self, lanes: Sequence[str], *, lease_s: float = 30.0) -> Consumer:
        """As the port has it; the lease is that of the connection, which RabbitMQ ends after two silent heartbeats."""
        for lane in lanes:
            self._learn(lane)
        consumer = RabbitConsumer(tuple(lanes), self)
        self._consumers.add(consumer)
        return consumer

    async def depths(self) -> list[LaneDepth]:
        async with self._asking, self.takes.answering():
            counted = await deep.count(self.takes, self.layout, sorted(self._lanes))
            mine, held = self._mine(), list[Held]([self._held()])
            others = {one.lane: one.consumers - len(mine.get(one.lane, ())) for one in counted}
            if any(count > 0 for count in others.values()):
                held += await self._members.ask(others)
            oldest = dict[str, int | None]()
            for one in counted:
                if one.full and not one.consumers:
                    oldest[one.lane] = await deep.look_at_oldest(self.takes, one.lane, one.full)
            return [deep.depth(one, held, oldest.get(one.lane)) for one in counted]

    async def parked(self, *, limit: int) -> list[Parked]:
        found = [one for lane in sorted(self._lanes) for one in await self._parked.first(lane, limit)]
        return sorted(found, key=lambda one: one.parked_ms)[:limit]

    async def redrive(self, lane: str, message_id: int) -> bool:
        async with self._parked.taken(lane, message_id) as record:
            if record is None:
                return False
            number, now_ms = self.numbers.next(), self.clock.now_ms()
            again = Record(message=record.message, number=number, put_ms=now_ms, again=True)
            queue = self.layout.partition(lane, partition_of(record.message.key, self.layout.partitions))
            async with self.puts.answering():
                await (await self.puts.puts([lane])).publish([(to(queue), pack(again))])
        return True

    async def discard(self, lane: str, message_id: int) -> bool:
        async with self._parked.taken(lane, message_id) as record:
            return record is not None

    async def examine(self) -> list[Finding]:
        """For `townsquare doctor`. Raises: Unavailable."""
        connection = await self.puts.connection()
        kind = self.layout.kind
        about = f"durable {kind} queues, each message confirmed before it counts as accepted"
        machines = len(self.puts.hosts)
        return [
            fine("rabbitmq", f"RabbitMQ {connection.version}"),
            warning("rabbitmq queues", f"{about}; with {machines} machines add type=quorum to the setting queue")
            if kind == "classic" and machines > 1
            else fine("rabbitmq queues", about),
            wrong("rabbitmq room", "it takes nothing more in: its memory or disk is full")
            if connection.blocked
            else fine("rabbitmq room", "it takes messages in"),
        ]

    async def close(self) -> None:
        for consumer in list(self._consumers):
            await consumer.close()
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating
            self._beating = None
        await self.puts.close()
        await self.takes.close()

    async def came(self, consumer: RabbitConsumer) -> None:
        """A consumer takes part: tell all. Raises: Unavailable."""
        await self._members.join()
        is_new = consumer not in self._present
        self._present.add(consumer)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat(), name="queue members")
        self._members.beat()
        if is_new:
            self._settle()

    def part(self, consumer: RabbitConsumer) -> None:
        """A consumer is closed: tell all."""
        self._consumers.discard(consumer)
        if consumer in self._present:
            self._present.discard(consumer)
            self._members.beat()
            self._settle()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            with suppress(Unavailable):
                async with self.takes.answering():
                    await self._members.join()
            self._members.beat()
            self._settle(changed=False)

    async def _room(self, channel: Channel) -> None:
        """Wait until not too many messages are unconfirmed."""
        while channel.unconfirmed > _MOST_UNCONFIRMED and channel.over is None:
            await channel.settle()

    def _learn(self, lane: str) -> list[bytes]:
        self._lanes.add(lane)
        names = [self.layout.partition(lane, number) for number in range(self.layout.partitions)]
        routes = self._routes[lane] = [to(name) for name in names]
        return routes

    def _mine(self) -> dict[str, list[int]]:
        found = dict[str, list[int]]()
        for consumer in self._present:
            for lane in consumer.lanes:
                found.setdefault(lane, []).append(consumer.id)
        return found

    def _held(self) -> dict[str, tuple[int, int | None]]:
        found = dict[str, tuple[int, int | None]]()
        for consumer in self._consumers:
            for lane, (count, put_ms) in consumer.held().items():
                before, before_ms = found.get(lane, (0, None))
                times = [ms for ms in (put_ms, before_ms) if ms is not None]
                found[lane] = before + count, min(times, default=None)
        return found

    def _settle(self, *, changed: bool = True) -> None:
        present = self._members.present()
        for consumer in list(self._present):
            consumer.settle(present, changed=changed)
