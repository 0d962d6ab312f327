"""Rows as documents of MongoDB, and what is asked of them.

`_id` is the row's key and `p` its partition's, both as text that sorts like the key; `ts` is when the row was written,
in microseconds; `v` the row, null where it was deleted; `x` when the server may remove the document, absent for never;
and `n` what is on its way in batches of several rows (`mongo_batches`), absent where there never was one.

Box: store. Shown for every table: docs/decisions/0002-the-waist.md.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, NamedTuple

from bson.datetime_ms import DatetimeMS

from townsquare.store.keys import encode
from townsquare.store.mongo_session import Document, Update
from townsquare.store.port import Key, R, Stamped, Table
from townsquare.store.rows import TOMBSTONE_KEPT_US, Codec

NEVER_US = -(1 << 62)  # written before anything else: a document that has only what is on its way
ON_ITS_WAY = "n.0"

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_IN_ORDER = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_ORDERED, _PLAIN = bytes.maketrans(_BASE64, _IN_ORDER), bytes.maketrans(_IN_ORDER, _BASE64)


def sortable(key: bytes) -> str:
    """The bytes as text in their order. MongoDB has binary values of one length in order, but shorter ones first."""
    return b2a_base64(key, newline=False).rstrip(b"=").translate(_ORDERED).decode("ascii")


def unsorted(text: str) -> bytes:
    """What `sortable` was given."""
    raw = text.encode("ascii").translate(_PLAIN)
    return a2b_base64(raw + b"=" * (-len(raw) % 4))


class Change(NamedTuple):
    """One row to be written."""

    id: str
    partition: str
    value: bytes | None  # None: deleted
    ts: int


class Seen(NamedTuple):
    """What a document says with all that was decided."""

    value: bytes | None
    ts: int


class Side(Generic[R]):
    """One table as this engine needs it.

    `routed`: it lies on several shards, and requests name the partition, so that only one of them is asked. Elsewhere
    they do not: MongoDB has a shorter way to a document by its `_id` alone.
    """

    def __init__(self, table: Table[R], *, routed: bool) -> None:
        self.table, self.name, self._routed = table, table.name, routed
        self.codec = Codec(table)
        self.width = len(table.partition)
        self.ttl_us = self.codec.ttl_us
        self._lone = not table.clustering  # the partition's key is the row's

    def _ids(self, key: Key) -> tuple[str, str]:
        """`_id` and `p` of a full key. Raises: Invalid."""
        document_id = sortable(encode(key))
        return document_id, document_id if self._lone else sortable(encode(key[: self.width]))

    def place(self, key: Key) -> Document:
        """Finds the document of a full key. Raises: Invalid."""
        return self.at(*self._ids(key)) if self._routed else {"_id": sortable(encode(key))}

    def at(self, document_id: str, partition: str) -> Document:
        """Finds one document."""
        return {"_id": document_id, "p": partition} if self._routed else {"_id": document_id}

    def among(self, keys: Sequence[Key]) -> Document:
        """Finds the documents of full keys. Raises: Invalid."""
        return self.at_all([self._ids(key) for key in keys])

    def at_all(self, places: Sequence[tuple[str, str]]) -> Document:
        """Finds documents by `_id` and `p`."""
        where: Document = {"_id": {"$in": [document_id for document_id, _ in places]}}
        return where | {"p": {"$in": list({partition for _, partition in places})}} if self._routed else where

    def between(self, low: bytes, high: bytes, partition: Key) -> Document:
        """Finds documents of one partition: those of keys from `low` and below `high`."""
        where: Document = {"_id": {"$gte": sortable(low), "$lt": sortable(high)}}
        return where | {"p": sortable(encode(partition))} if self._routed else where

    def change(self, key: Key, value: bytes | None, ts: int) -> Change:
        """A row to be written. Raises: Invalid."""
        return Change(*self._ids(key), value, ts)

    def maybe_alive(self, now_us: int) -> list[Document]:
        """For `$or`: documents of rows that can be seen, or of which that is not decided."""
        if self.ttl_us is None:
            return [{"x": None}, {ON_ITS_WAY: {"$exists": True}}]
        return [{"ts": {"$gt": now_us - self.ttl_us}, "v": {"$ne": None}}, {ON_ITS_WAY: {"$exists": True}}]

    def row(self, seen: Seen, now_us: int) -> R | None:
        """The row, if it can be seen."""
        if seen.value is None or (self.ttl_us is not None and seen.ts <= now_us - self.ttl_us):
            return None
        return self.codec.unpack(seen.value)

    def stamped(self, documents: Sequence[Document], found: Sequence[Seen], now_us: int) -> list[Stamped[R]]:
        """The rows and tombstones as `Store.scan_stamped` gives them."""
        oldest_us = max(self.codec.oldest_us(now_us), NEVER_US)
        return [
            self.codec.stamped(unsorted(document["_id"]), each.value, int(each.ts))  # no Int64 of its driver
            for document, each in zip(documents, found, strict=True)
            if each.ts > oldest_us
        ]

    def stored(self, value: bytes | None, ts: int) -> dict[str, Document]:
        """The change that makes a document say so."""
        until_us = ts + TOMBSTONE_KEPT_US if value is None else None if self.ttl_us is None else ts + self.ttl_us
        if until_us is None:
            return {"$set": {"ts": ts, "v": value}, "$unset": {"x": ""}}
        return {"$set": {"ts": ts, "v": value, "x": DatetimeMS(until_us // 1000)}}

    def document(self, change: Change) -> Document:
        """The whole document of a new row."""
        return {"_id": change.id, "p": change.partition, **self.stored(change.value, change.ts)["$set"]}

    def newer(self, change: Change) -> Update:
        """Write the row unless one is there that was written later: then an insert is tried, and refused."""
        return self.upsert(change, {"ts": {"$lte": change.ts}}, self.stored(change.value, change.ts))

    def upsert(self, change: Change, where: Document, update: Document) -> Update:
        """Change the row's document where it is as `where` says, or try to make it."""
        where = {**self.at(change.id, change.partition), **where}
        if not self._routed:
            update = {**update, "$setOnInsert": {**update.get("$setOnInsert", {}), "p": change.partition}}
        return Update(where, update, upsert=True)

    def instead(self, place: Document, document: Document, change: Change) -> Update:
        """Write the row if the document is still as it was read."""
        return Update({**place, "ts": document["ts"], "v": document["v"]}, self.stored(change.value, change.ts))


def seen(document: Document, committed: Collection[str]) -> Seen:
    """What the document says, with the batches that are committed."""
    value, ts = document["v"], document["ts"]
    for one in document.get("n", ()):
        if one["ts"] >= ts and one["b"] in committed:
            value, ts = one["v"], one["ts"]
    return Seen(value, ts)


def batches_in(documents: Sequence[Mapping[str, Any]]) -> set[str]:
    """The batches that are on their way in any of the documents."""
    return {one["b"] for document in documents if document.get("n") for one in document["n"]}
