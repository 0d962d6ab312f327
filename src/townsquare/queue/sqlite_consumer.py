"""One process's share of some lanes of a SQLite queue.

Box: queue. Which messages are out is known here, in memory; the file has a note of each take, so that a try is counted
for what a dead process had out. A partition is let go of only when nothing of it is out, so no key has two workers.
"""

import asyncio
import logging
import secrets
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

import apsw

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.queue import sqlite_messages as sql
from townsquare.queue import sqlite_shares as who
from townsquare.queue.port import Delivery, Message

T = TypeVar("T")
log = logging.getLogger(__name__)
_TOKEN = struct.Struct(">qq")  # consumer, seq


class Home(Protocol):
    """What a consumer needs of its queue."""

    clock: Clock

    async def write(self, job: Callable[[apsw.Connection], T]) -> T:
        """The job's result, once committed. Raises: Unavailable."""

    def wake(self) -> None:
        """Look about at once."""

    def part(self, consumer: "SqliteConsumer") -> None:
        """Stop to tell a consumer of news."""


class SqliteConsumer:
    """Consumer of a SqliteQueue."""

    def __init__(self, lanes: tuple[str, ...], lease_s: float, *, home: Home, place: who.Place) -> None:
        self.id, self.lease_s = secrets.randbits(62), lease_s
        self._lanes, self._home, self._place = lanes, home, place
        self._lock = asyncio.Lock()  # around jobs that read or change what is held
        self._news, self._joined, self._closed = asyncio.Event(), False, False
        self._held = dict[str, frozenset[int]]()  # partitions to take from
        self._read_to = dict[str, int]()  # per lane: all up to this seq is out or finished
        self._end = dict[str, int]()  # per lane: the last seq there is
        self._out: dict[str, dict[int, int]] = {lane: {} for lane in lanes}  # seq -> partition
        self._notes = dict[int, int]()  # seq -> number of the note of its take
        self._open = dict[int, int]()  # number of a note -> messages that are not finished

    async def take(self, *, limit: int, wait_s: float) -> list[Delivery]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while not self._closed:
            if not self._joined:
                await self._join()
            self._news.clear()
            found = await self._take_now(limit)
            left_s = until - loop.time()
            if found or left_s <= 0:
                return found
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._news.wait()
        return []

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        finished = dict[str, list[tuple[int, int]]]()
        for delivery in deliveries:
            seq = _TOKEN.unpack(delivery.token)[1]
            finished.setdefault(delivery.message.lane, []).append((seq, delivery.message.id))
        seqs = {lane: [seq for seq, _ in some] for lane, some in finished.items()}
        notes, now_ms = self._notes_closed_by(seqs), self._home.clock.now_ms()
        await self._finish(seqs, lambda db: sql.done(db, finished, notes, now_ms))

    async def retry(self, delivery: Delivery, *, delay_s: float, counts: bool = True) -> None:
        due_ms = self._home.clock.now_ms() + int(delay_s * 1000)
        tries = delivery.tries if counts else delivery.tries - 1
        await self._put_aside(delivery, lambda db, seq: sql.retry(db, delivery, seq, tries=tries, due_ms=due_ms))

    async def park(self, delivery: Delivery, *, reason: str) -> None:
        now_ms = self._home.clock.now_ms()
        await self._put_aside(delivery, lambda db, seq: sql.park(db, delivery, seq, reason=reason, now_ms=now_ms))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._news.set()
        self._home.part(self)
        async with self._lock:
            try:
                await self._home.write(lambda db: who.leave(db, [self.id], as_tried=False))
            except Unavailable:
                log.warning("queue consumer %d could not hand back what it holds; it is given up later", self.id)

    def hear(self, last_seqs: Mapping[str, int]) -> bool:
        """Take note of how far each lane goes now; whether that is further than was read."""
        self._end = {lane: last_seqs.get(lane, 0) for lane in self._lanes}
        is_new = any(end > self._read_to.get(lane, 0) for lane, end in self._end.items())
        if is_new:
            self._news.set()
        return is_new

    async def settle(self, present: Sequence[who.Presence], held: Mapping[who.Partition, int]) -> bool:
        """Bring what is held nearer to this consumer's share; whether it is just that now."""
        async with self._lock:
            if not self._joined or self._closed:
                return True
            should = who.shares(present, self.id)
            mine = {partition for partition, consumer in held.items() if consumer == self.id}
            busy = {(lane, partition) for lane, out in self._out.items() for partition in out.values()}
            release, want = mine - should - busy, should - held.keys()
            if release or want or not should:
                now_mine = await self._home.write(lambda db: who.swap(db, self.id, release, want))
                if now_mine is None:
                    self._start_anew()
                    return False
                mine = now_mine
            self._hold(mine & should)
            return mine == should

    def _hold(self, partitions: Iterable[who.Partition]) -> None:
        by_lane = dict[str, set[int]]()
        for lane, partition in partitions:
            by_lane.setdefault(lane, set()).add(partition)
        for lane in self._lanes:
            held = frozenset(by_lane.get(lane, ()))
            if held != self._held.get(lane, frozenset()):
                self._held[lane], self._read_to[lane] = held, 0
                self._news.set()

    async def _join(self) -> None:
        async with self._lock:
            await self._home.write(lambda db: who.join(db, self.id, self._lanes, self._place, self.lease_s))
            self._joined = True
        self._home.wake()

    def _start_anew(self) -> None:
        """The others gave this consumer up, so nothing is held any more; come back as another one."""
        log.warning("queue consumer %d did not show itself for too long and lost its messages", self.id)
        self.id, self._joined = secrets.randbits(62), False
        self._held, self._read_to, self._notes, self._open = {}, {}, {}, {}
        self._out = {lane: {} for lane in self._lanes}
        self._news.set()

    async def _take_now(self, limit: int) -> list[Delivery]:
        async with self._lock:
            asks = [
                sql.Ask(lane, self._held[lane], self._read_to.get(lane, 0), frozenset(self._out[lane]))
                for lane in self._lanes
                if self._held.get(lane) and (lane not in self._end or self._end[lane] > self._read_to.get(lane, 0))
            ]
            if not asks or self._closed:
                return []
            taken = await self._home.write(
                lambda db: sql.take(db, self.id, asks, limit) if who.takes_part(db, self.id) else None
            )
            if taken is None:
                self._start_anew()
                return []
            rows = [
                (ask.lane, row)
                for ask, one in zip(asks, taken, strict=True)
                if one is not None
                for row in self._note(ask.lane, one)
            ]
        rows.sort(key=lambda lane_row: lane_row[1][0])
        return [self._delivery(lane, row) for lane, row in rows]

    def _note(self, lane: str, taken: sql.Taken) -> list[sql.MessageRow]:
        self._read_to[lane] = taken.read_to
        if taken.rows:
            self._open[taken.outs] = len(taken.rows)
        for row in taken.rows:
            self._out[lane][row[0]] = row[1]
            self._notes[row[0]] = taken.outs
        return taken.rows

    def _delivery(self, lane: str, row: sql.MessageRow) -> Delivery:
        seq, _, key, message_id, tries, cuts, body = row
        message = Message(lane=lane, key=key, id=message_id, body=body)
        return Delivery(message=message, tries=tries + 1, cuts=cuts, token=_TOKEN.pack(self.id, seq))

    async def _put_aside(self, delivery: Delivery, job: Callable[[apsw.Connection, int], None]) -> None:
        consumer, seq = _TOKEN.unpack(delivery.token)
        seqs = {delivery.message.lane: [seq]}
        notes = self._notes_closed_by(seqs)

        def put_aside(db: apsw.Connection) -> None:
            if who.takes_part(db, consumer):  # else it is in other hands by now
                job(db, seq)
            sql.drop_outs(db, notes)

        await self._finish(seqs, put_aside)
        self._home.wake()

    async def _finish(self, seqs: Mapping[str, Sequence[int]], job: Callable[[apsw.Connection], None]) -> None:
        try:
            await self._home.write(job)
        except asyncio.CancelledError:
            self._let_go(seqs)  # the job is on its way all the same
            raise
        self._let_go(seqs)

    def _notes_closed_by(self, seqs: Mapping[str, Sequence[int]]) -> list[int]:
        """The notes of takes that are of no more use when these messages are finished."""
        closed = list[int]()
        for seq in (seq for some in seqs.values() for seq in some):
            number = self._notes.pop(seq, None)
            if number is not None:
                self._open[number] -= 1
                if not self._open[number]:
                    del self._open[number]
                    closed.append(number)
        return closed

    def _let_go(self, seqs: Mapping[str, Sequence[int]]) -> None:
        for lane, some in seqs.items():
            for seq in some:
                self._out[lane].pop(seq, None)
