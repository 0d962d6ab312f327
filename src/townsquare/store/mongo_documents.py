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
    """One table as this engine needs it."""

    def __init__(self, table: Table[R]) -> None:
        self.table, self.name = table, table.name
        self.codec = Codec(table)
        self.width = len(table.partition)
        self.ttl_us = self.codec.ttl_us
        self._lone = not table.clustering  # the partition's key is the row's

    def place(self, key: Key) -> Document:
        """The document of a full key. Raises: Invalid."""
        document_id = sortable(encode(key))
        return {"_id": document_id, "p": document_id if self._lone else sortable(encode(key[: self.width]))}

    def places(self, keys: Collection[Key]) -> Document:
        """The documents of full keys. Raises: Invalid."""
        ids = [sortable(encode(key)) for key in keys]
        partitions = ids if self._lone else list({sortable(encode(key[: self.width])) for key in keys})
        return {"_id": {"$in": ids}, "p": {"$in": partitions}}

    def change(self, key: Key, value: bytes | None, ts: int) -> Change:
        """A row to be written. Raises: Invalid."""
        place = self.place(key)
        return Change(place["_id"], place["p"], value, ts)

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
        where = {"_id": change.id, "p": change.partition, "ts": {"$lte": change.ts}}
        return Update(where, self.stored(change.value, change.ts), upsert=True)

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
