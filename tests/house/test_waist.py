"""The page on the store's port names every table as it lies in Cassandra and in MongoDB.

House: docs/decisions/0002-the-waist.md.
"""

from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

from townsquare.store.port import Table
from townsquare.store.tables import TABLES

PAGE = Path(__file__).parents[2] / "docs" / "decisions" / "0002-the-waist.md"
CQL_TYPES = {inspect.IntType: "bigint", inspect.StrType: "text", inspect.BytesType: "blob"}
WINDOWS = 28  # of a table's time to live: Cassandra drops a window as a whole


def columns_of(table: Table[Any]) -> str:
    """The key columns with their types, and the row."""
    kind = inspect.type_info(table.row)
    assert isinstance(kind, inspect.StructType)
    types = {field.name: CQL_TYPES.get(type(field.type), "?") for field in kind.fields}
    return ", ".join([*(f"{name} {types[name]}" for name in table.partition + table.clustering), "v blob"])


def cql(table: Table[Any]) -> str:
    """The table in Cassandra."""
    key = ", ".join([f"({', '.join(table.partition)})", *table.clustering])
    options = []
    if table.newest_first:
        options.append(f"CLUSTERING ORDER BY ({', '.join(f'{name} DESC' for name in table.clustering)})")
    if table.ttl_s is not None:
        hours = max(1, round(table.ttl_s / WINDOWS / 3600))
        options.append(f"default_time_to_live = {table.ttl_s}")
        options.append(
            "compaction = {'class': 'TimeWindowCompactionStrategy', "
            f"'compaction_window_unit': 'HOURS', 'compaction_window_size': {hours}}}"
        )
    end = "".join(f"\n  {'AND' if n else 'WITH'} {option}" for n, option in enumerate(options))
    return f"CREATE TABLE {table.name} ({columns_of(table)},\n  PRIMARY KEY ({key})){end};"


def mongo(table: Table[Any]) -> str:
    """The table's documents in MongoDB."""
    partition, key = ", ".join(table.partition), ", ".join(table.partition + table.clustering)
    until = f"at + {table.ttl_s} s" if table.ttl_s is not None else "null"
    return f"db.{table.name}: {{_id: s({key}), p: s({partition}), ts: at, v: row, x: {until}}}"


def block(table: Table[Any]) -> str:
    """What the page says of a table."""
    return f"```cql\n{cql(table)}\n```\n```js\n{mongo(table)}\n```\n"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_page_has_the_table_as_it_is_declared(table: Table[Any]) -> None:
    assert block(table) in PAGE.read_text(), f"{PAGE.name} should have:\n\n{block(table)}"
