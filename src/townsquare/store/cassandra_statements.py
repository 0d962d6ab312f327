"""What is said to Cassandra about one table: its statements, and the cells they are given.

Box: store. All statements: docs/decisions/0002-the-waist.md.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, Generic

from townsquare.store.cassandra_schema import columns
from townsquare.store.keys import encode
from townsquare.store.port import Cell, Key, R, Stamped, Table
from townsquare.store.rows import Codec

_ZERO: dict[type[Cell], Cell] = {str: "\0", bytes: b"\0"}


def _equal(names: Iterable[str]) -> str:
    return " AND ".join(f"{name} = ?" for name in names)


class Side(Generic[R]):
    """One table as this engine needs it. `x` is there only where rows have a time to live, and so is its TTL."""

    def __init__(self, table: Table[R], keyspace: str) -> None:
        self.table = table
        self.codec = Codec(table)
        self.width = len(table.partition)
        self.ttl_us = self.codec.ttl_us
        self._name = f"{keyspace}.{table.name}"
        # A partition key of one column must not be empty.
        self._lone = self.width == 1 and columns(table)[table.partition[0]] != "bigint"
        key = table.partition + table.clustering
        self._kept = "v" if self.ttl_us is None else "v, x"
        ttl, kept = ("", "v = ?") if self.ttl_us is None else (" USING TTL ?", "v = ?, x = ?")
        marks = ", ".join("?" for _ in (*key, *self._kept.split()))
        insert = f"INSERT INTO {self._name} ({', '.join(key)}, {self._kept}) VALUES ({marks})"
        self.get = f"SELECT {self._kept} FROM {self._name} WHERE {_equal(key)}"
        self.put = insert + ttl
        self.put_if_absent = f"{insert} IF NOT EXISTS{ttl}"
        swap = f"UPDATE {self._name}{ttl} SET {kept} WHERE {_equal(key)} IF v = ?"
        self.swap = swap if self.ttl_us is None else f"{swap} AND x > ?"
        self.revive = f"{swap} AND x <= ?"
        self.delete = f"DELETE FROM {self._name} WHERE {_equal(key)}"
        self.drop = f"DELETE FROM {self._name} WHERE {_equal(table.partition)}"
        self.scan = f"SELECT {self._kept} FROM {self._name}"
        self.scan_stamped = f"SELECT {self._kept}, writetime(v) FROM {self._name}"
        last = table.clustering[0] if len(table.clustering) == 1 else f"({', '.join(table.clustering)})"
        self.many = f"SELECT {self._kept} FROM {self._name} WHERE {_equal(table.partition)} AND {last} IN ?"
        self.range = cache(self._range)

    def _range(self, within: int, above: bool, below: bool, reverse: bool) -> str:  # keys of a cache
        """`within`: how many clustering columns are fixed. Rows that end by themselves are paged, not limited."""
        clustering = self.table.clustering
        where = [_equal(self.table.partition + clustering[:within])]
        where += [f"{clustering[within]} > ?"] if above else []
        where += [f"{clustering[within]} < ?"] if below else []
        order = "DESC" if self.table.newest_first != reverse else "ASC"
        by = f" ORDER BY {', '.join(f'{name} {order}' for name in clustering)}" if clustering else ""
        limit = " LIMIT ?" if self.ttl_us is None else ""
        return f"SELECT {self._kept} FROM {self._name} WHERE {' AND '.join(where)}{by}{limit}"

    def cells(self, key: Key) -> list[Cell]:
        """The cells of a key, or of its beginning. Raises: Invalid."""
        encode(key)
        cells = list(key)
        if self._lone and not isinstance(first := cells[0], int):
            zero: Any = _ZERO[type(first)]
            if not first or first.startswith(zero):  # every text that begins so is given one more: no two become one
                cells[0] = zero + first
        return cells

    def row_cells(self, row: R, until_us: int) -> list[Any]:
        """What `put` needs but the TTL."""
        key = self.cells(self.table.key(row))
        return [*key, self.codec.pack(row)] if self.ttl_us is None else [*key, self.codec.pack(row), until_us]

    def alive(self, result: Iterable[Any], now_us: int) -> list[R]:
        """The rows of an answer whose time is not over."""
        unpack = self.codec.unpack
        if self.ttl_us is None:
            return [unpack(row[0]) for row in result]
        return [unpack(row[0]) for row in result if row[1] > now_us]

    def stamped(self, result: Iterable[Any], now_us: int) -> list[Stamped[R]]:
        """The same with their write times; a row that ends has the one from which its time to live is counted."""
        unpack, key = self.codec.unpack, self.table.key
        if self.ttl_us is None:
            rows = [(unpack(row[0]), row[1]) for row in result]
        else:
            rows = [(unpack(row[0]), row[1] - self.ttl_us) for row in result if row[1] > now_us]
        return [Stamped(key(row), row, at) for row, at in rows]
