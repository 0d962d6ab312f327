"""A copy of one store into another over the port, while the first is in use: `townsquare copy`.

A pass walks over all tables and writes each row with the write time it has, so that the newer one wins wherever two
meet and a pass that is done again changes nothing. The first pass takes everything, the next ones what was written
since the one before began, with what was deleted. How far it is stands in the target itself, so a copy that was
killed goes on where it was. At the end, with the source at rest, both sides are counted and summed; a table that
differs is copied whole again, and rows that only the target has are removed.

Box: store.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from townsquare.kit.clock import Clock
from townsquare.store.port import Delete, Put, R, Stamped, Store, Table, Write
from townsquare.store.tables import LEASES, SETTINGS, SettingRow
from townsquare.store.together import all_of
from townsquare.store.versions import VERSION_NAME, WrongVersion
from townsquare.store.walk import stamped_pages

PROGRESS_NAME = "copy"  # of the row in `settings`
SKEW_US = 60_000_000  # how far the clocks of those who write may be apart
LATE_US = 3_600_000_000  # a write may carry a time so long past: that of what it is about
_LEFT_OUT = frozenset((PROGRESS_NAME, VERSION_NAME))  # rows of `settings` that are each store's own
_AT_ONCE = 64  # writes under way
_SUM_BITS = 128
_ENDING_US = 3_600_000_000  # rows that end so soon are not compared: they may end between the two looks

Say = Callable[[str, int], None]  # of which table, how many rows


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a copy is, as the target keeps it."""

    source: str  # its URL without secrets
    state: Literal["copying", "whole"] = "copying"
    passes: int = 0  # that came to their end
    since_us: int = 0  # what the source was given before then is in the target
    begun_us: int = 0  # when the pass under way began, 0 between passes
    done: tuple[str, ...] = ()  # tables that this pass is through with
    after: bytes = b""  # where it is in the next one
    rows: int = 0  # that this pass has written


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One table on both sides: how many rows, and a sum over them that does not depend on their order."""

    table: str
    rows: int
    target_rows: int
    checksum: str
    target_checksum: str

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same rows with the same write times."""
        return (self.rows, self.checksum) == (self.target_rows, self.target_checksum)


class NotEmpty(Exception):
    """The target holds rows that no copy of this source has brought."""


async def read_progress(store: Store) -> Progress | None:
    """How far a copy into this store is; None where there is none."""
    row = await store.get(SETTINGS, (PROGRESS_NAME,))
    return None if row is None else msgspec.msgpack.decode(row.value, type=Progress)


async def check_copied(store: Store) -> None:
    """Refuse a store that a copy into it has not filled yet.

    Raises: WrongVersion; Unavailable.
    """
    progress = await read_progress(store)
    if progress is not None and progress.state != "whole":
        raise WrongVersion(
            f"The store is being filled from {progress.source}: finish with `townsquare copy --final` before a server "
            "uses it."
        )


class Copy:
    """One copy. Its methods are safe to repeat after any error."""

    def __init__(self, source: Store, target: Store, tables: Sequence[Table[Any]], *, clock: Clock, say: Say) -> None:
        """`tables`: all that the stores have; leases are left out, as they belong to processes."""
        self._source, self._target, self._clock, self._say = source, target, clock, say
        self._tables = [table for table in tables if table is not LEASES]
        self.progress = Progress(source="")

    async def begin(self, name: str) -> None:
        """Find out how far an earlier run came. `name`: the source's, without secrets.

        Raises: NotEmpty where the target holds something else.
        """
        found = await read_progress(self._target)
        if found is None:
            for table in self._tables:
                rows, _ = await self._target.scan(table, limit=len(_LEFT_OUT) + 1)
                if any(_counts(table, row) for row in rows):
                    raise NotEmpty(f"it has rows in the table {table.name} that were not copied")
            await self._keep(Progress(source=name))
        elif found.source != name:
            raise NotEmpty(f"it holds a copy of {found.source}")
        elif found.state == "whole":
            raise NotEmpty("the copy in it is whole, and a server may be using it")
        else:
            self.progress = found

    async def run_pass(self) -> int:
        """Copy what is not in the target yet, going on with a pass that was cut off; how many rows were written."""
        if not self.progress.begun_us:
            await self._keep(self._with(begun_us=self._clock.now_ms() * 1000, done=(), after=b"", rows=0))
        for table in self._tables:
            if table.name not in self.progress.done:
                await self._copy_table(table)
        done = self.progress
        await self._keep(self._with(passes=done.passes + 1, since_us=done.begun_us, begun_us=0, done=(), after=b""))
        return done.rows

    async def _copy_table(self, table: Table[Any]) -> None:
        async for page, after in stamped_pages(self._source, table, self.progress.after):
            written = await self._put(table, page, since_us=self.progress.since_us)
            await self._keep(self._with(after=after, rows=self.progress.rows + written))
            self._say(table.name, self.progress.rows)
        await self._keep(self._with(done=(*self.progress.done, table.name), after=b""))

    async def _put(self, table: Table[R], page: Sequence[Stamped[R]], *, since_us: int) -> int:
        """Write what the target has not got; how many rows.

        What is older than `since_us` is there already, but for writes that carry an earlier time: near it the target is
        asked. What was deleted cannot be there before a first pass has come by.
        """
        ours = [each for each in page if _counts(table, each.row, each.key)]
        new = [
            each for each in ours if each.at >= since_us - SKEW_US and (each.row is not None or self.progress.passes)
        ]
        late = [each for each in ours if since_us - LATE_US <= each.at < since_us - SKEW_US]
        if late:
            there = await self._target.get_many(table, [each.key for each in late])
            new += [each for each, row in zip(late, there, strict=True) if each.row != row]
        for some in _parts(new):
            await all_of(self._target.write([_write(table, each)], at=each.at) for each in some)
        return len(new)

    async def verify(self) -> list[Difference]:
        """Count and sum each table on both sides; those that differ are mended and looked at once more.

        The source must be at rest.
        """
        looked: list[Difference] = []
        for table in self._tables:
            found = await self._compare(table)
            if not found.equal:
                await self._mend(table)
                found = await self._compare(table)
            looked.append(found)
        return looked

    async def finish(self) -> None:
        """Let servers use the target."""
        await self._keep(self._with(state="whole"))

    async def _compare(self, table: Table[Any]) -> Difference:
        lasts_until_us = self._clock.now_ms() * 1000 + _ENDING_US
        (rows, checksum), (target_rows, target_checksum) = [
            await self._sum(store, table, lasts_until_us) for store in (self._source, self._target)
        ]
        return Difference(
            table=table.name,
            rows=rows,
            target_rows=target_rows,
            checksum=checksum,
            target_checksum=target_checksum,
        )

    async def _sum(self, store: Store, table: Table[Any], lasts_until_us: int) -> tuple[int, str]:
        pack = msgspec.msgpack.Encoder().encode
        count = total = 0
        async for page, _ in stamped_pages(store, table):
            for each in page:
                ends = table.ttl_s is not None and each.at + table.ttl_s * 1_000_000 <= lasts_until_us
                if each.row is not None and not ends and _counts(table, each.row):
                    digest = blake2b(pack((each.row, each.at)), digest_size=_SUM_BITS // 8).digest()
                    count, total = count + 1, total + int.from_bytes(digest, "big")
            self._say(f"{table.name} compared", count)
        return count, f"{total % (1 << _SUM_BITS):032x}"

    async def _mend(self, table: Table[Any]) -> None:
        async for page, _ in stamped_pages(self._source, table):
            await self._put(table, page, since_us=0)
        async for page, _ in stamped_pages(self._target, table):
            there = [each for each in page if each.row is not None and _counts(table, each.row)]
            in_source = await self._source.get_many(table, [each.key for each in there]) if there else []
            for each, row in zip(there, in_source, strict=True):
                if row is None:
                    await self._target.write([Delete(table, each.key)], at=each.at)

    def _with(self, **changes: Any) -> Progress:
        return msgspec.structs.replace(self.progress, **changes)

    async def _keep(self, progress: Progress) -> None:
        row = SettingRow(name=PROGRESS_NAME, value=msgspec.msgpack.encode(progress))
        await self._target.write([Put(SETTINGS, row)])
        self.progress = progress


def _counts(table: Table[Any], row: Any, key: Sequence[Any] = ()) -> bool:
    """Whether a row belongs to what is copied."""
    if table is not SETTINGS:
        return True
    return (row.name if row is not None else key[0]) not in _LEFT_OUT


def _write(table: Table[R], each: Stamped[R]) -> Write:
    return Delete(table, each.key) if each.row is None else Put(table, each.row)


def _parts(rows: Sequence[Stamped[R]]) -> Iterator[Sequence[Stamped[R]]]:
    return (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
