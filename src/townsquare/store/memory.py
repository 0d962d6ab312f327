"""The store in this process's memory: for tests and for trying things out. Nothing is kept.

Box: store.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from townsquare.kit.clock import Clock
from townsquare.store.keys import encode, span
from townsquare.store.port import Cell, Key, Put, R, Stamped, Table, Write
from townsquare.store.rows import TOMBSTONE_KEPT_US, Codec, codecs

SWEEP_EVERY = 10_000  # writes


class _Kept(NamedTuple):
    value: bytes | None  # None: deleted
    ts: int


class _Rows:
    """One table: rows by key, and the keys in order."""

    def __init__(self) -> None:
        self.by_key: dict[bytes, _Kept] = {}
        self.order: list[bytes] = []

    def put(self, key: bytes, value: bytes | None, ts: int, *, newest: bool) -> None:
        old = self.by_key.get(key)
        if old is None:
            insort(self.order, key)
        elif newest:
            ts = max(ts, old.ts + 1)
        elif ts < old.ts:
            return
        self.by_key[key] = _Kept(value, ts)

    def between(self, low: bytes, high: bytes, *, down: bool = False) -> Iterator[bytes]:
        places = range(bisect_left(self.order, low), bisect_left(self.order, high))
        return (self.order[place] for place in (reversed(places) if down else places))

    def forget(self, gone: set[bytes]) -> None:
        for key in gone:
            del self.by_key[key]
        self.order = [key for key in self.order if key not in gone]


class MemoryStore:
    """Store, a dict and a sorted list for each table."""

    def __init__(self, tables: Sequence[Table[Any]], *, clock: Clock) -> None:
        self._clock = clock
        self._codecs = codecs(tables)
        self._rows = {name: _Rows() for name in self._codecs}
        self._writes = 0

    def _now_us(self) -> int:
        return self._clock.now_ms() * 1000

    def _value(self, codec: Codec[R], key: bytes) -> bytes | None:
        kept = self._rows[codec.table.name].by_key.get(key)
        return kept.value if kept is not None and kept.ts > codec.oldest_us(self._now_us()) else None

    def _one(self, codec: Codec[R], key: bytes) -> R | None:
        value = self._value(codec, key)
        return None if value is None else codec.unpack(value)

    async def get(self, table: Table[R], key: Key) -> R | None:
        return self._one(self._codecs[table.name], encode(key))

    async def get_many(self, table: Table[R], keys: Sequence[Key]) -> list[R | None]:
        codec = self._codecs[table.name]
        return [self._one(codec, encode(key)) for key in keys]

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
        return self._range(table, *span(partition, within, above, below), limit=limit, reverse=reverse)

    def _range(self, table: Table[R], low: bytes, high: bytes, *, limit: int, reverse: bool) -> list[R]:
        codec: Codec[R] = self._codecs[table.name]
        rows: list[R] = []
        for key in self._rows[table.name].between(low, high, down=table.newest_first != reverse):
            if (row := self._one(codec, key)) is not None:
                rows.append(row)
                if len(rows) == limit:
                    break
        return rows

    async def range_many(self, table: Table[R], partitions: Sequence[Key], *, limit: int) -> list[list[R]]:
        return [self._range(table, *span(one), limit=limit, reverse=False) for one in partitions]

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        ts = self._now_us() if at is None else at
        # Everything is turned into bytes first, so that a bad row leaves nothing half done.
        cells = [(one.table.name, *self._cells(one)) for step in steps for one in step]
        for name, key, value in cells:
            self._rows[name].put(key, value, ts, newest=at is None)
        self._writes += len(cells)
        if self._writes >= SWEEP_EVERY:
            await self.sweep()

    def _cells(self, write: Write) -> tuple[bytes, bytes | None]:
        if isinstance(write, Put):
            codec = self._codecs[write.table.name]
            return codec.key(write.row), codec.pack(write.row)
        return encode(write.key), None

    async def slow_put_if_absent(self, table: Table[R], row: R) -> R | None:
        codec: Codec[R] = self._codecs[table.name]
        key = codec.key(row)
        there = self._one(codec, key)
        if there is None:
            self._rows[table.name].put(key, codec.pack(row), self._now_us(), newest=True)
        return there

    async def slow_compare_and_set(self, table: Table[R], old: R, new: R) -> bool:
        codec: Codec[R] = self._codecs[table.name]
        key = codec.key(old)
        if self._one(codec, key) != old:
            return False
        self._rows[table.name].put(key, codec.pack(new), self._now_us(), newest=True)
        return True

    async def drop(self, table: Table[Any], partition: Key) -> None:
        rows = self._rows[table.name]
        for key in rows.between(*span(partition)):
            rows.put(key, None, self._now_us(), newest=True)

    async def scan(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[R], bytes]:
        codec: Codec[R] = self._codecs[table.name]
        order = self._rows[table.name].order
        found: list[R] = []
        for key in islice(order, bisect_right(order, after), None):
            if (row := self._one(codec, key)) is not None:
                found.append(row)
                if len(found) == limit:
                    return found, key
        return found, b""

    async def scan_stamped(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[Stamped[R]], bytes]:
        codec: Codec[R] = self._codecs[table.name]
        rows, oldest = self._rows[table.name], codec.oldest_us(self._now_us())
        found: list[Stamped[R]] = []
        for key in islice(rows.order, bisect_right(rows.order, after), None):
            if (kept := rows.by_key[key]).ts > oldest:
                found.append(codec.stamped(key, kept.value, kept.ts))
                if len(found) == limit:
                    return found, key
        return found, b""

    async def sweep(self) -> int:
        """Forget rows past their time to live and old tombstones; how many."""
        self._writes, now, swept = 0, self._now_us(), 0
        for name, rows in self._rows.items():
            oldest = self._codecs[name].oldest_us(now)
            gone = {
                key
                for key, kept in rows.by_key.items()
                if kept.ts <= oldest or (kept.value is None and kept.ts <= now - TOMBSTONE_KEPT_US)
            }
            rows.forget(gone)
            swept += len(gone)
        return swept

    def count_dead(self, table: Table[Any], low: bytes, high: bytes) -> int:
        """Tombstones between two keys (first included, second not), for the strict store."""
        rows = self._rows[table.name]
        return sum(rows.by_key[key].value is None for key in rows.between(low, high))

    async def close(self) -> None:
        """Nothing to finish."""
