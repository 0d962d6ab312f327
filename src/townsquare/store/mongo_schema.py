"""Our collections in MongoDB, made from the tables' declarations by whichever process comes first.

`_schema` says what each collection's keys are made of. A table that is there is only compared with its declaration:
rows are one value each, so nothing but a change of a key would alter it, and that is no migration but another table.

Box: store.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from townsquare.store.mongo_batches import BATCHES
from townsquare.store.mongo_session import Session, Update
from townsquare.store.port import Table
from townsquare.store.schema_lease import LEASE_S, only_one

_SCHEMA = "_schema"
_LEASE = "the lease"  # no table has a name with a space
_AGREED = "p is the shard key, hashed; x the date of removal"  # what is said of `_batches`

_TYPES: dict[type[msgspec.inspect.Type], str] = {
    msgspec.inspect.IntType: "int",
    msgspec.inspect.StrType: "str",
    msgspec.inspect.BytesType: "bytes",
}


def declared(table: Table[Any]) -> str:
    """What a table's keys are made of: `account_id int; target int`."""
    kind = msgspec.inspect.type_info(table.row)
    assert isinstance(kind, msgspec.inspect.StructType)
    kinds = {field.name: _TYPES.get(type(field.type), "") for field in kind.fields}
    parts = (table.partition, table.clustering)
    return "; ".join(", ".join(f"{name} {kinds[name]}" for name in part) for part in parts)


async def make_schema(session: Session, tables: Sequence[Table[Any]]) -> None:
    """Make the collections that are missing.

    Raises: ValueError where a table is there with another key, or may not be made; Unavailable.
    """
    if await _missing(session, tables):
        async with _lease(session):
            sharded = await session.is_sharded()
            if sharded:
                await session.command("enableSharding", session.database)
            for name, what in (await _missing(session, tables)).items():
                await _make(session, name, sharded=sharded)
                await session.update(_SCHEMA, [Update({"_id": name}, {"$set": {"key": what}}, upsert=True)])


async def _make(session: Session, name: str, *, sharded: bool) -> None:
    await session.make_index(name, "x", expireAfterSeconds=0, sparse=True)
    if name == BATCHES:
        await session.make_index(name, "open", sparse=True)
    if sharded:
        key = {"_id" if name == BATCHES else "p": "hashed"}
        await session.command("shardCollection", f"{session.database}.{name}", key=key)


async def _missing(session: Session, tables: Sequence[Table[Any]]) -> dict[str, str]:
    """What is not there yet, with its keys. Raises: ValueError where one is there with another key."""
    wanted = {BATCHES: _AGREED} | {table.name: declared(table) for table in tables}
    records = await session.found(_SCHEMA, {"_id": {"$ne": _LEASE}}, limit=10_000)
    there = {record["_id"]: record["key"] for record in records}
    for name, what in wanted.items():
        if there.get(name, what) != what:
            raise ValueError(
                f"The table {session.database}.{name} in MongoDB has other keys ({there[name]}) than this version of "
                "Townsquare declares. Run the version that made it, or name another database in the setting store."
            )
    return {name: what for name, what in wanted.items() if name not in there}


def _lease(session: Session) -> AbstractAsyncContextManager[None]:
    """Only one at a time makes collections."""

    async def take(holder: str) -> bool:
        now = time.time()
        free = Update(
            {"_id": _LEASE, "until": {"$lt": now}}, {"$set": {"holder": holder, "until": now + LEASE_S}}, True
        )
        return not (await session.update(_SCHEMA, [free])).refused

    return only_one(take, lambda holder: session.delete_all(_SCHEMA, {"_id": _LEASE, "holder": holder}))
