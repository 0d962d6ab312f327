"""The store in Apache Cassandra, for many machines: one Cassandra table for each of ours.

What is put carries our own time stamp: the caller's `at`, else this machine's time, never the same twice in a process.
Only the `slow_` calls ask for a consensus; that is stamped by the nodes' clocks, so all clocks must be kept together,
and each looks whether it can be seen. An ordinary write that is under way while a consensus is found may end below it:
`store/standing.py` is for those that must not.

Box: store. Source: docs/decisions/0002-the-waist.md.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Finding
from townsquare.store.cassandra_examine import examine
from townsquare.store.cassandra_schema import make_schema
from townsquare.store.cassandra_session import Session, read_url
from townsquare.store.cassandra_statements import Side
from townsquare.store.keys import encode
from townsquare.store.port import Cell, Key, Put, R, Stamped, Table, Write

T = TypeVar("T")

AT_ONCE = 128  # requests of one call
TRIES = 5  # at a row whose time is over, while others want it as well
AHEAD_S = 1.0  # a consensus waits for rows whose clock was ahead by so much
_ANEW_S = 0.02
_US = 1_000_000

log = logging.getLogger(__name__)


class CassandraStore:
    """Store, over LOCAL_QUORUM both ways. Use from one event loop."""

    def __init__(self, session: Session, sides: dict[str, Side[Any]], *, keyspace: str, clock: Clock) -> None:
        """See `open`."""
        self._session, self._sides, self._keyspace, self._clock = session, sides, keyspace, clock
        self._last_us = 0

    @classmethod
    async def open(cls, url: str, tables: Sequence[Table[Any]], *, clock: Clock) -> "CassandraStore":
        """Connect, and make the keyspace and the tables that are missing.

        `url`: cassandra://[USER:PASSWORD@]HOST[,HOST...][:PORT]/KEYSPACE[?dc=NAME].
        Raises: Unavailable; ValueError where the URL, the log-in or a table that is there is not right.
        """
        address = read_url(url)
        session = await Session.open(address)
        try:
            await make_schema(session, address.keyspace, tables)
        except BaseException:
            await session.close()
            raise
        sides: dict[str, Side[Any]] = {table.name: Side(table, address.keyspace) for table in tables}
        return cls(session, sides, keyspace=address.keyspace, clock=clock)

    def _now_us(self) -> int:
        return self._clock.now_ms() * 1000

    def _stamp(self) -> int:
        """Newer than all that this process wrote, and than what the nodes' clocks have stamped.

        Those stamp a consensus in microseconds of real time, so neither milliseconds nor a clock that was set would do.
        """
        self._last_us = max(time.time_ns() // 1000, self._last_us + 1)
        return self._last_us

    async def get(self, table: Table[R], key: Key) -> R | None:
        side: Side[R] = self._sides[table.name]
        found = side.alive(await self._session.read(side.get, side.cells(key)), self._now_us())
        return found[0] if found else None

    async def get_many(self, table: Table[R], keys: Sequence[Key]) -> list[R | None]:
        side: Side[R] = self._sides[table.name]
        partitions: dict[Key, dict[Key, None]] = {}
        for key in keys:
            partitions.setdefault(key[: side.width], {})[key] = None
        found: dict[Key, R] = {}
        for rows in await _side_by_side(self._rows_of(side, list(some)) for some in partitions.values()):
            found.update((table.key(row), row) for row in rows)
        return [found.get(key) for key in keys]

    async def _rows_of(self, side: Side[R], keys: list[Key]) -> list[R]:
        """Rows of one partition."""
        if len(keys) == 1:
            result = await self._session.read(side.get, side.cells(keys[0]))
        else:
            cells = [side.cells(key) for key in keys]
            rest = [each[side.width] if len(each) == side.width + 1 else tuple(each[side.width :]) for each in cells]
            result = await self._session.read(side.many, [*cells[0][: side.width], rest])
        return side.alive(result, self._now_us())

    async def range(
        self,
        table: Table[R],
        partition: Key,
        *,
        within: Key = (),
        above: Cell | None = None,
        below: Cell | None = None,
        limit: int,
        reverse: bool = False,
    ) -> list[R]:
        side: Side[R] = self._sides[table.name]
        bounds = tuple(bound for bound in (above, below) if bound is not None)
        for bound in bounds:
            encode((*partition, *within, bound))
        cells = [*side.cells((*partition, *within)), *bounds]
        cql = side.range(len(within), above is not None, below is not None, reverse)
        if side.ttl_us is None:
            return side.alive(await self._session.read(cql, [*cells, limit]), 0)
        return await self._paged(side, cql, cells, limit)

    async def _paged(self, side: Side[R], cql: str, cells: list[Cell], limit: int) -> list[R]:
        """Rows in pages, since some of them may be over by our clock and not yet by the nodes'."""
        rows: list[R] = []
        options: dict[str, Any] = {"page_size": limit}
        while True:
            result = await self._session.read(cql, cells, **options)
            rows += side.alive(result, self._now_us())
            if len(rows) >= limit or not result.has_more_pages():
                return rows[:limit]
            options["page_state"] = result.page_state()

    async def range_many(self, table: Table[R], partitions: Sequence[Key], *, limit: int) -> list[list[R]]:
        return await _side_by_side(self.range(table, partition, limit=limit) for partition in partitions)

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        stamp = self._stamp() if at is None else at
        wrote_us = self._now_us() if at is None else at
        # All of them are looked at before one is sent.
        for mutations in [self._mutations(step, wrote_us) for step in steps]:
            await _side_by_side(self._session.write(mutation, at=stamp) for mutation in mutations)

    def _mutations(self, step: Sequence[Write], wrote_us: int) -> list[list[tuple[str, list[Any]]]]:
        """The statements of a step with their cells, those of one partition together."""
        partitions: dict[bytes, list[tuple[str, list[Any]]]] = {}
        for write in step:
            side = self._sides[write.table.name]
            key = write.table.key(write.row) if isinstance(write, Put) else write.key
            if not isinstance(write, Put):
                statement = side.delete, side.cells(key)
            elif side.ttl_us is None:
                statement = side.put, side.row_cells(write.row, 0)
            else:
                until_us = wrote_us + side.ttl_us
                if (ttl_s := self._ttl_s(until_us)) <= 0:
                    continue  # it comes when its time is over
                statement = side.put, [*side.row_cells(write.row, until_us), ttl_s]
            partitions.setdefault(encode(key[: side.width]), []).append(statement)
        return list(partitions.values())

    def _ttl_s(self, until_us: int) -> int:
        """How long a node keeps a row: a second longer than we show it, as it counts in whole ones."""
        left_us = until_us - self._now_us()
        return 0 if left_us <= 0 else left_us // _US + 2

    def _ending(self, side: Side[Any]) -> tuple[list[int], list[int]]:
        """`x` and the TTL of a row that is written now; nothing for rows that stay."""
        if side.ttl_us is None:
            return [], []
        until_us = self._now_us() + side.ttl_us
        return [until_us], [self._ttl_s(until_us)]

    async def slow_put_if_absent(self, table: Table[R], row: R) -> R | None:
        side: Side[R] = self._sides[table.name]
        key = side.cells(table.key(row))
        for _ in range(TRIES):
            until, ttl = self._ending(side)
            cells = [*key, side.codec.pack(row), *until, *ttl]
            applied, *there = await self._agree(side, side.put_if_absent, cells, key, before=None)
            if applied:
                return None
            value, *ended = there[len(key) :]
            if not ended or ended[0] > self._now_us():
                return side.codec.unpack(value)
            # A node would still show it, but its time is over.
            if (await self._swap(side, side.revive, key, value, row))[0]:
                return None
        raise Unavailable(f"Too many want one row of {table.name}")

    async def slow_compare_and_set(self, table: Table[R], old: R, new: R) -> bool:
        side: Side[R] = self._sides[table.name]
        key, expected = side.cells(table.key(old)), side.codec.pack(old)
        applied, *there = await self._swap(side, side.swap, key, expected, new)
        if applied or not there or there[0] in (None, expected):
            return bool(applied)
        # The row that is there may have been written by another version, in other bytes.
        if side.codec.unpack(there[0]) != old:
            return False
        return bool((await self._swap(side, side.swap, key, there[0], new))[0])

    async def _swap(self, side: Side[R], cql: str, key: list[Cell], expected: bytes, new: R) -> tuple[Any, ...]:
        until, ttl = self._ending(side)
        now = [] if side.ttl_us is None else [self._now_us()]
        value = side.codec.pack(new)
        cells = [*ttl, value, *until, *key, expected, *now]
        if value == expected:
            return await self._session.agree(cql, cells)
        return await self._agree(side, cql, cells, key, before=expected)

    async def _agree(
        self, side: Side[R], cql: str, cells: list[Any], key: list[Cell], *, before: bytes | None
    ) -> tuple[Any, ...]:
        """Ask for a consensus until it can be seen. `before`: the bytes that it changes.

        It carries the time of a node, and what was written from a clock ahead of that one's hides it. Then the row is
        as it was, for everybody, so that it is asked for anew until its time has come.
        """
        give_up_s = time.monotonic() + AHEAD_S
        while True:
            answer = await self._session.agree(cql, cells)
            if not answer[0]:
                return answer
            row = (await self._session.read(side.get, key)).first()
            if (None if row is None else row[0]) != before:
                return answer
            if time.monotonic() > give_up_s:
                log.warning("a row of %s is from a clock that is ahead: see `townsquare doctor`", side.table.name)
                raise Unavailable(f"A row of {side.table.name} was written by a clock that is ahead")
            await asyncio.sleep(_ANEW_S)

    async def drop(self, table: Table[Any], partition: Key) -> None:
        side = self._sides[table.name]
        await self._session.write([(side.drop, side.cells(partition))], at=self._stamp())

    async def scan(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[R], bytes]:
        side: Side[R] = self._sides[table.name]
        options: dict[str, Any] = {"page_state": after} if after else {}
        result = await self._session.read(side.scan, [], page_size=limit, **options)
        return side.alive(result, self._now_us()), result.page_state() if result.has_more_pages() else b""

    async def scan_stamped(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[Stamped[R]], bytes]:
        side: Side[R] = self._sides[table.name]
        options: dict[str, Any] = {"page_state": after} if after else {}
        result = await self._session.read(side.scan_stamped, [], page_size=limit, **options)
        return side.stamped(result, self._now_us()), result.page_state() if result.has_more_pages() else b""

    async def examine(self) -> list[Finding]:
        """For `townsquare doctor`. Raises: Unavailable."""
        return await examine(self._session, self._keyspace)

    async def close(self) -> None:
        await self._session.close()


async def _side_by_side(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All answers in their order, at most `AT_ONCE` calls under way; the first error when all that began have ended."""
    answers: list[T] = []
    waiting = iter(calls)
    while some := list(islice(waiting, AT_ONCE)):
        if len(some) == 1:
            answers.append(await some[0])
            continue
        for answer in await asyncio.gather(*some, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            answers.append(answer)
    return answers
