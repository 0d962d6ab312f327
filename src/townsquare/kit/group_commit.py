"""One thread that writes to an SQLite file: all jobs that wait are put together into one transaction.

Box: kit. Jobs of many requests share the price of a commit, and the event loop never waits for the disk.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import apsw

T = TypeVar("T")
Job = Callable[[apsw.Connection], T]
_Waiting = tuple[Job[Any], "asyncio.Future[Any]"]
_Settled = tuple["asyncio.Future[Any]", Any, BaseException | None]
_GROUP = 512  # jobs in one transaction


class GroupCommit:
    """Runs jobs on a connection of its own, in order; each is committed when its `await` returns.

    A job that fails takes no other along: its group is rolled back and each tried by itself, so a job may run twice.
    """

    def __init__(self, db: apsw.Connection, *, name: str) -> None:
        self._db, self._jobs, self._loop = db, queue.SimpleQueue[_Waiting | None](), asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()
        self._closed = False

    async def run(self, job: Job[T]) -> T:
        """The job's result, once it is committed.

        Raises: apsw.Error or what the job raises; nothing of the job was done then.
        """
        if self._closed:
            raise apsw.ConnectionClosedError("the file was closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future

    async def close(self) -> None:
        """Finish what was accepted, then close the file."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        goes_on = True
        while goes_on:
            group, goes_on = self._next_group()
            if group:
                settled = self._commit(group)
                if not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(_settle, settled)
        self._db.close()

    def _next_group(self) -> tuple[list[_Waiting], bool]:
        waiting = self._jobs.get()
        group = list[_Waiting]()
        while waiting is not None:
            group.append(waiting)
            if len(group) == _GROUP or self._jobs.empty():
                return group, True
            waiting = self._jobs.get()
        return group, False

    def _commit(self, group: list[_Waiting]) -> list[_Settled]:
        settled = list[_Settled]()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for job, future in group:
                settled.append((future, job(self._db), None))
            self._db.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001 - it is handed to the one who waits for the job
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if len(group) == 1:
                return [(group[0][1], None, exc)]
            return [one for waiting in group for one in self._commit([waiting])]
        return settled


def _settle(settled: list[_Settled]) -> None:
    for future, result, exc in settled:
        if future.done():
            continue
        if exc is None:
            future.set_result(result)
        else:
            future.set_exception(exc)
