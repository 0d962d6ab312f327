"""Several rows as one, in MongoDB, without its transactions: all of a batch can be seen, or nothing, and so for ever.

1. Each row's document is told what is on its way: `n` holds the batch's number, the row and its time stamp.
2. A record with that number is inserted into `_batches`. That is the commit: it is there or not, for everybody.
3. What was on its way is put in its place, and the record marked as done; the server removes it after a while.

Whoever reads a document with something on its way looks for the record. Where a writer died before 2, it is a reader
who inserts the record, as `aborted`: the number is taken then, and the commit cannot come any more. Where it died after
2, `sweep` does the rest.

Box: store. Why: docs/decisions/0012-mongodb.md.
"""

import logging
import secrets
import time
from collections.abc import Collection, Sequence
from typing import Any

from bson.datetime_ms import DatetimeMS

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.store.mongo_documents import NEVER_US, ON_ITS_WAY, Change, Seen, Side, batches_in, seen
from townsquare.store.mongo_session import Document, Session, Update
from townsquare.store.rows import TOMBSTONE_KEPT_US
from townsquare.store.together import all_of

BATCHES = "_batches"
OLD_MS = 15_000  # no writer is between 1 and 3 for so long: it gave up or died
DONE_KEPT_MS = 60_000  # for those who read a document before it was in its place
ABORTED_KEPT_MS = 3_600_000  # for a commit that the network kept
MOST_DONE = 500  # marked as done at once
MOST_SWEPT = 500

_WHOLE = {"p": 1, "ts": 1, "v": 1, "n": 1}  # and _id: all but `x`
_HEX_MS = 12  # digits of the time in a number

log = logging.getLogger(__name__)


class Batches:
    """The batches of one store."""

    def __init__(self, session: Session, sides: dict[str, Side[Any]], clock: Clock) -> None:
        self._session, self._sides, self._clock = session, sides, clock
        self._done: list[str] = []

    def _is_old(self, batch: str) -> bool:
        return int(batch[:_HEX_MS], 16) < self._clock.now_ms() - OLD_MS

    async def write(self, changes: dict[str, list[Change]]) -> None:
        """Write rows by table, each unless a later one is there. Raises: Unavailable; then all or nothing is done."""
        batch = f"{self._clock.now_ms():0{_HEX_MS}x}{secrets.token_hex(6)}"
        await all_of(self._announce(self._sides[name], batch, some) for name, some in changes.items())
        record = {
            "_id": batch,
            "open": self._clock.now_ms(),
            "rows": [[name, change.id, change.partition] for name, some in changes.items() for change in some],
        }
        if not await self._session.insert(BATCHES, record):
            raise Unavailable("The store was too slow to write this")  # a reader lost patience
        try:
            placed = await all_of(self._place(self._sides[name], batch, some) for name, some in changes.items())
        except Unavailable:
            log.warning("a batch is committed but not in its place; the sweep will do it")
            return
        if all(placed):
            self._done.append(batch)
            if len(self._done) >= MOST_DONE:
                await self.mark_done()

    async def _announce(self, side: Side[Any], batch: str, changes: Sequence[Change]) -> None:
        updates = [
            side.upsert(
                change,
                {},
                {
                    "$setOnInsert": {"ts": NEVER_US, "v": None},
                    "$push": {"n": {"b": batch, "ts": change.ts, "v": change.value}},
                    "$unset": {"x": ""},  # the server must not remove it now
                },
            )
            for change in changes
        ]
        while updates:  # refused: another was quicker to insert the document, so that it is there now
            updates = [updates[index] for index in (await self._session.update(side.name, updates)).refused]

    async def _place(self, side: Side[Any], batch: str, changes: Sequence[Change]) -> bool:
        """Put what was on its way in its place; whether nothing is left of the batch here."""
        updates = [
            Update(
                {
                    **side.at(change.id, change.partition),
                    "ts": {"$lte": change.ts},
                    "n.b": batch,
                    "n": {"$size": 1},
                },
                {**side.stored(change.value, change.ts), "$pull": {"n": {"b": batch}}},
            )
            for change in changes
        ]
        if (await self._session.update(side.name, updates)).matched == len(changes):
            return True
        return await self._settle_all(side, batch, [(change.id, change.partition) for change in changes])

    async def _settle_all(self, side: Side[Any], batch: str, rows: Sequence[tuple[str, str]]) -> bool:
        """Settle those documents that have the batch on its way; whether nothing is left of it."""
        where = {**side.at_all(rows), "n.b": batch}
        left = await self._session.many(side.name, where, limit=len(rows), fields=_WHOLE)
        settled = await all_of(self.settle(side, document) for document in left)
        return all(settled)

    async def settle(self, side: Side[Any], document: Document) -> bool:
        """Put in its place what is decided of a document; False where somebody else changed it meanwhile."""
        found = batches_in([document])
        committed, decided = await self._decided(found)
        if not decided:
            return False
        now = seen(document, committed)
        where = {**side.at(document["_id"], document["p"]), "ts": document["ts"], "v": document["v"]}
        where["n.b"] = {"$all": sorted(decided)}
        if decided == found:
            where["n"] = {"$size": len(document["n"])}
            change = self._stored(side, now)
        else:
            change = {"$set": {"ts": now.ts, "v": now.value}}
        change["$pull"] = {"n": {"b": {"$in": sorted(decided)}}}
        return (await self._session.update(side.name, [Update(where, change)])).matched == 1

    def _stored(self, side: Side[Any], now: Seen) -> dict[str, Document]:
        if now.ts == NEVER_US:  # nothing but an aborted batch: to be removed like a tombstone
            until = DatetimeMS(self._clock.now_ms() + TOMBSTONE_KEPT_US // 1000)
            return {"$set": {"ts": now.ts, "v": None, "x": until}}
        return side.stored(now.value, now.ts)

    async def committed(self, side: Side[Any], documents: Sequence[Document]) -> Collection[str]:
        """The batches that count in what was read just now; what a dead writer left is cleaned up."""
        found = batches_in(documents)
        if not found:
            return ()
        committed, decided = await self._decided(found)
        old = {batch for batch in decided if self._is_old(batch)}
        if old:
            rows = [document for document in documents if not old.isdisjoint(batches_in([document]))]
            await self._clean(side, rows)
        return committed

    async def _clean(self, side: Side[Any], documents: Sequence[Document]) -> None:
        """What can be settled of documents that were read without their `p`."""
        where = {"_id": {"$in": [document["_id"] for document in documents]}, ON_ITS_WAY: {"$exists": True}}
        again = await self._session.many(side.name, where, limit=len(documents), fields=_WHOLE)
        await all_of(self.settle(side, document) for document in again)

    async def _decided(self, found: set[str]) -> tuple[set[str], set[str]]:
        """Which of the batches are committed, and which are that or aborted. Old ones without a record are aborted."""
        records = await self._records(found)
        late = [batch for batch in found - records.keys() if self._is_old(batch)]
        if late:
            until = DatetimeMS(time.time_ns() // 1_000_000 + ABORTED_KEPT_MS)
            for batch in late:
                await self._session.insert(BATCHES, {"_id": batch, "aborted": True, "x": until})
            records |= await self._records(late)
        return {batch for batch, aborted in records.items() if not aborted}, set(records)

    async def _records(self, batches: Collection[str]) -> dict[str, bool]:
        """Whether it is aborted, by the batch, of those that have a record."""
        where = {"_id": {"$in": list(batches)}}
        fields = {"aborted": 1}
        records = await self._session.many(BATCHES, where, limit=len(batches), fields=fields)
        return {record["_id"]: "aborted" in record for record in records}

    async def mark_done(self) -> None:
        """Mark as done what is in its place; where that fails, the sweep finds out again."""
        done, self._done = self._done, []
        if done:
            until = DatetimeMS(time.time_ns() // 1_000_000 + DONE_KEPT_MS)
            await self._session.update_all(
                BATCHES, {"_id": {"$in": done}}, {"$unset": {"open": "", "rows": ""}, "$set": {"x": until}}
            )

    async def sweep(self) -> int:
        """Finish what writers left who died after their commit; how many batches."""
        before = self._clock.now_ms() - OLD_MS
        records = await self._session.found(BATCHES, {"open": {"$lt": before}}, limit=MOST_SWEPT)
        for record in records:
            by_table: dict[str, list[tuple[str, str]]] = {}
            for name, *row in record["rows"]:
                by_table.setdefault(name, []).append((row[0], row[1]))
            if by_table.keys() <= self._sides.keys():  # else it is for a newer version
                settled = await all_of(
                    self._settle_all(self._sides[name], record["_id"], rows) for name, rows in by_table.items()
                )
                if all(settled):
                    self._done.append(record["_id"])
        await self.mark_done()
        return len(records)
