"""Rows as bytes: MessagePack of the row's Struct, key columns included.

Box: store.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Generic

import msgspec

from townsquare.store.keys import decode, encode
from townsquare.store.port import Cell, Key, R, Stamped, Table

TOMBSTONE_KEPT_US = 86_400_000_000  # a delete beats puts that come up to a day late


_CELLS: dict[type[msgspec.inspect.Type], type[Cell]] = {
    msgspec.inspect.IntType: int,
    msgspec.inspect.StrType: str,
    msgspec.inspect.BytesType: bytes,
}


def key_types(table: Table[Any]) -> list[type[Cell]]:
    """The types of a full key's cells."""
    kind = msgspec.inspect.type_info(table.row)
    assert isinstance(kind, msgspec.inspect.StructType)
    kinds = {field.name: type(field.type) for field in kind.fields}
    return [_CELLS[kinds[column]] for column in table.partition + table.clustering]


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

    def unkey(self, key: bytes) -> Key:
        """The cells of a full key."""
        return decode(key, key_types(self.table))

    def stamped(self, key: bytes, value: bytes | None, at: int) -> Stamped[R]:
        """A row as `Store.scan_stamped` gives it."""
        return Stamped(self.unkey(key), None, at) if value is None else self._stamped_row(self.unpack(value), at)

    def _stamped_row(self, row: R, at: int) -> Stamped[R]:
        return Stamped(self.table.key(row), row, at)

    def oldest_us(self, now_us: int) -> int:
        """The write time that rows must be above to be seen at `now_us`."""
        return -(1 << 62) if self.ttl_us is None else now_us - self.ttl_us


def codecs(tables: Sequence[Table[Any]]) -> dict[str, Codec[Any]]:
    """A codec for each table, by name. Raises: ValueError where two tables have one name."""
    found = {table.name: Codec(table) for table in tables}
    if len(found) != len(tables):
        raise ValueError("Two tables have the same name")
    return found
