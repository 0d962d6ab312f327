"""A store that refuses what would not do on a cluster, and can be as disorderly as one: on in all tests.

What passes over an engine of one machine through this passes over Cassandra.

Box: store.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from townsquare.kit.clock import Clock
from townsquare.store.keys import encode, span
from townsquare.store.port import Cell, Delete, Key, Put, R, Stamped, Store, Table, Write
from townsquare.store.rows import Codec, codecs, key_types

MOST_ROWS = 10_000  # in one answer
MOST_ROWS_IN_PARTITION = 100_000
DEAD_ALLOWED = 100  # tombstones that any range may skip; above, no more than it returns
LATE_US = 3_600_000_000  # a repeat comes at most so late: after a day a tombstone may be swept


class Refused(AssertionError):
    """The call would not do on a cluster."""


@runtime_checkable
class TellsDead(Protocol):
    """An engine that knows its tombstones."""

    def count_dead(self, table: Table[Any], low: bytes, high: bytes) -> int:
        """Tombstones between two keys (first included, second not)."""


class _Late(NamedTuple):
    writes: list[Write]
    at: int


class _Shape:
    """What the rows and keys of a table must look like."""

    def __init__(self, table: Table[Any]) -> None:
        self.table = table
        self.codec: Codec[Any] = Codec(table)
        _check_fields(table)
        self.types = key_types(table)

    def check_cells(self, cells: Key, *, start: int, length: int | None = None) -> None:
        """Refuse cells that cannot stand in the key's columns from number `start`."""
        columns = (self.table.partition + self.table.clustering)[start:]
        if (length is not None and len(cells) != length) or len(cells) > len(columns):
            raise Refused(f"{self.table.name}: {cells!r} has not the number of cells that belongs here")
        for cell, column, kind in zip(cells, columns, self.types[start:], strict=False):
            if not isinstance(cell, kind) or isinstance(cell, bool):
                raise Refused(f"{self.table.name}: {column} is {kind.__name__}, not {cell!r}")

    def check_key(self, key: Key) -> None:
        """Refuse what is no full key."""
        self.check_cells(key, start=0, length=len(self.types))

    def check_partition(self, partition: Key) -> None:
        """Refuse what is no full partition key."""
        self.check_cells(partition, start=0, length=len(self.table.partition))

    def check_row(self, row: msgspec.Struct) -> None:
        """Refuse a row that would not come back as it is."""
        if type(row) is not self.table.row:
            raise Refused(f"{self.table.name} keeps {self.table.row.__name__}, not {type(row).__name__}")
        self.check_key(self.table.key(row))
        if self.codec.unpack(self.codec.pack(row)) != row:
            raise Refused(f"{self.table.name}: {row!r} does not come back as it was")


def _check_fields(table: Table[Any]) -> None:
    info = msgspec.inspect.type_info(table.row)
    if not isinstance(info, msgspec.inspect.StructType) or not info.array_like:
        raise Refused(f"{table.name}: its row is no array_like Struct")


class StrictStore:
    """Store, around another. Counts round trips as a cluster would have them, in `round_trips` and `slow_calls`."""

    def __init__(
        self, inner: Store, tables: Sequence[Table[Any]], *, clock: Clock, seed: int = 0, chaos: bool = False
    ) -> None:
        """`chaos`: the partitions of a step are written in any order, and some writes again later."""
        self.inner = inner
        self.round_trips = 0
        self.slow_calls = 0
        self._clock = clock
        self._shapes = {name: _Shape(codec.table) for name, codec in codecs(tables).items()}
        self._random = random.Random(seed)
        self._chaos = chaos
        self._last_stamp = 0
        self._late: list[_Late] = []
        self._puts: dict[tuple[str, bytes], int] = {}

    def reset(self) -> None:
        """Count from zero again."""
        self.round_trips = self.slow_calls = 0

    def _shape(self, table: Table[Any]) -> _Shape:
        shape = self._shapes.get(table.name)
        if shape is None or shape.table is not table:
            raise Refused(f"{table.name} is not among the tables")
        return shape

    def _stamp(self) -> int:
        self._last_stamp = max(self._clock.now_ms() * 1000, self._last_stamp + 1)
        return self._last_stamp

    async def get(self, table: Table[R], key: Key) -> R | None:
        self._shape(table).check_key(key)
        self.round_trips += 1
        return await self.inner.get(table, key)

    async def get_many(self, table: Table[R], keys: Sequence[Key]) -> list[R | None]:
        shape = self._shape(table)
        for key in keys:
            shape.check_key(key)
        _check_limit(len(keys) or 1)
        self.round_trips += bool(keys)
        return await self.inner.get_many(table, keys)

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
        shape, width = self._shape(table), len(table.partition)
        shape.check_partition(partition)
        shape.check_cells(within, start=width)
        for bound in (above, below):
            if bound is not None:
                shape.check_cells((bound,), start=width + len(within), length=1)
        _check_limit(limit)
        self.round_trips += 1
        rows = await self.inner.range(
            table, partition, within=within, above=above, below=below, limit=limit, reverse=reverse
        )
        low, high = span(partition, within, above, below)
        if len(rows) == limit:
            last = shape.codec.key(rows[-1])
            low, high = (last, high) if table.newest_first != reverse else (low, last)
        self._check_dead(table, low, high, len(rows))
        return rows

    def _check_dead(self, table: Table[Any], low: bytes, high: bytes, returned: int) -> None:
        if isinstance(self.inner, TellsDead):
            dead = self.inner.count_dead(table, low, high)
            if dead > max(returned, DEAD_ALLOWED):
                raise Refused(f"{table.name}: {dead} deleted rows were skipped to find {returned}")

    async def range_many(self, table: Table[R], partitions: Sequence[Key], *, limit: int) -> list[list[R]]:
        shape = self._shape(table)
        for partition in partitions:
            shape.check_partition(partition)
        _check_limit(limit)
        _check_limit(len(partitions) or 1)
        self.round_trips += bool(partitions)
        return await self.inner.range_many(table, partitions, limit=limit)

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        writes = [write for step in steps for write in step]
        for write in writes:
            self._check_write(write)
        if len({(write.table.name, encode(_key(write))) for write in writes}) != len(writes):
            raise Refused("One call writes a row twice: both have the same time stamp, so either may win")
        # Partitions that do not wait for each other are one round trip.
        self.round_trips += sum(1 for step in steps if step)
        if self._chaos:
            await self._write_in_disorder(steps, self._stamp() if at is None else at)
        else:
            await self.inner.write(*steps, at=at)
        await self._check_sizes(writes)

    def _check_write(self, write: Write) -> None:
        shape = self._shape(write.table)
        if isinstance(write, Delete):
            shape.check_key(write.key)
        else:
            shape.check_row(write.row)

    async def _check_sizes(self, writes: Sequence[Write]) -> None:
        for write in writes:
            if isinstance(write, Put) and write.table.clustering:
                partition = _partition(write)
                place = (write.table.name, encode(partition))
                self._puts[place] = self._puts.get(place, 0) + 1
                if self._puts[place] % MOST_ROWS_IN_PARTITION == 0:
                    await self._check_size(write.table, place[1])

    async def _check_size(self, table: Table[Any], prefix: bytes) -> None:
        """Count the partition's rows: many puts may have been of few rows."""
        count, after = 0, prefix
        while True:
            rows, after = await self.inner.scan(table, after=after, limit=MOST_ROWS)
            inside = [row for row in rows if encode(table.key(row)).startswith(prefix)]
            count += len(inside)
            if count > MOST_ROWS_IN_PARTITION:
                raise Refused(f"{table.name}: a partition has more than {MOST_ROWS_IN_PARTITION} rows")
            if not after or len(inside) < len(rows):
                return

    async def _write_in_disorder(self, steps: Sequence[Sequence[Write]], at: int) -> None:
        for step in steps:
            partitions: dict[bytes, list[Write]] = {}
            for write in step:
                partitions.setdefault(encode(_partition(write)), []).append(write)
            groups = list(partitions.values())
            self._random.shuffle(groups)
            async with asyncio.TaskGroup() as tasks:
                for group in groups:
                    tasks.create_task(self._write_sometime(_Late(group, at)))
            await self._repeat_some()

    async def _write_sometime(self, late: _Late) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        await self.inner.write(late.writes, at=late.at)
        if self._random.random() < 0.3:
            self._late.append(late)

    async def _repeat_some(self) -> None:
        oldest = self._clock.now_ms() * 1000 - LATE_US
        self._late = [late for late in self._late if late.at > oldest]
        while self._late and self._random.random() < 0.4:
            late = self._late.pop(self._random.randrange(len(self._late)))
            await self.inner.write(late.writes, at=late.at)

    async def slow_put_if_absent(self, table: Table[R], row: R) -> R | None:
        self._shape(table).check_row(row)
        await self._count_slow()
        return await self.inner.slow_put_if_absent(table, row)

    async def slow_compare_and_set(self, table: Table[R], old: R, new: R) -> bool:
        shape = self._shape(table)
        shape.check_row(old)
        shape.check_row(new)
        if table.key(old) != table.key(new):
            raise Refused(f"{table.name}: a row cannot be given another key")
        await self._count_slow()
        return await self.inner.slow_compare_and_set(table, old, new)

    async def _count_slow(self) -> None:
        self.round_trips += 1
        self.slow_calls += 1
        if self._chaos:
            self._stamp()  # the engine's own stamp is at most one above all others: the next write's must be higher
            await self._repeat_some()

    async def drop(self, table: Table[Any], partition: Key) -> None:
        self._shape(table).check_partition(partition)
        self.round_trips += 1
        if self._chaos:
            self._stamp()
        await self.inner.drop(table, partition)
        if self._chaos:
            await self._repeat_some()

    async def scan(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[R], bytes]:
        self._shape(table)
        _check_limit(limit)
        self.round_trips += 1
        return await self.inner.scan(table, after=after, limit=limit)

    async def scan_stamped(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[Stamped[R]], bytes]:
        self._shape(table)
        _check_limit(limit)
        self.round_trips += 1
        return await self.inner.scan_stamped(table, after=after, limit=limit)

    async def close(self) -> None:
        await self.inner.close()


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MOST_ROWS:
        raise Refused(f"{limit} is not between 1 and {MOST_ROWS}")


def _key(write: Write) -> Key:
    return write.key if isinstance(write, Delete) else write.table.key(write.row)


def _partition(write: Write) -> Key:
    return _key(write)[: len(write.table.partition)]
