"""Keyspaces for tests: one for each set of tables, as making them is slow."""

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any

from townsquare.kit.clock import Clock
from townsquare.store.cassandra import CassandraStore
from townsquare.store.cassandra_schema import create_table, make_schema
from townsquare.store.cassandra_session import Session, read_url
from townsquare.store.port import Table


def keyspace_url(server: str, tables: Sequence[Table[Any]]) -> str:
    """The URL of the keyspace for these tables."""
    return f"{server.rpartition('/')[0]}/contract_{zlib.crc32(''.join(map(create_table, tables)).encode()):08x}"


async def empty_store(server: str, tables: Sequence[Table[Any]], clock: Clock) -> CassandraStore:
    """A store over it, emptied of what the test before wrote, tombstones included."""
    address = read_url(keyspace_url(server, tables))
    session = await Session.open(address)
    await make_schema(session, address.keyspace, tables)
    async with asyncio.TaskGroup() as tasks:
        for table in tables:
            tasks.create_task(session.run(f"TRUNCATE {address.keyspace}.{table.name}"))
    await session.close()  # before the other begins: see Session
    return await CassandraStore.open(keyspace_url(server, tables), tables, clock=clock)
