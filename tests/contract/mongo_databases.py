"""Databases for tests: one for each set of tables, as making them is slow.

Where the server is a real one, a clock that stands in the past would have it remove rows whose time is over; within a
minute at the earliest, so that no test here meets it.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Any

from townsquare.kit.clock import Clock
from townsquare.store.mongo import MongoStore
from townsquare.store.mongo_batches import BATCHES
from townsquare.store.mongo_documents import Side
from townsquare.store.mongo_schema import declared, make_schema
from townsquare.store.mongo_session import Session
from townsquare.store.port import Table


def database_url(server: str, name: str) -> str:
    """The URL of another database of the server, with the same options."""
    return re.sub(r"(//[^/?]+)/?[^?]*", rf"\g<1>/{name}", server, count=1)


def tables_url(server: str, tables: Sequence[Table[Any]]) -> str:
    """The URL of the database for these tables."""
    keys = "".join(f"{table.name}{declared(table)}" for table in tables)
    return database_url(server, f"contract_{zlib.crc32(keys.encode()):08x}")


async def empty_store(server: str, tables: Sequence[Table[Any]], clock: Clock, *, routed: bool = False) -> MongoStore:
    """A store over it, emptied of what the test before wrote, tombstones included.

    `routed`: it asks as it would ask a sharded cluster.
    """
    url = tables_url(server, tables)
    session = await Session.open(url)
    await make_schema(session, tables)
    for name in (BATCHES, *(table.name for table in tables)):
        await session.delete_all(name, {})
    if routed:
        return MongoStore(session, {table.name: Side(table, routed=True) for table in tables}, clock=clock)
    await session.close()
    return await MongoStore.open(url, tables, clock=clock)
