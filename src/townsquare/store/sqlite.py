"""The store in one SQLite file, for one machine: several processes may have it open.

Each of our tables is one of SQLite's: `k`, the key as bytes that sort like it; `v`, the row, NULL where it was deleted;
`ts`, its write time in Unix microseconds. Reads are done where they are asked for, as handing one to a thread costs
more than doing it; writes go through one thread.

Box: store. Source: https://sqlite.org/wal.html
"""

import asyncio
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Generic

import apsw

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.store.keys import encode, span
from townsquare.store.port import Cell, Key, Put, R, Stamped, Table, Write
from townsquare.store.rows import TOMBSTONE_KEPT_US, Codec
from townsquare.store.sqlite_turn import Turn
from townsquare.store.sqlite_writer import BUSY_S, Cells, Transaction, Upsert, Writer

OLDEST_SQLITE = (3, 51, 3)  # those before can corrupt a file in WAL mode
SWEEP_ROWS = 500  # a table and transaction
_KEYS_A_STATEMENT = 64
# What SQLite keeps of the file for each connection, beyond the kernel's page cache. What is read often is kept as
# objects by those who read, so the reader needs less.
_READER_KIB, _WRITER_KIB = 16_000, 32_000
_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*")


class _Side(Generic[R]):
    """One table as this engine needs it: its codec and its statements."""

    def __init__(self, table: Table[R]) -> None:
        if not _TABLE_NAME.fullmatch(table.name):
            raise ValueError(f"{table.name!r} cannot be a table's name")
        self.codec = Codec(table)
        self.newest = Upsert(table.name, newest=True)
        self.later = Upsert(table.name, newest=False)
        name, alive = f'"{table.name}"', "ts > ?1"
        self.get = f"SELECT v FROM {name} WHERE k = ?2 AND {alive}"
        self.many = {n: f"SELECT k, v FROM {name} WHERE k IN ({_marks(n)}) AND {alive}" for n in _powers()}
        between = f"SELECT v FROM {name} WHERE k >= ?2 AND k < ?3 AND v IS NOT NULL AND {alive} ORDER BY k"
        self.up, self.down = f"{between} LIMIT ?4", f"{between} DESC LIMIT ?4"
        self.scan = f"SELECT k, v FROM {name} WHERE k > ?2 AND v IS NOT NULL AND {alive} ORDER BY k LIMIT ?3"
        self.stamped = f"SELECT k, v, ts FROM {name} WHERE k > ?2 AND {alive} ORDER BY k LIMIT ?3"
        self.remove = f"DELETE FROM {name} WHERE k = ?"
        self.drop = f"UPDATE {name} SET v = NULL, ts = max(ts + 1, ?) WHERE k >= ? AND k < ? AND v IS NOT NULL"
        self.dead = f"SELECT count(*) FROM {name} WHERE k >= ? AND k < ? AND v IS NULL"
        gone = f"DELETE FROM {name} WHERE k IN (SELECT k FROM {name} WHERE {{}} LIMIT {SWEEP_ROWS})"
        self.sweep_dead, self.sweep_old = gone.format("v IS NULL AND ts <= ?"), gone.format("ts <= ?")

    def schema(self) -> list[str]:
        """The statements that make the table; none of them changes one that is there."""
        name = self.codec.table.name
        table = f'CREATE TABLE IF NOT EXISTS "{name}" (k BLOB PRIMARY KEY, ts INTEGER NOT NULL, v BLOB) WITHOUT ROWID'
        dead = f'CREATE INDEX IF NOT EXISTS "{name}_dead" ON "{name}" (ts) WHERE v IS NULL'
        old = f'CREATE INDEX IF NOT EXISTS "{name}_old" ON "{name}" (ts)'
        return [table, dead] if self.codec.ttl_us is None else [table, dead, old]


def _powers() -> list[int]:
    return [1 << n for n in range(_KEYS_A_STATEMENT.bit_length())]


def _marks(count: int) -> str:
    return ", ".join(f"?{n + 2}" for n in range(count))


def _connect(path: str, *, kib: int, relaxed: bool = False) -> apsw.Connection:
    connection = apsw.Connection(path, statementcachesize=1000)
    connection.set_busy_handler(_Patience())
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {'NORMAL' if relaxed else 'FULL'}",
        "wal_autocheckpoint = 0",
        "journal_size_limit = 67108864",
        f"cache_size = -{kib}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def _make_private(path: Path) -> None:
    """Make the file where it is missing, for our eyes only; SQLite gives its log the same rights."""
    # One that is there is not opened: closing it again would end the locks that SQLite has on it in this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


class _Patience:
    """Waits for another process's transaction: SQLite's own way sleeps up to 100 ms where 1 is enough."""

    def __init__(self) -> None:
        self._until = 0.0

    def __call__(self, tries: int) -> bool:
        if tries == 0:
            self._until = time.monotonic() + BUSY_S
        time.sleep(min(0.0002 * (tries + 1), 0.002))
        return time.monotonic() < self._until


class SqliteStore:
    """Store, one SQLite table for each of ours. Use from one event loop."""

    def __init__(self, path: Path, tables: Sequence[Table[Any]], *, clock: Clock, relaxed: bool) -> None:
        """Blocks while it opens the file: see `open`."""
        version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
        if version < OLDEST_SQLITE:
            raise RuntimeError(f"SQLite is {apsw.sqlite_lib_version()}; 3.51.3 or newer is needed. Update apsw.")
        self._path, self._clock = path, clock
        self._sides = {table.name: _Side(table) for table in tables}
        try:
            _make_private(path)
            self._reader = _connect(str(path), kib=_READER_KIB)
            self._cursor = self._reader.cursor()  # always read to the end at once, so one is enough
            self._create()
            turn = Turn(path.with_name(path.name + "-turn"))
        except (apsw.Error, OSError) as exc:
            raise Unavailable(f"{path} cannot be opened: {exc}") from exc
        self._writer = Writer(partial(_connect, str(path), kib=_WRITER_KIB, relaxed=relaxed), turn, self._sweep)

    @classmethod
    async def open(
        cls, path: Path | str, tables: Sequence[Table[Any]], *, clock: Clock, relaxed: bool = False
    ) -> "SqliteStore":
        """Open the file, made with its folder where it is missing, and make the tables that it lacks.

        `relaxed`: a power cut may lose the last writes; nothing else may.
        Raises: Unavailable; RuntimeError if SQLite is too old to be trusted.
        """

        def work() -> "SqliteStore":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            return cls(Path(path), tables, clock=clock, relaxed=relaxed)

        return await asyncio.to_thread(work)

    def _create(self) -> None:
        there = {name for (name,) in self._reader.execute("SELECT name FROM sqlite_schema")}
        if there.issuperset(f"{name}_dead" for name in self._sides):
            return
        self._reader.execute("BEGIN IMMEDIATE")
        for side in self._sides.values():
            for statement in side.schema():
                self._reader.execute(statement)
        self._reader.execute("COMMIT")

    def _now_us(self) -> int:
        return self._clock.now_ms() * 1000

    def _read(self, sql: str, cells: tuple[Any, ...]) -> list[Any]:
        try:
            return self._reader.execute(sql, cells).fetchall()
        except apsw.Error as exc:
            raise Unavailable("The store cannot be read just now") from exc

    def _value(self, sql: str, cells: tuple[Any, ...]) -> Any:
        """The only column of the rows found: None for no row, the value of one row, a list of several."""
        try:
            return self._cursor.execute(sql, cells).get
        except apsw.Error as exc:
            raise Unavailable("The store cannot be read just now") from exc

    async def get(self, table: Table[R], key: Key) -> R | None:
        side: _Side[R] = self._sides[table.name]
        value = self._value(side.get, (side.codec.oldest_us(self._now_us()), encode(key)))
        return None if value is None else side.codec.unpack(value)

    async def get_many(self, table: Table[R], keys: Sequence[Key]) -> list[R | None]:
        side: _Side[R] = self._sides[table.name]
        wanted = [encode(key) for key in keys]
        oldest, values = side.codec.oldest_us(self._now_us()), dict[bytes, bytes | None]()
        for start in range(0, len(wanted), _KEYS_A_STATEMENT):
            part = wanted[start : start + _KEYS_A_STATEMENT]
            size = 1 << (len(part) - 1).bit_length()
            part += part[-1:] * (size - len(part))
            values.update(self._read(side.many[size], (oldest, *part)))
        unpack = side.codec.unpack
        return [None if (value := values.get(key)) is None else unpack(value) for key in wanted]

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
        return self._range(table, span(partition, within, above, below), limit=limit, reverse=reverse)

    def _range(self, table: Table[R], bounds: tuple[bytes, bytes], *, limit: int, reverse: bool) -> list[R]:
        side: _Side[R] = self._sides[table.name]
        sql = side.down if table.newest_first != reverse else side.up
        unpack = side.codec.unpack
        found = self._value(sql, (side.codec.oldest_us(self._now_us()), *bounds, limit))
        if found is None:
            return []
        return [unpack(value) for value in found] if isinstance(found, list) else [unpack(found)]

    async def range_many(self, table: Table[R], partitions: Sequence[Key], *, limit: int) -> list[list[R]]:
        return [self._range(table, span(one), limit=limit, reverse=False) for one in partitions]

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        ts = self._now_us() if at is None else at
        rows = [self._cells(one, ts, newest=at is None) for step in steps for one in step]
        if rows:
            await self._writer.submit(partial(_put_all, rows))

    def _cells(self, write: Write, ts: int, *, newest: bool) -> tuple[Upsert | str, Cells]:
        """What writes a row, with its cells: a statement by itself where the row is removed for good."""
        side = self._sides[write.table.name]
        upsert = side.newest if newest else side.later
        if isinstance(write, Put):
            return upsert, (side.codec.key(write.row), side.codec.pack(write.row), ts)
        return side.remove if write.table.written_once else upsert, (encode(write.key), None, ts)

    async def slow_put_if_absent(self, table: Table[R], row: R) -> R | None:
        side: _Side[R] = self._sides[table.name]
        key, value, now = side.codec.key(row), side.codec.pack(row), self._now_us()
        question = (side.codec.oldest_us(now), key)

        def work(transaction: Transaction) -> bytes | None:
            found = transaction.execute(side.get, question)
            if found is not None and found[0] is not None:
                return bytes(found[0])
            transaction.put(side.newest, (key, value, now))
            return None

        there = await self._writer.submit(work)
        return None if there is None else side.codec.unpack(there)

    async def slow_compare_and_set(self, table: Table[R], old: R, new: R) -> bool:
        side: _Side[R] = self._sides[table.name]
        key, value, now = side.codec.key(old), side.codec.pack(new), self._now_us()
        unpack = Codec(table).unpack  # for the other thread
        question = (side.codec.oldest_us(now), key)

        def work(transaction: Transaction) -> bool:
            found = transaction.execute(side.get, question)
            if found is None or found[0] is None or unpack(found[0]) != old:
                return False
            transaction.put(side.newest, (key, value, now))
            return True

        return await self._writer.submit(work)

    async def drop(self, table: Table[Any], partition: Key) -> None:
        sql, cells = self._sides[table.name].drop, (self._now_us(), *span(partition))
        await self._writer.submit(lambda transaction: transaction.execute(sql, cells))

    async def scan(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[R], bytes]:
        side: _Side[R] = self._sides[table.name]
        found = self._read(side.scan, (side.codec.oldest_us(self._now_us()), after, limit))
        return [side.codec.unpack(value) for _, value in found], found[-1][0] if len(found) == limit else b""

    async def scan_stamped(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[Stamped[R]], bytes]:
        side: _Side[R] = self._sides[table.name]
        found = self._read(side.stamped, (side.codec.oldest_us(self._now_us()), after, limit))
        return [side.codec.stamped(*row) for row in found], found[-1][0] if len(found) == limit else b""

    def _sweep(self, transaction: Transaction) -> int:
        now, swept = self._now_us(), 0
        for side in self._sides.values():
            transaction.execute(side.sweep_dead, (now - TOMBSTONE_KEPT_US,))
            swept += transaction.changes()
            if side.codec.ttl_us is not None:
                transaction.execute(side.sweep_old, (side.codec.oldest_us(now),))
                swept += transaction.changes()
        return swept

    async def sweep(self) -> int:
        """Remove some rows past their time to live and old tombstones, as the writer does by itself; how many."""
        return await self._writer.submit(self._sweep)

    async def backup(self, path: Path | str) -> None:
        """Copy the file as it is at one moment to `path`, replacing what is there, while others read and write.

        Raises: Unavailable.
        """
        await asyncio.to_thread(self._backup, Path(path))

    def _backup(self, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        try:
            part.unlink(missing_ok=True)
            _make_private(part)
            source, target = (
                apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY),
                apsw.Connection(str(part)),
            )
            with target.backup("main", source, "main") as copy:
                copy.step()  # all pages in one read transaction: what is written meanwhile stays out
            source.close()
            target.close()
            os.replace(part, path)
        except (apsw.Error, OSError) as exc:
            raise Unavailable(f"No copy could be written to {path}: {exc}") from exc

    def count_dead(self, table: Table[Any], low: bytes, high: bytes) -> int:
        """Tombstones between two keys (first included, second not), for the strict store."""
        return int(self._read(self._sides[table.name].dead, (low, high))[0][0])

    async def close(self) -> None:
        await self._writer.close()
        self._reader.close()


def _put_all(rows: list[tuple[Upsert | str, Cells]], transaction: Transaction) -> None:
    for how, cells in rows:
        if isinstance(how, str):
            transaction.execute(how, cells[:1])
        else:
            transaction.put(how, cells)
