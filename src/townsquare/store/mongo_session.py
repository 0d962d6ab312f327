"""A connection to MongoDB: where it is, what its driver is told, and what the driver's errors become here.

Box: store. Source: https://www.mongodb.com/docs/manual/, the driver pymongo (docs/decisions/0012-mongodb.md).
"""

import asyncio
import re
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import pymongo
from pymongo import AsyncMongoClient, ReadPreference, UpdateOne, WriteConcern, errors
from pymongo.read_concern import ReadConcern

from townsquare.model.errors import Unavailable

REQUEST_WITHIN_S = 4.0  # repeats after a change of the primary included
CONNECT_WITHIN_S = 4.0
GIVE_UP_AFTER_S = 3 * REQUEST_WITHIN_S  # the wait for our turn included
MOST_AT_ONCE = 32  # requests of a process; more wait their turn here, where it does not count as the server's time
SCHEMA_WITHIN_S = 60.0  # one collection, its index or its shards

Document = dict[str, Any]
T = TypeVar("T")

_DUPLICATE = 11000
_NO_ENTRY = (13, 18)  # Unauthorized, AuthenticationFailed
# BadValue, FailedToParse, TypeMismatch, NamespaceNotFound, IndexNotFound, CannotCreateIndex, CommandNotFound,
# InvalidOptions, IndexOptionsConflict, IndexKeySpecsConflict, CommandNotSupported, ShardKeyNotFound
_MISTAKES = (2, 9, 14, 26, 27, 59, 61, 67, 72, 85, 86, 115)
_BY_ID = [("_id", pymongo.ASCENDING)]
_SEEN = {"v": 1, "ts": 1, "n": 1}  # of a row, beside its _id
_FORM = "mongodb://[USER:PASSWORD@]HOST[:PORT][,HOST...]/DATABASE[?OPTIONS] or mongodb+srv://..."
_URL = re.compile(r"mongodb(?:\+srv)?://[^/?]+/(?P<database>[A-Za-z][A-Za-z0-9_-]{0,37})(?:\?.*)?")


class Update(NamedTuple):
    """A change of one document."""

    where: Document
    change: Document
    upsert: bool = False


class Outcome(NamedTuple):
    """What became of some updates."""

    matched: int  # documents that were there
    refused: Sequence[int]  # which updates were to insert a document whose key was taken


def database_of(url: str) -> str:
    """The database in a setting. Raises: ValueError with a sentence that does not show the password."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(
            f"The setting store must look like {_FORM}; the database's name is of letters, digits, _ and -."
        )
    return unquote(found["database"])


class Session:
    """The driver's client for one database: majority reads from the primary, majority and journaled writes.

    Use from one event loop. All that it does but `insert` is repeatable, and the driver repeats it where it can.
    """

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        """See `open`."""
        self._client, self._open = client, True
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self.database = database
        self._db = client.get_database(
            database,
            read_preference=ReadPreference.PRIMARY,
            write_concern=WriteConcern(w="majority", j=True),
            read_concern=ReadConcern("majority"),
        )

    @classmethod
    async def open(cls, url: str) -> "Session":
        """Connect. Raises: Unavailable; ValueError for a URL or a log-in that is not right."""
        database = database_of(url)
        try:
            client: AsyncMongoClient[Document] = AsyncMongoClient(
                url,
                appname="townsquare",
                timeoutMS=int(REQUEST_WITHIN_S * 1000),
                serverSelectionTimeoutMS=int(CONNECT_WITHIN_S * 1000),
                connectTimeoutMS=int(CONNECT_WITHIN_S * 1000),
                maxPoolSize=MOST_AT_ONCE,
            )
        except (errors.ConfigurationError, ValueError) as exc:
            raise ValueError(f"The setting store must look like {_FORM}.") from exc
        session = cls(client, database)
        try:
            await session._ask(client.admin.command("ping"))
        except BaseException:
            await session.close()
            raise
        return session

    async def is_sharded(self) -> bool:
        """Whether it is the router of a sharded cluster that answers. Raises: Unavailable."""
        return bool(await self._ask(self._client.is_mongos))

    async def command(self, name: str, value: Any = 1, **options: Any) -> Document:
        """A command to the database `admin`."""
        with pymongo.timeout(SCHEMA_WITHIN_S):
            return await self._ask(self._client.admin.command(name, value, **options), SCHEMA_WITHIN_S)

    async def make_index(self, collection: str, field: str, **options: Any) -> None:
        """Make an index over one field, and the collection with it, where they are not there."""
        with pymongo.timeout(SCHEMA_WITHIN_S):
            await self._ask(self._db[collection].create_index(field, **options), SCHEMA_WITHIN_S)

    async def one(self, collection: str, where: Document) -> Document | None:
        """The document of a row, by its full key."""
        return await self._ask(self._db[collection].find_one(where, _SEEN))

    async def many(
        self, collection: str, where: Document, *, limit: int, down: bool = False, fields: Mapping[str, int] = _SEEN
    ) -> list[Document]:
        """Documents by and in the order of their `_id`."""
        cursor = self._db[collection].find(
            where,
            fields,
            limit=limit,
            batch_size=limit,
            hint=_BY_ID,  # else the index of the shard key may be taken, and the rows sorted
            sort=[("_id", pymongo.DESCENDING if down else pymongo.ASCENDING)],
        )
        return await self._ask(cursor.to_list())

    async def found(self, collection: str, where: Document, *, limit: int) -> list[Document]:
        """Whole documents by any fields."""
        return await self._ask(self._db[collection].find(where, limit=limit, batch_size=limit).to_list())

    async def insert(self, collection: str, document: Document) -> bool:
        """Insert a document; False where its key is taken, be it by a repeat."""
        try:
            await self._ask(self._db[collection].insert_one(document))
        except _TakenError:
            return False
        return True

    async def update(self, collection: str, updates: Sequence[Update]) -> Outcome:
        """Make changes of one document each, in any order."""
        if len(updates) > 1:
            return await self._ask(self._bulk(collection, updates))
        where, change, upsert = updates[0]
        try:
            result = await self._ask(self._db[collection].update_one(where, change, upsert=upsert))
        except _TakenError:
            return Outcome(0, (0,))
        return Outcome(result.matched_count, ())

    async def _bulk(self, collection: str, updates: Sequence[Update]) -> Outcome:
        requests = [UpdateOne(where, change, upsert=upsert) for where, change, upsert in updates]
        try:
            result = await self._db[collection].bulk_write(requests, ordered=False)
        except errors.BulkWriteError as exc:
            details: Any = exc.details
            refused = [error["index"] for error in details["writeErrors"] if error["code"] == _DUPLICATE]
            if len(refused) < len(details["writeErrors"]) or details["writeConcernErrors"]:
                raise
            return Outcome(details["nMatched"], refused)
        return Outcome(result.matched_count, ())

    async def update_all(self, collection: str, where: Document, change: Document) -> None:
        """Change all that match, each by itself."""
        await self._ask(self._db[collection].update_many(where, change))

    async def delete_all(self, collection: str, where: Document) -> None:
        """Remove all that match, each by itself."""
        await self._ask(self._db[collection].delete_many(where))

    async def drop(self) -> None:
        """Remove the whole database: for tests."""
        await self._ask(self._client.drop_database(self.database))

    async def close(self) -> None:
        """Disconnect."""
        if self._open:
            self._open = False
            await self._client.close()

    async def _ask(self, asked: Coroutine[Any, Any, T], within_s: float = GIVE_UP_AFTER_S) -> T:
        try:
            async with asyncio.timeout(within_s), self._turns:
                return await asked
        except errors.DuplicateKeyError as exc:
            raise _TakenError from exc
        except TimeoutError as exc:
            raise Unavailable("The store does not answer just now") from exc
        except errors.PyMongoError as exc:
            if isinstance(exc, errors.InvalidOperation) and not self._open:
                raise Unavailable("The store is closed") from exc
            raise _translated(exc) from exc
        finally:
            asked.close()  # it may not have had its turn


class _TakenError(Exception):
    """A document with this key is there."""


def _translated(exc: errors.PyMongoError) -> Exception:
    if isinstance(exc, errors.BulkWriteError):
        details: Any = exc.details
        codes = {error["code"] for error in details["writeErrors"]} - {_DUPLICATE}
    else:
        codes = {exc.code} if isinstance(exc, errors.OperationFailure) else set()
    if codes.intersection(_NO_ENTRY):
        return ValueError("MongoDB does not let us in: see the user and password in the setting store.")
    if codes.intersection(_MISTAKES) or isinstance(exc, errors.InvalidOperation):
        return RuntimeError(f"MongoDB refuses what we ask: {exc}")
    return Unavailable("The store does not answer just now")
