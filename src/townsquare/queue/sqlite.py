"""The queue in one SQLite file that the processes of one machine share.

Box: queue. A kill -9 loses nothing. A power cut may lose the last moments of the file, which is why the tasks of an act
stand in the store's outbox until the queue has had time to become durable.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw

from townsquare.kit.clock import Clock
from townsquare.kit.group_commit import GroupCommit
from townsquare.model.errors import Unavailable
from townsquare.queue import sqlite_messages as sql
from townsquare.queue import sqlite_shares as who
from townsquare.queue.port import Consumer, LaneDepth, Message, Parked
from townsquare.queue.shares import check
from townsquare.queue.sqlite_consumer import SqliteConsumer
from townsquare.queue.sqlite_file import connect, select

T = TypeVar("T")
log = logging.getLogger(__name__)
_POLL_S = (0.002, 0.020)  # pause between two looks at the file: just after news, and in quiet times
_TEND_S = 1.0  # how often dead processes are looked for
_TEND_SOON_S = 0.1  # the same while partitions are changing hands
_BEAT_S = 5.0
_FORGET_S = 2.0
_FORGET_SOON_S = 0.05  # the same while there is more to forget
_ANEW_S = 1.0  # pause after an error of the file


class SqliteQueue:
    """Queue, one table of messages. Made by `open` inside the event loop that uses it."""

    def __init__(self, writer: GroupCommit, reader: apsw.Connection, clock: Clock) -> None:
        self._writer, self._reader, self.clock = writer, reader, clock
        self._place = who.this_place()
        self._observer = who.Observer(self._place)
        self._consumers = set[SqliteConsumer]()
        self._watcher: asyncio.Task[None] | None = None
        self.calm_s = _POLL_S[0]  # pause between two looks, growing while nothing comes
        self.pause: _Pause | None = None

    @classmethod
    async def open(cls, path: str | Path, *, clock: Clock) -> "SqliteQueue":
        """Open or make the file. Raises: Unavailable."""
        try:
            db, reader = await asyncio.to_thread(lambda: (connect(str(path)), connect(str(path))))
            writer = GroupCommit(db, name="queue")
            await writer.run(lambda db: select(db, sql.SCHEMA))
        except apsw.Error as exc:
            raise Unavailable("The queue's file cannot be opened") from exc
        return cls(writer, reader, clock)

    async def put(self, messages: Sequence[Message]) -> None:
        check(messages)
        now_ms = self.clock.now_ms()
        if not messages:
            return
        if await self.write(lambda db: sql.put(db, messages, now_ms)):
            self.wake()

    async def sync(self) -> None:
        # The log alone: what has left it for the file itself was synced when it was moved there.
        try:
            await asyncio.to_thread(_sync_file, f"{self._reader.filename}-wal")
        except OSError as exc:
            raise Unavailable("The queue cannot be made durable just now") from exc

    def consume(self, lanes: Sequence[str], *, lease_s: float = 30.0) -> Consumer:
        consumer = SqliteConsumer(tuple(lanes), lease_s, home=self, place=self._place)
        self._consumers.add(consumer)
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch(), name="queue watcher")
        return consumer

    async def depths(self) -> list[LaneDepth]:
        return await self.write(sql.depths)

    async def parked(self, *, limit: int) -> list[Parked]:
        return await self.write(lambda db: sql.parked(db, limit))

    async def redrive(self, lane: str, message_id: int) -> bool:
        now_ms = self.clock.now_ms()
        found = await self.write(lambda db: sql.redrive(db, lane, message_id, now_ms))
        self.wake()
        return found

    async def discard(self, lane: str, message_id: int) -> bool:
        now_ms = self.clock.now_ms()
        return await self.write(lambda db: sql.discard(db, lane, message_id, now_ms))

    async def close(self) -> None:
        for consumer in list(self._consumers):
            await consumer.close()
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None
        await self._writer.close()
        self._reader.close()

    def part(self, consumer: SqliteConsumer) -> None:
        """Stop to tell a consumer of news: it was closed."""
        self._consumers.discard(consumer)

    def wake(self) -> None:
        """Look about at once: something in the file was changed by this process."""
        if self.pause is not None:
            self.pause.end()

    def version(self) -> object:
        """Changes with every commit to the file, by whichever process."""
        return self._reader.pragma("data_version")

    async def write(self, job: Callable[[apsw.Connection], T]) -> T:
        """The job's result, once committed. Raises: Unavailable; nothing of it was done then."""
        try:
            return await self._writer.run(job)
        except apsw.Error as exc:
            raise Unavailable("The queue does not answer just now") from exc

    async def _watch(self) -> None:
        """Tell consumers of news in the file, by whichever process, until cancelled."""
        while True:
            try:
                await self._look_about()
            except (apsw.Error, Unavailable):
                log.exception("queue cannot be read, trying again")
                await asyncio.sleep(_ANEW_S)

    async def _look_about(self) -> None:
        shares, next_due_ms = -1, None
        version: object = None
        next_tend_s = next_beat_s = next_forget_s = 0.0
        while True:
            now_s = time.monotonic()
            seen = self.version()
            if seen != version:
                version = seen
                is_new, now_shares, next_due_ms = self._look()
                self.calm_s = _POLL_S[0] if is_new else self.calm_s
                next_tend_s = next_tend_s if now_shares == shares else now_s
                shares = now_shares
            if next_due_ms is not None and next_due_ms <= self.clock.now_ms():
                await self.write(lambda db: sql.bring_due(db, self.clock.now_ms()))
            if now_s >= next_beat_s and self._consumers:
                next_beat_s = now_s + min(_BEAT_S, *(c.lease_s / 4 for c in self._consumers))
                await self.write(partial(who.beat, consumers=[consumer.id for consumer in self._consumers]))
            if now_s >= next_tend_s:
                settled = await self._tend()
                next_tend_s = now_s + (_TEND_S if settled else _TEND_SOON_S)
            if now_s >= next_forget_s:
                more = await self._forget()
                next_forget_s = now_s + (_FORGET_SOON_S if more else _FORGET_S)
            until_s = min(next_tend_s, next_beat_s, next_forget_s)
            await _Pause(self, version, until_s=until_s, due_ms=next_due_ms).over

    def _look(self) -> tuple[bool, int, int | None]:
        """Wake consumers with new messages: whether there are such, the shares' version, when something is due."""
        last = dict(select(self._reader, "SELECT lane, last_seq FROM lanes"))
        is_new = sum(consumer.hear(last) for consumer in self._consumers) > 0  # all are to hear
        sql_text = "SELECT shares, (SELECT min(due_ms) FROM delayed) FROM state"
        shares, due_ms = select(self._reader, sql_text)[0]
        return is_new, shares, due_ms

    async def _tend(self) -> bool:
        """Give up the dead, and bring what our consumers hold nearer to their shares; whether they have them."""
        present = who.present(self._reader)
        dead = self._observer.dead(present, time.monotonic()) - {c.id for c in self._consumers}
        if dead:
            log.warning("queue consumers %s are gone, their messages are given again", sorted(dead))
            await self.write(lambda db: who.leave(db, dead, as_tried=True))
            present = [one for one in present if one.id not in dead]
        held = who.holdings(self._reader)
        return all([await consumer.settle(present, held) for consumer in list(self._consumers)])

    async def _forget(self) -> bool:
        now_ms = self.clock.now_ms()
        has_old = sql.has_old(self._reader, now_ms)
        if has_old:
            await self.write(lambda db: sql.forget(db, now_ms))
        return has_old


class _Pause:
    """Looks at the file's version again and again, less and less often; `over` when there is something to do.

    This runs all day, so it is a callback of the loop: a task that sleeps costs twice as much.
    """

    def __init__(self, queue: SqliteQueue, version: object, *, until_s: float, due_ms: int | None) -> None:
        self._queue, self._version, self._until_s, self._due_ms = queue, version, until_s, due_ms
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self._timer = self._loop.call_later(queue.calm_s, self._look)
        queue.pause = self

    def end(self) -> None:
        """It is over: there is something to do."""
        self._timer.cancel()
        if not self.over.done():
            self.over.set_result(None)

    def _look(self) -> None:
        if self.over.done():  # cancelled
            return
        self._queue.calm_s = min(self._queue.calm_s * 1.15, _POLL_S[1])
        try:
            changed = self._queue.version() != self._version
        except apsw.Error as exc:
            self.over.set_exception(exc)
            return
        is_due = self._due_ms is not None and self._due_ms <= self._queue.clock.now_ms()
        if changed or is_due or time.monotonic() >= self._until_s:
            self.over.set_result(None)
        else:
            self._timer = self._loop.call_later(self._queue.calm_s, self._look)


def _sync_file(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(file)
    finally:
        os.close(file)
