"""One process's share of some lanes of RabbitMQ.

Box: queue. It stands in line at all partitions of its lanes and, when others come or go, goes to the end of the line
where others should hold a partition: at once where nothing of it is out, else when that is so.
"""

import asyncio
import heapq
import logging
import secrets
import struct
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol

import msgspec

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.queue.port import Delivery, Message
from townsquare.queue.rabbitmq_later import Later
from townsquare.queue.rabbitmq_line import Line
from townsquare.queue.rabbitmq_names import Layout, to
from townsquare.queue.rabbitmq_records import Numbers, Record, pack
from townsquare.queue.rabbitmq_share import Entry, Share
from townsquare.queue.shares import partition_of, share_of

log = logging.getLogger(__name__)
_TOKEN = struct.Struct(">Q")
_REMEMBER_MS = 600_000  # how long the id of a finished message is known
_REMEMBER_COUNT = 50_000
_AGAIN_AFTER_S = 5.0  # a partition that others should hold, and do not take, is offered again


class Home(Protocol):
    """What a consumer needs of its queue."""

    clock: Clock
    layout: Layout
    takes: Line
    puts: Line
    numbers: Numbers

    async def came(self, consumer: "RabbitConsumer") -> None:
        """A consumer takes part. Raises: Unavailable."""

    def part(self, consumer: "RabbitConsumer") -> None:
        """A consumer is closed."""


class RabbitConsumer:
    """Consumer of a RabbitQueue."""

    def __init__(self, lanes: tuple[str, ...], home: Home) -> None:
        self.id, self.lanes, self.layout, self._home = secrets.randbits(62), lanes, home.layout, home
        self.entries = dict[int, Entry]()
        self._known = {lane: _Known(home.clock) for lane in lanes}
        self._news, self._closed = asyncio.Event(), False
        self._joining: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None
        self._offer = set[Share]()  # others should hold these
        takes, puts, clock = home.takes, home.puts, home.clock
        self._laters = {lane: Later(takes, puts, self.layout, lane=lane, clock=clock) for lane in lanes}
        self._shares = [
            Share(self, takes, puts, lane=lane, number=number)
            for lane in lanes
            for number in range(self.layout.partitions)
        ]
        self._present: Mapping[str, Collection[int]] = {}
        self._offered_at = 0.0

    # Consumer

    async def take(self, *, limit: int, wait_s: float) -> list[Delivery]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while not self._closed:
            await self._stand()
            self._news.clear()
            found = self._take_now(limit)
            left_s = until - loop.time()
            if found or left_s <= 0:
                return found
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._news.wait()
        return []

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        by_share = dict[Share, list[Entry]]()
        for delivery in deliveries:
            entry = self._entry(delivery)
            self._known[delivery.message.lane].finished(delivery.message.id)
            if entry is not None:
                by_share.setdefault(entry.share, []).append(entry)
        for share, entries in by_share.items():
            self._finish(share, entries)
        self._settle_soon()

    async def retry(self, delivery: Delivery, *, delay_s: float, counts: bool = True) -> None:
        tries = delivery.tries if counts else delivery.tries - 1
        message = delivery.message
        if delay_s > 0:
            queue, due_ms = self.layout.later(message.lane, delay_s), self._home.clock.now_ms() + int(delay_s * 1000)
        else:
            number = partition_of(message.key, self.layout.partitions)
            queue, due_ms = self.layout.partition(message.lane, number), 0
        await self._move(delivery, queue, tries=tries, at_ms=due_ms)

    async def park(self, delivery: Delivery, *, reason: str) -> None:
        queue, now_ms = self.layout.parked(delivery.message.lane), self._home.clock.now_ms()
        await self._move(delivery, queue, tries=delivery.tries, at_ms=now_ms, reason=reason)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._news.set()
        for task in (self._joining, self._settling):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        self._home.part(self)
        try:
            await self._hand_back()
        except Unavailable:
            log.warning("queue consumer %d is closed without RabbitMQ, which gives its messages to others", self.id)

    # Owner, for the shares

    def is_known(self, record: Record) -> bool:
        known = self._known[record.message.lane]
        known.forget()
        return known.has(record)

    def tell(self) -> None:
        self._news.set()

    # For the queue

    def settle(self, present: Mapping[str, Collection[int]], *, changed: bool) -> None:
        """Others came or went, or (not `changed`) time has passed: `present` says who takes part in each lane."""
        self._present = present
        now_s = asyncio.get_running_loop().time()
        if not changed and now_s - self._offered_at < _AGAIN_AFTER_S:
            return
        self._offered_at = now_s
        for lane in self.lanes:
            consumers = set(present.get(lane, ())) | {self.id}
            mine = share_of(lane, self.id, consumers, self.layout.partitions)
            others = {share for share in self._shares if share.lane == lane and share.number not in mine}
            self._offer -= {share for share in self._shares if share.lane == lane}
            self._offer |= {share for share in others if changed or share.has_come}
        self._settle_soon()

    def held(self) -> dict[str, tuple[int, int | None]]:
        """Per lane, how many messages are here that RabbitMQ counts as given, and when the oldest was put."""
        found = dict[str, tuple[int, int | None]]()
        for lane in self.lanes:
            put = [record.put_ms for record in self._laters[lane].waiting]
            for share in self._shares:
                if share.lane == lane:
                    put += [entry.record.put_ms for entry in share.waiting]
                    put += [entry.record.put_ms for entry in share.out.values() if entry.epoch == share.epoch]
            found[lane] = len(put), min(put, default=None)
        return found

    async def _stand(self) -> None:
        """Be in line everywhere. Raises: Unavailable."""
        if self._joining is None or (self._joining.done() and not self._is_up()):
            if self._settling is not None and not self._settling.done():
                await asyncio.wait([self._settling])
            self._joining = asyncio.create_task(self._join(), name="join the queue")
            self._joining.add_done_callback(lambda task: None if task.cancelled() else task.exception() and None)
        if not self._joining.done():
            await asyncio.shield(self._joining)
        elif not self._joining.cancelled() and (failed := self._joining.exception()) is not None:
            self._joining = None
            raise failed

    def _is_up(self) -> bool:
        return all(share.up for share in self._shares) and all(later.up for later in self._laters.values())

    async def _join(self) -> None:
        takes = self._home.takes
        async with takes.answering():
            await takes.plain(self.lanes)
            down = [share for share in self._shares if not share.up]
            await asyncio.gather(*[share.stand() for share in down])
            await asyncio.gather(*[later.stand() for later in self._laters.values() if not later.up])
            await asyncio.gather(*[share.first_look() for share in down])
        await self._home.came(self)

    def _take_now(self, limit: int) -> list[Delivery]:
        ready = [share for share in self._shares if share.ready and share.waiting and share not in self._offer]
        entries = list(islice(heapq.merge(*[share.waiting for share in ready], key=_number), limit))
        touched = set[Share]()
        for entry in entries:
            share = entry.share
            share.waiting.popleft()
            number = entry.record.number
            entry.out, entry.cuts = True, share.noted.get(number, entry.record.cuts)
            share.out[number] = entry
            touched.add(share)
        for share in touched:
            share.write_note()
        return [_delivery(entry) for entry in entries]

    def _entry(self, delivery: Delivery) -> Entry | None:
        (number,) = _TOKEN.unpack(delivery.token)
        entry = self.entries.get(number)
        return entry if entry is not None and entry.out else None

    def _finish(self, share: Share, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.entries.pop(entry.record.number, None)
        share.finish(entries)

    async def _move(self, delivery: Delivery, queue: str, *, tries: int, at_ms: int, reason: str = "") -> None:
        """Put the message into another queue, and only then acknowledge it here. Raises: Unavailable."""
        entry = self._entry(delivery)
        if entry is None:
            return
        moved = msgspec.structs.replace(
            entry.record,
            number=self._home.numbers.next(),
            at_ms=at_ms,
            tries=tries,
            cuts=delivery.cuts,
            again=True,
            reason=reason,
        )
        async with self._home.puts.answering():
            channel = await self._home.puts.puts([delivery.message.lane])
            await channel.publish([(to(queue), pack(moved))])
        self._known[delivery.message.lane].moved(moved)
        self._finish(entry.share, [entry])
        self._settle_soon()

    def _settle_soon(self) -> None:
        if self._closed or (self._settling is not None and not self._settling.done()):
            return
        if any(not share.out for share in self._offer):
            self._settling = asyncio.create_task(self._settle(), name="share out the queue")
            self._settling.add_done_callback(lambda task: None if task.cancelled() else task.exception() and None)

    async def _settle(self) -> None:
        """Go to the end of the line where others should hold a partition and nothing of it is out."""
        while free := [share for share in self._offer if not share.out]:
            async with self._home.takes.answering():
                await asyncio.gather(*[self._go_to_the_end(share) for share in free])

    async def _go_to_the_end(self, share: Share) -> None:
        self._offer.discard(share)
        await share.leave()
        await share.stand()

    async def _hand_back(self) -> None:
        for share in self._shares:
            share.write_note(ended=True)
        async with self._home.puts.answering():
            if any(share.out for share in self._shares):
                await (await self._home.puts.plain()).settle()
        async with self._home.takes.answering():
            leaving = [share.leave() for share in self._shares if share.up]
            leaving += [later.leave() for later in self._laters.values()]
            await asyncio.gather(*leaving)


class _Known:
    """The ids of a lane that were given here, and are not taken for new when they come once more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = dict[int, tuple[int, bool, int]]()  # number of the record, finished, since when; oldest first

    def has(self, record: Record) -> bool:
        """Whether it is a repeat; if not, it is known from now on."""
        number, finished, _ = self._ids.get(record.message.id, (0, False, 0))
        if number == record.number:
            return finished
        if number and not record.again:
            return True
        self._set(record.message.id, record.number, finished=False)
        return False

    def moved(self, record: Record) -> None:
        """It will come again as this one."""
        self._set(record.message.id, record.number, finished=False)

    def finished(self, message_id: int) -> None:
        """Its effect is durable."""
        if message_id in self._ids:
            self._set(message_id, self._ids[message_id][0], finished=True)

    def forget(self) -> None:
        """Forget what was given or finished long ago, or so long ago that there is too much newer."""
        old_ms = self._clock.now_ms() - _REMEMBER_MS
        while self._ids:
            first = next(iter(self._ids))
            if len(self._ids) <= _REMEMBER_COUNT and self._ids[first][2] > old_ms:
                return
            del self._ids[first]

    def _set(self, message_id: int, number: int, *, finished: bool) -> None:
        self._ids.pop(message_id, None)
        self._ids[message_id] = number, finished, self._clock.now_ms()


def _number(entry: Entry) -> int:
    return entry.record.number


def _delivery(entry: Entry) -> Delivery:
    record = entry.record
    tries = record.tries + entry.cuts - record.cuts + 1
    message: Message = record.message
    return Delivery(message=message, tries=tries, cuts=entry.cuts, token=_TOKEN.pack(record.number))
