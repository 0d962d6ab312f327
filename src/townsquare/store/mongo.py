"""The store in MongoDB, for many machines: one collection for each table, one document for each row.

Every row carries our own time stamp: the caller's `at`, else this machine's time, never the same twice in a process. An
update replaces what is not newer; a row written without `at` replaces what it meets, whatever that one's clock said.
All clocks must be kept together.

Box: store. Source: docs/decisions/0002-the-waist.md, docs/decisions/0012-mongodb.md.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Finding
from townsquare.store.keys import encode, span
from townsquare.store.mongo_batches import Batches
from townsquare.store.mongo_documents import Change, Seen, Side, seen
from townsquare.store.mongo_examine import examine
from townsquare.store.mongo_schema import make_schema
from townsquare.store.mongo_session import Document, Session
from townsquare.store.port import Cell, Key, Put, R, Stamped, Table, Write
from townsquare.store.together import all_of

LOOKS = 20  # at documents in which batch after batch is committed
TRIES = 8  # at a row that others change
MOST_AT_ONCE = 2_000  # documents asked for in one request for several partitions
MOST_KEYS = 1_000  # of one request
SWEEP_EVERY_S = 5.0

log = logging.getLogger(__name__)


class _Step(NamedTuple):
    """Rows by table: those alone in their partition, and those that must be one with others."""

    alone: dict[str, list[Change]]
    together: dict[str, list[Change]]


class MongoStore:
    """Store, over majority reads and writes. Use from one event loop."""

    def __init__(self, session: Session, sides: dict[str, Side[Any]], *, clock: Clock) -> None:
        """See `open`."""
        self._session, self._sides, self._clock = session, sides, clock
        self._batches = Batches(session, sides, clock)
        self._last_us = 0
        self._sweeping = asyncio.create_task(self._sweep_for_ever(), name="batches of mongo")

    @classmethod
    async def open(cls, url: str, tables: Sequence[Table[Any]], *, clock: Clock) -> "MongoStore":
        """Connect, and make the collections that are missing.

        `url`: mongodb://[USER:PASSWORD@]HOST[:PORT][,HOST...]/DATABASE[?OPTIONS], or mongodb+srv://.
        Raises: Unavailable; ValueError where the URL, the log-in or a table that is there is not right.
        """
        session = await Session.open(url)
        try:
            await make_schema(session, tables)
            routed = await session.is_sharded()
        except BaseException:
            await session.close()
            raise
        return cls(session, {table.name: Side(table, routed=routed) for table in tables}, clock=clock)

    def _now_us(self) -> int:
        return self._clock.now_ms() * 1000

    def _stamp(self) -> int:
        """Newer than all that this process wrote."""
        self._last_us = max(self._now_us(), self._last_us + 1)
        return self._last_us

    async def get(self, table: Table[R], key: Key) -> R | None:
        side: Side[R] = self._sides[table.name]
        document, now = await self._now(side, side.place(key))
        return None if document is None else side.row(now, self._now_us())

    async def _rows(
        self, side: Side[R], ask: Callable[[], Coroutine[Any, Any, list[Document]]]
    ) -> tuple[list[R | None], list[Document]]:
        """The rows that documents say, None for those that cannot be seen; and the documents."""
        found, documents = await self._read(side, ask)
        now_us = self._now_us()
        return [side.row(each, now_us) for each in found], documents

    async def _read(
        self, side: Side[R], ask: Callable[[], Coroutine[Any, Any, list[Document]]]
    ) -> tuple[list[Seen], list[Document]]:
        """What documents say, and the documents.

        What was on its way when they were read may be committed when we look: then they are read once more, as others
        of them may have been read before they were told of the batch.
        """
        committed: set[str] = set()
        for _ in range(LOOKS):
            documents = await ask()
            more = set(await self._batches.committed(side, documents)) - committed
            if not more:
                return [seen(document, committed) for document in documents], documents
            committed |= more
        raise Unavailable(f"Too many write {side.name} at once")

    async def get_many(self, table: Table[R], keys: Sequence[Key]) -> list[R | None]:
        side: Side[R] = self._sides[table.name]
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, R] = {}
        parts = [side.among(wanted[start : start + MOST_KEYS]) for start in range(0, len(wanted), MOST_KEYS)]
        for rows in await all_of(self._rows_at(side, part) for part in parts):
            found.update((table.key(row), row) for row in rows if row is not None)
        return [found.get(key) for key in keys]

    async def _rows_at(self, side: Side[R], places: Document) -> list[R | None]:
        limit = len(places["_id"]["$in"])
        return (await self._rows(side, lambda: self._session.many(side.name, places, limit=limit)))[0]

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
        where = side.between(*span(partition, within, above, below), partition)
        return [row for _, row in await self._page(side, where, limit=limit, down=table.newest_first != reverse)]

    async def _page(self, side: Side[R], where: Document, *, limit: int, down: bool) -> list[tuple[str, R]]:
        """The first rows with their `_id`; asks again where some documents had none."""
        rows: list[tuple[str, R]] = []
        while limit > 0:  # none would be all, to MongoDB
            maybe = {**where, "$or": side.maybe_alive(self._now_us())}
            ask = partial(self._session.many, side.name, maybe, limit=limit, down=down)
            found, documents = await self._rows(side, ask)
            rows += [(document["_id"], row) for document, row in zip(documents, found, strict=True) if row is not None]
            if len(rows) >= limit or len(documents) < limit:
                return rows[:limit]
            where = {**where, "_id": {**where.get("_id", {}), "$lt" if down else "$gt": documents[-1]["_id"]}}
        return rows

    async def range_many(self, table: Table[R], partitions: Sequence[Key], *, limit: int) -> list[list[R]]:
        if len(partitions) < 2 or limit < 1:
            return [await self.range(table, one, limit=limit) for one in partitions]
        side: Side[R] = self._sides[table.name]
        wanted = dict.fromkeys(partitions)
        most = min(len(wanted) * limit, MOST_AT_ONCE)
        where = self._spans(side, list(wanted))
        ask = partial(self._session.many, side.name, where, limit=most, down=table.newest_first)
        rows, documents = await self._rows(side, ask)
        found: dict[Key, list[R]] = {one: [] for one in wanted}
        for row in rows:
            if row is not None:
                found[table.key(row)[: side.width]].append(row)
        if len(documents) == most:  # there may be more in those that are not full
            short = [one for one, some in found.items() if len(some) < limit]
            found.update(zip(short, await all_of(self.range(table, one, limit=limit) for one in short), strict=True))
        return [found[one][:limit] for one in partitions]

    def _spans(self, side: Side[Any], partitions: Sequence[Key]) -> Document:
        spans = [side.between(*span(one), one) for one in partitions]
        return {"$and": [{"$or": spans}, {"$or": side.maybe_alive(self._now_us())}]}

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        stamp = self._stamp() if at is None else at
        # All of them are looked at before one is sent.
        for alone, together in [self._step(step, stamp) for step in steps]:
            works = [self._put(self._sides[name], changes, late=at is not None) for name, changes in alone.items()]
            await all_of([*works, self._batches.write(together)] if together else works)

    def _step(self, writes: Sequence[Write], stamp: int) -> _Step:
        partitions: dict[bytes, dict[tuple[str, str], Change]] = {}
        for write in writes:
            side = self._sides[write.table.name]
            key = side.table.key(write.row) if isinstance(write, Put) else write.key
            value = side.codec.pack(write.row) if isinstance(write, Put) else None
            change = side.change(key, value, stamp)
            partitions.setdefault(encode(key[: side.width]), {})[side.name, change.id] = change
        step = _Step({}, {})
        for changes in partitions.values():
            kind = step.alone if len(changes) == 1 else step.together
            for (name, _), change in changes.items():
                kind.setdefault(name, []).append(change)
        return step

    async def _put(self, side: Side[Any], changes: Sequence[Change], *, late: bool) -> None:
        """Write rows, each unless a later one is there. Only what is `late` may lose: any other that meets a later one
        is written after it, be that from a clock ahead of ours or a compare-and-set that began later and was quicker.
        """
        for _ in range(TRIES):
            outcome = await self._session.update(side.name, [side.newer(change) for change in changes])
            if not outcome.refused:
                return
            # What is there is newer, or was inserted by somebody who was quicker.
            refused = [changes[index] for index in outcome.refused]
            places = side.at_all([(change.id, change.partition) for change in refused])
            there = await self._session.many(side.name, places, limit=len(refused), fields={"ts": 1})
            written = {document["_id"]: document["ts"] for document in there}
            if late:
                changes = [change for change in refused if written.get(change.id, change.ts) <= change.ts]
            else:
                changes = [change._replace(ts=max(change.ts, written.get(change.id, 0) + 1)) for change in refused]
                self._last_us = max(self._last_us, *(change.ts for change in changes))
            if not changes:
                return
        raise Unavailable(f"Too many want one row of {side.name}")

    async def slow_put_if_absent(self, table: Table[R], row: R) -> R | None:
        side: Side[R] = self._sides[table.name]
        key, value = table.key(row), side.codec.pack(row)
        for _ in range(TRIES):
            change = side.change(key, value, self._stamp())
            if await self._session.insert(side.name, side.document(change)):
                return None
            document, now = await self._now(side, side.place(key))
            if document is None:
                continue
            if (there := side.row(now, self._now_us())) is not None:
                return there
            if await self._instead(side, key, document, now, value):
                return None
        raise Unavailable(f"Too many want one row of {table.name}")

    async def slow_compare_and_set(self, table: Table[R], old: R, new: R) -> bool:
        side: Side[R] = self._sides[table.name]
        key, value = table.key(old), side.codec.pack(new)
        for _ in range(TRIES):
            document, now = await self._now(side, side.place(key))
            if document is None or side.row(now, self._now_us()) != old:
                return False
            if await self._instead(side, key, document, now, value):
                return True
        raise Unavailable(f"Too many want one row of {table.name}")

    async def _now(self, side: Side[Any], place: Document) -> tuple[Document | None, Seen]:
        document = await self._session.one(side.name, place)
        if document is None:
            return None, Seen(None, 0)
        return document, seen(document, await self._batches.committed(side, [document]))

    async def _instead(self, side: Side[Any], key: Key, document: Document, now: Seen, value: bytes) -> bool:
        """Write the row if its document is still as it was read."""
        change = side.change(key, value, max(self._stamp(), now.ts + 1))
        return (await self._session.update(side.name, [side.instead(side.place(key), document, change)])).matched == 1

    async def drop(self, table: Table[Any], partition: Key) -> None:
        side, stamp = self._sides[table.name], self._stamp()
        where = {**side.between(*span(partition), partition), "ts": {"$lte": stamp}}
        await self._session.update_all(side.name, where, side.stored(None, stamp))

    async def scan(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[R], bytes]:
        side: Side[R] = self._sides[table.name]
        where: Document = {"_id": {"$gt": after.decode("ascii")}} if after else {}
        rows = await self._page(side, where, limit=limit, down=False)
        return [row for _, row in rows], rows[-1][0].encode() if rows and len(rows) == limit else b""

    async def scan_stamped(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[Stamped[R]], bytes]:
        side: Side[R] = self._sides[table.name]
        where: Document = {"_id": {"$gt": after.decode("ascii")}} if after else {}
        found, documents = await self._read(side, lambda: self._session.many(side.name, where, limit=limit))
        more = documents[-1]["_id"].encode() if len(documents) == limit else b""
        return side.stamped(documents, found, self._now_us()), more

    async def sweep(self) -> int:
        """Finish what dead writers left; how many batches. Done by itself every few seconds."""
        return await self._batches.sweep()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S * random.uniform(0.5, 1.5))
            try:
                await self._batches.sweep()
            except (Unavailable, RuntimeError) as exc:
                log.warning("batches cannot be looked through: %s", exc)

    async def examine(self) -> list[Finding]:
        """For `townsquare doctor`. Raises: Unavailable."""
        return await examine(self._session)

    async def close(self) -> None:
        self._sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._sweeping
        with suppress(Unavailable):
            await self._batches.mark_done()
        await self._session.close()
