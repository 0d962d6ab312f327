"""The facts in a DuckDB file, shared by the processes of one machine.

Box: analytics.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from townsquare.analytics.duck_seat import IDLE_S, Manner, Seat, read
from townsquare.analytics.duck_wire import Adopt, Ask, Call, Copy, Cover, Erase, Expire, Put, Renew, packed
from townsquare.analytics.port import Coverage, Question, Row
from townsquare.model.errors import Unavailable
from townsquare.model.facts import Fact
from townsquare.model.findings import Finding, fine, wrong

_MOST_FACTS = 20_000  # in one call
_ANSWER_WITHIN_S = 30.0
_WORK_WITHIN_S = 3_600.0  # for what may write the file anew


class DuckAnalytics:
    """Analytics over one file. DuckDB is loaded at the first call, and its memory given back after some minutes."""

    def __init__(self, seat: Seat, *, place: int = 0) -> None:
        """Use `open`."""
        self._seat, self._place = seat, place

    @classmethod
    async def open(cls, path: Path, *, manner: Manner = "takes", idle_s: float = IDLE_S) -> "DuckAnalytics":
        """The facts at `path`; the file is made at the first call.

        Raises: Unavailable.
        """
        seat = Seat(path, manner=manner, idle_s=idle_s)
        try:
            seat.open()
        except OSError as exc:
            await seat.close()
            raise Unavailable("The folder of the facts cannot be used") from exc
        return cls(seat)

    async def put(self, facts: Sequence[Fact]) -> None:
        for start in range(0, len(facts), _MOST_FACTS):
            part = facts[start : start + _MOST_FACTS]
            await self._call(Put(self._place, len(part), packed(part)))

    async def ask(self, questions: Sequence[Question]) -> list[list[Row]]:
        if not questions:
            return []
        found: list[list[Row]] = read(await self._call(Ask(self._place, list(questions))), list[list[Row]])
        return found

    async def coverage(self) -> Coverage:
        found: Coverage = read(await self._call(Cover(self._place)), Coverage)
        return found

    async def erase(self, ids: Sequence[int]) -> None:
        await self._call(Erase(list(ids)), _WORK_WITHIN_S)

    async def expire(self, kinds: Sequence[str], before_ms: int) -> None:
        await self._call(Expire(list(kinds), before_ms), _WORK_WITHIN_S)

    async def renew(self, *, go_on: bool = False) -> "DuckAnalytics":
        return _Fresh(self._seat, place=read(await self._call(Renew(go_on)), int))

    async def adopt(self, kinds: Sequence[str], since_ms: int) -> None:
        await self._call(Adopt(self._place, list(kinds), since_ms), _WORK_WITHIN_S)

    async def backup(self, path: Path) -> bool:
        """Write the facts of this moment into another file; False where there are none yet. The owner may have no right
        to write there, so it makes a copy beside its own."""
        if not self._seat.begun:
            return False
        copy = Path(read(await self._call(Copy(), _WORK_WITHIN_S), str))
        await asyncio.to_thread(shutil.move, copy, path)
        return True

    async def examine(self) -> list[Finding]:
        """Whether the file can be read, and what is in it."""
        if not self._seat.begun:
            return [fine("facts", "none yet")]
        try:
            found = await self.coverage()
        except Unavailable as exc:
            return [wrong("facts", f"{exc}: see docs/operate/analytics.md")]
        return [fine("facts", f"{found.facts:,} facts in {found.bytes / 1e6:.1f} MB")]

    async def close(self) -> None:
        await self._seat.close()

    async def _call(self, call: Call, within_s: float = _ANSWER_WITHIN_S) -> Any:
        return await self._seat.call(call, within_s=within_s)


class _Fresh(DuckAnalytics):
    """What `renew` gives: it lives on the seat of the one that it was asked of."""

    async def close(self) -> None:
        """Nothing is held."""
