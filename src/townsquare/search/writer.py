"""The one thread of a process that writes to its index: all that waits goes into one transaction.

Box: search.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

import apsw

from townsquare.model.errors import Unavailable

Work = Callable[[apsw.Connection], None]
_Job = tuple[Work, asyncio.AbstractEventLoop, "asyncio.Future[None]"]
_MOST_IN_GROUP = 500


class Writer:
    """Takes works from the event loop. A work that fails is tried alone, so that it takes no other along."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        """`connect` is called in the thread."""
        self._connect = connect
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="search-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Work) -> None:
        """Do the work in a transaction, perhaps twice.

        Raises: Unavailable.
        """
        if not self._open:
            raise Unavailable("Search is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._jobs.put((work, loop, future))
        await future

    async def close(self) -> None:
        """Do what waits, then end."""
        if self._open:
            self._open = False
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        connection: apsw.Connection | None = None
        while (jobs := self._next_group()) is not None:
            error: Exception | None = None
            try:
                connection = connection or self._connect()
                self._commit(connection, jobs)
            except apsw.Error as exc:
                error = exc
            if error is None or len(jobs) == 1 or connection is None:
                for job in jobs:
                    _settle(job, error)
                continue
            for job in jobs:
                _settle(job, self._try(connection, job))
        if connection is not None:
            connection.close()

    def _next_group(self) -> list[_Job] | None:
        job = self._jobs.get()
        if job is None:
            return None
        jobs = [job]
        while len(jobs) < _MOST_IN_GROUP:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)  # the end, once this group is done
                break
            jobs.append(job)
        return jobs

    def _try(self, connection: apsw.Connection, job: _Job) -> Exception | None:
        try:
            self._commit(connection, [job])
        except apsw.Error as exc:
            return exc
        return None

    def _commit(self, connection: apsw.Connection, jobs: list[_Job]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for work, _, _ in jobs:
                work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _settle(job: _Job, error: Exception | None) -> None:
    _, loop, future = job

    def tell() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            unavailable = Unavailable("Search cannot be written just now")
            unavailable.__cause__ = error
            future.set_exception(unavailable)

    if not loop.is_closed():
        loop.call_soon_threadsafe(tell)
