"""The page on the store's port names every table as it lies in Cassandra and in MongoDB.

House: docs/decisions/0002-the-waist.md.
"""

from pathlib import Path
from typing import Any

import pytest

from townsquare.store.cassandra_schema import create_table
from townsquare.store.port import Table
from townsquare.store.tables import TABLES

PAGE = Path(__file__).parents[2] / "docs" / "decisions" / "0002-the-waist.md"


def mongo(table: Table[Any]) -> str:
    """The table's documents in MongoDB."""
    partition, key = ", ".join(table.partition), ", ".join(table.partition + table.clustering)
    until = f"at + {table.ttl_s} s" if table.ttl_s is not None else "null"
    return f"db.{table.name}: {{_id: s({key}), p: s({partition}), ts: at, v: row, x: {until}}}"


def block(table: Table[Any]) -> str:
    """What the page says of a table."""
    cql = create_table(table).replace(" IF NOT EXISTS", "")
    return f"```cql\n{cql};\n```\n```js\n{mongo(table)}\n```\n"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_page_has_the_table_as_it_is_declared(table: Table[Any]) -> None:
    assert block(table) in PAGE.read_text(), f"{PAGE.name} should have:\n\n{block(table)}"
