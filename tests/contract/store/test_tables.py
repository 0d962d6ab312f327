"""Every table that is declared, over every store.

Suite: store.
"""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from tests.contract.engines import STORES, open_store
from townsquare.kit.clock import SetClock
from townsquare.store.port import Put
from townsquare.store.tables import TABLES

SIMPLE: dict[type[inspect.Type], st.SearchStrategy[Any]] = {
    inspect.IntType: st.integers(-(2**63), 2**63 - 1),
    inspect.StrType: st.text(max_size=8),
    inspect.BytesType: st.binary(max_size=8),
    inspect.BoolType: st.booleans(),
    inspect.FloatType: st.floats(allow_nan=False),
    inspect.NoneType: st.none(),
}


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Any value of a field."""
    match kind:
        case inspect.StructType():
            return st.builds(kind.cls, **{field.name: values(field.type) for field in kind.fields})
        case inspect.VarTupleType():
            return st.lists(values(kind.item_type), max_size=2).map(tuple)
        case inspect.TupleType():
            return st.tuples(*map(values, kind.item_types))
        case inspect.UnionType():
            return st.one_of(*map(values, kind.types))
        case inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case _:
            return SIMPLE[type(kind)]


def rows() -> st.SearchStrategy[tuple[msgspec.Struct, ...]]:
    """A row for each table."""
    return st.tuples(*[values(inspect.type_info(table.row)) for table in TABLES])


@pytest.mark.parametrize("engine", STORES)
@settings(max_examples=4, deadline=None)
@given(pair=st.tuples(rows(), rows()))
async def test_every_table_gives_back_what_it_was_given(engine: str, pair: tuple[tuple[Any, ...], ...]) -> None:
    async with open_store(engine, TABLES, SetClock()) as store:
        for some in pair:
            await store.write([Put(table, row) for table, row in zip(TABLES, some, strict=True)])
        for table, first, second in zip(TABLES, *pair, strict=True):
            width = len(table.partition)
            kept = {table.key(row): row for row in (first, second)}
            assert await store.get_many(table, list(kept)) == list(kept.values())
            for partition in {key[:width] for key in kept}:
                order = sorted((key for key in kept if key[:width] == partition), reverse=table.newest_first)
                assert await store.range(table, partition, limit=9) == [kept[key] for key in order]
            found, token = await store.scan(table, limit=9)
            assert {table.key(row): row for row in found} == kept
            assert not token


def test_every_table_says_what_it_is_and_can_be_declared_on_a_cluster() -> None:
    for table in TABLES:
        kind = inspect.type_info(table.row)
        assert isinstance(kind, inspect.StructType)
        assert kind.array_like, table.name
        fields = {field.name: field.type for field in kind.fields}
        columns = table.partition + table.clustering
        assert len(set(columns)) == len(columns) > 0, table.name
        assert all(isinstance(fields[c], inspect.IntType | inspect.StrType | inspect.BytesType) for c in columns)
        assert table.about.endswith("."), table.name
        assert table.ttl_s is None or table.ttl_s > 0
    assert len({table.name for table in TABLES}) == len(TABLES)
