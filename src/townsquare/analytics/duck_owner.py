"""The one who has the file of facts open: does what is asked, one after the other, in a thread.

Box: analytics.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from townsquare.analytics.duck_file import FactsFile
from townsquare.analytics.duck_wire import Adopt, Ask, Call, Copy, Cover, Erase, Expire, LinkLost, Put, Renew, unpacked
from townsquare.model.errors import Invalid, TownsquareError

_JOINED = 50_000  # facts in one transaction


class _Waiting:
    """A put that waits for its transaction."""

    def __init__(self, call: Put) -> None:
        self.call = call
        self.done = False
        self.fault: TownsquareError | None = None


class Owner:
    """Answers calls. `rested`: called when nothing was asked for `idle_s`, after the file was let go."""

    def __init__(self, path: Path, *, idle_s: float, rested: Callable[[], None]) -> None:
        self._file, self._idle_s, self._rested = FactsFile(path), idle_s, rested
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="facts")
        self._loop = asyncio.get_running_loop()
        self._waiting = deque[_Waiting]()
        self._timer: asyncio.TimerHandle | None = None
        self._busy, self._closed = 0, False

    async def answer(self, call: Call) -> Any:
        """Do it.

        Raises: LinkLost when closed; Unavailable, Invalid.
        """
        if self._closed:
            raise LinkLost
        if self._timer is not None:
            self._timer.cancel()
        self._busy += 1
        try:
            if isinstance(call, Put):
                waiting = _Waiting(call)
                self._waiting.append(waiting)
                return await self._run(lambda: self._put(waiting))
            return await self._run(lambda: _do(self._file, call))
        finally:
            self._busy -= 1
            if not self._busy and not self._closed:
                self._timer = self._loop.call_later(self._idle_s, self._rest)

    async def _run(self, work: Callable[[], Any]) -> Any:
        # Shielded: whoever asked may leave, and the thread goes on.
        return await asyncio.shield(self._loop.run_in_executor(self._thread, work))

    def _put(self, mine: _Waiting) -> None:
        """In the thread: put what waits in one transaction, unless one before has taken `mine` along."""
        if not mine.done:
            self._commit(self._next_group())
        if mine.fault is not None:
            raise mine.fault

    def _next_group(self) -> list[_Waiting]:
        """The first ones that wait, all for one place."""
        group = [self._waiting.popleft()]
        size = group[0].call.count
        while self._waiting and self._waiting[0].call.place == group[0].call.place:
            size += self._waiting[0].call.count
            if size > _JOINED:
                break
            group.append(self._waiting.popleft())
        return group

    def _commit(self, group: list[_Waiting]) -> None:
        rows = list(chain.from_iterable(unpacked(waiting.call.facts) for waiting in group))
        try:
            self._file.put(group[0].call.place, rows)
        except Invalid as exc:
            if len(group) > 1:  # one of them spoils it for all
                for waiting in group:
                    self._commit([waiting])
                return
            group[0].fault = exc
        except TownsquareError as exc:
            for waiting in group:
                waiting.fault = exc
        for waiting in group:
            waiting.done = True

    def _rest(self) -> None:
        self._thread.submit(self._file.close)
        self._rested()

    async def close(self) -> None:
        """Finish what was begun, then let go of the file."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self._run(self._file.close)
        self._thread.shutdown(wait=False)


def _do(file: FactsFile, call: Call) -> Any:
    match call:
        case Ask(place, questions):
            return file.ask(place, questions)
        case Cover(place):
            return file.coverage(place)
        case Erase(ids):
            return file.erase(ids)
        case Expire(kinds, before_ms):
            return file.expire(kinds, before_ms)
        case Renew(go_on):
            return file.renew(go_on=go_on)
        case Adopt(place, kinds, since_ms):
            return file.adopt(place, kinds, since_ms)
        case Copy():
            return str(file.copy())
        case Put():
            raise AssertionError("puts are joined")
