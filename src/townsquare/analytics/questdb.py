"""Facts in QuestDB, over HTTP: in by the line protocol, asked in SQL.

A place has a table for each class of retention, deduplicated by time and id. What is written lands in a table's log at
once and in the table a moment later; a question waits for that moment.

Box: analytics. Source: QuestDB, https://questdb.com/docs/. URL: `questdb://[user:password@]host[:9000][?prefix=name]`.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from townsquare.analytics import questdb_sql as sql
from townsquare.analytics.places import classes, finished, in_current, kept_apart, parts, together
from townsquare.analytics.port import Coverage, Question, Row
from townsquare.model.errors import Unavailable
from townsquare.model.facts import Fact
from townsquare.model.findings import Finding, fine, wrong
from townsquare.wire.rest import Refused, Rest, RestAddress

_PORT = 9000
_FACTS_AT_ONCE = 5_000
_IDS_AT_ONCE = 500
_APPLIED_WITHIN_S = 30.0
_LOOK_S = (0.002, 0.05)
_TRIES = 3
_UNSEEN = 1 << 62


class _Found(msgspec.Struct):
    """The answer to a SELECT; the answer to an UPDATE has no rows."""

    dataset: list[list[Any]] = []


class QuestdbAnalytics:
    """Made by `open`. `place`: of what `renew` gave, over the same connections; None follows the current one."""

    def __init__(self, rest: Rest, *, place: int | None = None) -> None:
        self._rest, self._prefix = rest, rest.address.prefix
        self._place, self._is_guest = place, place is not None

    @classmethod
    async def open(cls, url: str) -> "QuestdbAnalytics":
        """Raises: ValueError for a URL that cannot be meant; Unavailable."""
        engine = cls(Rest(RestAddress.of(url, scheme="questdb", port=_PORT), name="QuestDB"))
        try:
            await engine._run(f"CREATE TABLE IF NOT EXISTS {engine._prefix}_places (ts TIMESTAMP, place LONG)")
            if not await engine._current():
                await engine._make_current(1)
            await engine._make(await engine._current())
        except BaseException:
            await engine.close()
            raise
        return engine

    async def put(self, facts: Sequence[Fact]) -> None:
        async def write(place: int) -> None:
            for start in range(0, len(facts), _FACTS_AT_ONCE):
                body = sql.lines(self._table(place, ""), facts[start : start + _FACTS_AT_ONCE])
                await self._rest.good("POST", "/write?precision=ms", body, kind="text/plain")

        if facts:
            await in_current(self._current, write)

    async def ask(self, questions: Sequence[Question]) -> list[list[Row]]:
        for left in reversed(range(_TRIES)):
            place = await self._current()
            try:
                await self._applied(place)
                async with asyncio.TaskGroup() as group:
                    asked = [group.create_task(self._answer(place, question)) for question in questions]
                return [each.result() for each in asked]
            except* Refused as refused:
                if not left or await self._current() == place:  # else another place has become the current one
                    raise refused.exceptions[0] from refused
            except* Unavailable as away:
                raise away.exceptions[0] from away
        raise AssertionError("unreachable")

    async def coverage(self) -> Coverage:
        place = await self._current()
        await self._applied(place)
        first, last, facts = _UNSEEN, 0, 0
        for name in classes():
            table = self._table(place, name)
            [[least, greatest, count]] = await self._run(
                f"SELECT min(cast(ts AS LONG)), max(cast(ts AS LONG)), count() FROM {table} WHERE kind IS NOT NULL"
            )
            if count:
                first, last, facts = min(first, least // 1_000), max(last, greatest // 1_000), facts + count
        tables = ", ".join(f"'{self._table(place, name)}'" for name in classes())
        [[size]] = await self._run(f"SELECT sum(diskSize) FROM table_storage() WHERE tableName IN ({tables})")
        return Coverage(first_ms=first if facts else 0, last_ms=last, facts=facts, bytes=size or 0)

    async def erase(self, ids: Sequence[int]) -> None:
        wanted = sorted(set(ids) - {0})

        async def write(_place: int) -> None:
            for table in await self._tables():  # those of a place that is being filled as well
                for start in range(0, len(wanted), _IDS_AT_ONCE):
                    await self._run(sql.forget(table, wanted[start : start + _IDS_AT_ONCE]))

        if wanted:
            await in_current(self._current, write)

    async def expire(self, kinds: Sequence[str], before_ms: int) -> None:
        async def write(place: int) -> None:
            for name in classes():
                mine, whole = kept_apart(kinds, name)
                table = self._table(place, name)
                if whole:
                    await self._run(sql.drop_partitions(table, name, before_ms))
                elif mine:
                    await self._run(sql.outdate(table, mine, before_ms))

        await in_current(self._current, write)

    async def renew(self, *, go_on: bool = False) -> "QuestdbAnalytics":
        current = await self._current()
        tables = await self._tables()
        newest = max([current, *map(self._place_of, tables)])
        if newest > current and go_on:
            return QuestdbAnalytics(self._rest, place=newest)
        for table in tables:
            if self._place_of(table) != current:
                await self._run(f"DROP TABLE IF EXISTS {table}")
        fresh = QuestdbAnalytics(self._rest, place=newest + 1)
        await fresh._make(newest + 1)
        return fresh

    async def adopt(self, kinds: Sequence[str], since_ms: int) -> None:
        new = self._place
        assert new is not None, "adopt comes after renew"
        self._place = None
        old = await self._current()
        await self._applied(old)
        for name in classes():
            await self._run(sql.take_over(self._table(new, name), self._table(old, name), kinds, since_ms))
        await self._applied(new)
        await self._make_current(new)
        for table in await self._tables(old):
            await self._run(f"DROP TABLE IF EXISTS {table}")

    async def close(self) -> None:
        if not self._is_guest:
            await self._rest.close()

    async def examine(self) -> list[Finding]:
        """Version, and whether tables stand still. Raises: Unavailable."""
        [[version]] = await self._run("SELECT build()")
        stuck = [name for name, is_stuck, _, _ in await self._logs() if is_stuck]
        found = [fine("questdb", str(version))]
        if stuck:
            resume = "; ".join(f"ALTER TABLE {name} RESUME WAL" for name in stuck)
            return [*found, wrong("questdb tables", f"{', '.join(stuck)} take nothing more in: {resume}")]
        return [*found, fine("questdb tables", "all take in what is written")]

    # names

    def _table(self, place: int, name: str) -> str:
        return f"{self._prefix}_{place}_{name}"

    def _place_of(self, table: str) -> int:
        return int(table.removeprefix(self._prefix + "_").partition("_")[0])

    async def _tables(self, *places: int) -> list[str]:
        """Those of these places, or of all, whatever classes they were made for."""
        found = []
        for (table,) in await self._run("SELECT table_name FROM tables()"):
            place = table.removeprefix(self._prefix + "_").partition("_")[0]
            if table.startswith(self._prefix + "_") and place.isdecimal() and (not places or int(place) in places):
                found.append(table)
        return sorted(found)

    # requests

    async def _run(self, text: str) -> list[list[Any]]:
        body = await self._rest.good("GET", "/exec?query=" + quote(text, safe="(),'"))
        return msgspec.json.decode(body, type=_Found).dataset

    async def _current(self) -> int:
        if self._place is not None:
            return self._place
        [[place]] = await self._run(f"SELECT max(place) FROM {self._prefix}_places")
        return place or 0

    async def _make_current(self, place: int) -> None:
        await self._run(f"INSERT INTO {self._prefix}_places VALUES (now(), {place})")

    async def _make(self, place: int) -> None:
        for name in classes():
            await self._run(sql.make(self._table(place, name), name))

    async def _logs(self) -> list[tuple[str, bool, int, int]]:
        """Our tables: the name, whether it stands still, how far it is, how far its log is."""
        rows = await self._run("SELECT name, suspended, writerTxn, sequencerTxn FROM wal_tables()")
        return [(name, stuck, done, told) for name, stuck, done, told in rows if name.startswith(self._prefix + "_")]

    async def _applied(self, place: int) -> None:
        """Wait until the tables hold what their logs now hold. Raises: Unavailable."""
        start = self._table(place, "")
        wanted: dict[str, int] | None = None
        try:
            async with asyncio.timeout(_APPLIED_WITHIN_S):
                for pause_s in _pauses():
                    logs = [each for each in await self._logs() if each[0].startswith(start)]
                    wanted = wanted or {name: told for name, _, _, told in logs}
                    if any(stuck for _, stuck, _, _ in logs):
                        raise Unavailable("A table of QuestDB takes nothing more in: see townsquare doctor")
                    if all(done >= wanted.get(name, 0) for name, _, done, _ in logs):
                        return
                    await asyncio.sleep(pause_s)
        except TimeoutError as exc:
            raise Unavailable("QuestDB is behind with what was written") from exc

    async def _answer(self, place: int, question: Question) -> list[Row]:
        some = list(parts(question))
        if len(some) == 1:
            return [Row(*row) for row in await self._rows(place, some[0])]
        rows = []
        for part in some:
            rows += await self._rows(place, msgspec.structs.replace(part, spread=False, limit=_UNSEEN))
        return finished(question, together(question, rows))

    async def _rows(self, place: int, question: Question) -> list[tuple[int, tuple[int | str, ...], int]]:
        found = await self._run(sql.ask(self._table(place, ""), question))
        if question.step_s:
            return [(at, tuple(by), n) for at, *by, n in found]
        return [(0, tuple(by), n) for *by, n in found]


def _pauses() -> Iterator[float]:
    pause_s, longest_s = _LOOK_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)
