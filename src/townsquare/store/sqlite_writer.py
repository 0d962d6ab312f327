"""The one thread of a process that writes to its SQLite file.

Everything that waits when the thread comes round goes into one transaction, so that a durable commit is shared by all
(group commit). Work that fails takes nobody else along: its group is rolled back and each work tried by itself.

Box: store.
"""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

import apsw

from townsquare.model.errors import Unavailable
from townsquare.store.sqlite_turn import Turn

BUSY_S = 5.0  # what we wait for other processes
MOST_IN_GROUP = 1024
SWITCH_EVERY_S = 0.00005  # see Writer
UPKEEP_EVERY_S = 30.0
WAL_PAGES = 2000  # after so many pages (8 MB) the log is copied into the file
WAL_PAGES_TOO_MANY = 25_000  # and after so many (100 MB) we wait for readers in order to start it afresh
_ROWS_A_STATEMENT = (64, 32, 16, 8, 4, 2, 1)  # a statement of 64 rows costs half of 64 statements

log = logging.getLogger(__name__)
_DOWN = (
    apsw.BusyError,
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)

T = TypeVar("T")
Cells = tuple[bytes, bytes | None, int]  # key, value (None: deleted), time stamp


class Upsert:
    """The statement that writes rows to one table, for several numbers of rows."""

    def __init__(self, table: str, *, newest: bool) -> None:
        """`newest`: the row is newer than what is there, whatever the clocks say; else the higher time stamp wins."""
        self._start = f'INSERT INTO "{table}" (k, v, ts) VALUES '
        self._end = " ON CONFLICT (k) DO UPDATE SET v = excluded.v, ts = " + (
            f'max(excluded.ts, "{table}".ts + 1)' if newest else f'excluded.ts WHERE excluded.ts >= "{table}".ts'
        )
        self._sql = {n: self._start + ", ".join(["(?, ?, ?)"] * n) + self._end for n in _ROWS_A_STATEMENT}

    def run(self, connection: apsw.Connection, cells: list[Any]) -> None:
        """Write rows, given as one flat list of their cells."""
        done = 0
        for n in _ROWS_A_STATEMENT:
            while len(cells) - done >= 3 * n:
                connection.execute(self._sql[n], cells[done : done + 3 * n])
                done += 3 * n


class Transaction:
    """What works see of the transaction that they share."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._waiting: dict[Upsert, list[Any]] = {}

    def put(self, upsert: Upsert, cells: Cells) -> None:
        """Write a row before the end of the transaction."""
        self._waiting.setdefault(upsert, []).extend(cells)

    def execute(self, sql: str, cells: tuple[Any, ...]) -> Any:
        """Run a statement after all rows that were put before; its first row, None if it has none."""
        self.flush()
        return self._connection.execute(sql, cells).fetchone()

    def changes(self) -> int:
        """How many rows the last statement changed."""
        return self._connection.changes()

    def flush(self) -> None:
        """Hand the rows that wait to SQLite."""
        waiting, self._waiting = self._waiting, {}
        for upsert, cells in waiting.items():
            upsert.run(self._connection, cells)


class _Job(Generic[T]):
    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Callable[[Transaction], T]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.result: T | None = None
        self.error: BaseException | None = None


class Writer:
    """The thread, its connection and what waits for it.

    A busy event loop lets go of the interpreter only for moments that are over before this thread has woken, and
    Python's 5 ms begin anew each time: writes took 0.7 s and more at the 99th percentile, 8 ms where the thread
    may insist after `SWITCH_EVERY_S`. So starting a writer lowers the switch interval of the process.
    """

    def __init__(
        self, connect: Callable[[], apsw.Connection], turn: Turn, upkeep: Callable[[Transaction], object]
    ) -> None:
        """`connect` opens the file; `upkeep` is done in a transaction of its own every `UPKEEP_EVERY_S`."""
        self._turn = turn
        self._connect = connect
        self._upkeep = upkeep
        self._connection: apsw.Connection | None = None
        self._wal_pages = 0
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._open = True
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_EVERY_S))
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        """Do `work` in a transaction, perhaps twice; the future is done when the transaction is durable."""
        if not self._open:
            raise Unavailable("The store is closed")
        job = _Job(work)
        self._jobs.put(job)
        return job.future

    async def close(self) -> None:
        """Finish what was submitted, copy the log into the file and end the thread."""
        if self._open:
            self._open = False
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        going_on, upkeep_due_s = True, time.monotonic() + UPKEEP_EVERY_S
        while going_on:
            jobs, going_on = self._next_group()
            if jobs:
                self._commit(jobs)
            if time.monotonic() >= upkeep_due_s:
                upkeep_due_s = time.monotonic() + UPKEEP_EVERY_S
                if (error := self._do_alone(self._upkeep)) is not None:
                    log.warning("Old rows could not be removed: %s", error)
            if self._wal_pages > WAL_PAGES or not going_on:
                self._checkpoint()
        if self._connection is not None:
            self._connection.close()
        self._turn.close()

    def _next_group(self) -> tuple[list[_Job[Any]], bool]:
        """All that waits, and whether there is more to come; nothing after `UPKEEP_EVERY_S`."""
        jobs: list[_Job[Any]] = []
        try:
            job = self._jobs.get(timeout=UPKEEP_EVERY_S)
            while job is not None:
                jobs.append(job)
                if len(jobs) == MOST_IN_GROUP:
                    return jobs, True
                job = self._jobs.get_nowait()
        except Empty:
            return jobs, True
        return jobs, False

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        error = self._together(jobs)
        if error is not None:
            for job in jobs:
                # An engine that fails now would fail for each of them, and make them wait.
                job.error = error if len(jobs) == 1 or isinstance(error, _DOWN) else self._together([job])
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job[Any]]] = {}
        for job in jobs:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, settled in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed, so nobody waits any more
                loop.call_soon_threadsafe(_settle, settled)

    def _together(self, jobs: list[_Job[Any]]) -> BaseException | None:
        def work(transaction: Transaction) -> None:
            for job in jobs:
                job.result = job.work(transaction)

        return self._do_alone(work)

    def _do_alone(self, work: Callable[[Transaction], object]) -> BaseException | None:
        """Do the work in one transaction; the error after which nothing of it was done."""
        try:
            if self._connection is None:
                self._connection = self._connect()
                self._connection.set_wal_hook(self._count_pages)
            if not self._turn.take(patience_s=BUSY_S):
                raise apsw.BusyError("another process does not come to the end of its transaction")
            self._connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(self._connection)
            work(transaction)
            transaction.flush()
            self._connection.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001  # whatever it is, it belongs to those who wait for it
            self._roll_back(exc)
            return exc
        finally:
            self._turn.give()
        return None

    def _roll_back(self, error: Exception) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except apsw.Error as exc:
            error = exc
        if isinstance(error, _DOWN) and not isinstance(error, apsw.BusyError | apsw.FullError):
            # The file may have been replaced, or its pages no longer be read: begin afresh with the next work.
            self._connection = None
            with suppress(apsw.Error):
                connection.close(True)

    def _count_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return int(apsw.SQLITE_OK)

    def _checkpoint(self) -> None:
        if self._connection is None:
            return
        mode = (
            apsw.SQLITE_CHECKPOINT_RESTART if self._wal_pages > WAL_PAGES_TOO_MANY else apsw.SQLITE_CHECKPOINT_PASSIVE
        )
        self._wal_pages = 0  # the hook counts again, so that a checkpoint that fails is tried again soon
        try:
            self._connection.wal_checkpoint(None, mode)
        except apsw.BusyError:
            return  # another process is at it
        except apsw.Error as exc:  # nothing is lost: the log is read as well as the file
            log.warning("The log could not be copied into the file: %s", exc)


def _settle(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        elif isinstance(job.error, apsw.Error | OSError):
            error = Unavailable("The store cannot be written just now")
            error.__cause__ = job.error
            job.future.set_exception(error)
        else:
            job.future.set_exception(job.error)
