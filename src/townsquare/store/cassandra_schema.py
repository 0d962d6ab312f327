"""Our tables in Cassandra, made from their declarations by whichever process comes first.

A table that is there is only compared with its declaration: rows are one value each, so nothing but a change of a key
would alter it, and that is no migration but another table.

Box: store.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from townsquare.store.port import Table
from townsquare.store.schema_lease import LEASE_S, only_one

if TYPE_CHECKING:  # what the tables are can be told without the driver
    from townsquare.store.cassandra_session import Session

REPLICAS = 3  # where there are so many nodes
WINDOWS = 28  # of a table's time to live: Cassandra drops a window as a whole

_TYPES: dict[type[msgspec.inspect.Type], str] = {
    msgspec.inspect.IntType: "bigint",
    msgspec.inspect.StrType: "text",
    msgspec.inspect.BytesType: "blob",
}
_LEASES = "leases_of_schema"


def columns(table: Table[Any]) -> dict[str, str]:
    """The columns with their types: the key's, then `v`, the row, and `x`, the microsecond when its time is over."""
    kind = msgspec.inspect.type_info(table.row)
    assert isinstance(kind, msgspec.inspect.StructType)
    kinds = {field.name: type(field.type) for field in kind.fields}
    found = {name: _TYPES[kinds[name]] for name in table.partition + table.clustering}
    return found | {"v": "blob"} if table.ttl_s is None else found | {"v": "blob", "x": "bigint"}


def create_table(table: Table[Any], *, keyspace: str = "") -> str:
    """The statement that makes a table; it changes none that is there."""
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
    listed = ", ".join(f"{name} {kind}" for name, kind in columns(table).items())
    end = "".join(f"\n  {'AND' if n else 'WITH'} {option}" for n, option in enumerate(options))
    name = f"{keyspace}.{table.name}" if keyspace else table.name
    return f"CREATE TABLE IF NOT EXISTS {name} ({listed},\n  PRIMARY KEY ({key})){end}"


async def make_schema(session: "Session", keyspace: str, tables: Sequence[Table[Any]]) -> None:
    """Make the keyspace and the tables that are missing.

    Raises: ValueError where a table is there with another key; Unavailable.
    """
    if not await session.run(f"SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'"):
        await _make_keyspace(session, keyspace)
    if await _missing(session, keyspace, tables):
        async with _lease(session, keyspace):
            for table in await _missing(session, keyspace, tables):
                await session.run(create_table(table, keyspace=keyspace))


async def _make_keyspace(session: "Session", keyspace: str) -> None:
    ((data_center,),) = await session.run("SELECT data_center FROM system.local")
    peers = await session.run("SELECT data_center FROM system.peers_v2")
    nodes = 1 + sum(1 for (where,) in peers if where == data_center)
    await session.run(
        f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', '{data_center}': {REPLICAS if nodes >= REPLICAS else 1}}}"
    )


async def _missing(session: "Session", keyspace: str, tables: Sequence[Table[Any]]) -> list[Table[Any]]:
    """The tables that are not there yet. Raises: ValueError where one is there with another key."""
    there: dict[str, dict[str, tuple[str, str, int, str]]] = {}
    for name, column, *how in await session.run(
        "SELECT table_name, column_name, type, kind, position, clustering_order FROM system_schema.columns "
        f"WHERE keyspace_name = '{keyspace}'"
    ):
        there.setdefault(name, {})[column] = (how[0], how[1], how[2], how[3])
    for table in tables:
        if table.name in there and there[table.name] != _declared(table):
            raise ValueError(
                f"The table {keyspace}.{table.name} in Cassandra has other columns than this version of Townsquare "
                "declares. Run the version that made it, or name another keyspace in the setting store."
            )
    return [table for table in tables if table.name not in there]


def _declared(table: Table[Any]) -> dict[str, tuple[str, str, int, str]]:
    """The columns as `system_schema.columns` has them."""
    order = "desc" if table.newest_first else "asc"
    found = {}
    for name, kind in columns(table).items():
        if name in table.partition:
            found[name] = (kind, "partition_key", table.partition.index(name), "none")
        elif name in table.clustering:
            found[name] = (kind, "clustering", table.clustering.index(name), order)
        else:
            found[name] = (kind, "regular", -1, "none")
    return found


@asynccontextmanager
async def _lease(session: "Session", keyspace: str) -> AsyncIterator[None]:
    """Only one at a time makes tables: two that make the same one on two nodes would make two of one name.

    The table of leases itself has an id that follows from its name, so that it does not matter who makes it.
    """
    leases = f"{keyspace}.{_LEASES}"
    table_id = uuid5(NAMESPACE_URL, f"cassandra:{leases}")
    await session.run(f"CREATE TABLE IF NOT EXISTS {leases} (name text PRIMARY KEY, holder text) WITH id = {table_id}")
    taking = f"INSERT INTO {leases} (name, holder) VALUES (?, ?) IF NOT EXISTS USING TTL {LEASE_S}"
    giving = f"DELETE FROM {leases} WHERE name = ? IF holder = ?"

    async def take(holder: str) -> bool:
        return bool((await session.agree(taking, ["schema", holder]))[0])

    async with only_one(take, lambda holder: session.agree(giving, ["schema", holder])):
        yield
