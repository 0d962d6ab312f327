"""Rows as bytes: MessagePack of the row's Struct, key columns included.

Box: store.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Generic

import msgspec

from townsquare.store.keys import encode
from townsquare.store.port import R, Table

TOMBSTONE_KEPT_US = 86_400_000_000  # a delete beats puts that come up to a day late


class Codec(Generic[R]):
    """Turns the rows of one table into bytes and back. One an engine and table, as a decoder is not for two threads."""

    def __init__(self, table: Table[R]) -> None:
        self.table = table
        self.ttl_us = None if table.ttl_s is None else table.ttl_s * 1_000_000
        self.pack = msgspec.msgpack.Encoder().encode
        self.unpack = msgspec.msgpack.Decoder(table.row).decode
        columns = table.partition + table.clustering
        self._one = len(columns) == 1
        self._cells = attrgetter(*columns)

    def key(self, row: R) -> bytes:
        """The row's full key."""
        cells: Any = self._cells(row)
        return encode((cells,) if self._one else cells)

    def oldest_us(self, now_us: int) -> int:
        """The write time that rows must be above to be seen at `now_us`."""
        return -(1 << 62) if self.ttl_us is None else now_us - self.ttl_us


def codecs(tables: Sequence[Table[Any]]) -> dict[str, Codec[Any]]:
    """A codec for each table, by name. Raises: ValueError where two tables have one name."""
    found = {table.name: Codec(table) for table in tables}
    if len(found) != len(tables):
        raise ValueError("Two tables have the same name")
    return found
