"""What MongoDB promises beyond every store: its URL, one making of the tables, batches whose writers die, and nothing
lost with the server. The server is the stand-in, but where `TOWNSQUARE_TEST_MONGO_URL` names a real one.

Suite: store.
"""

import asyncio
import gc
import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import msgspec
import pytest

from tests.contract.engines import SERVERS
from tests.contract.servers import mongo_server
from tests.engines import control
from townsquare.kit.clock import SetClock, SystemClock
from townsquare.model.errors import Unavailable
from townsquare.store.keys import encode
from townsquare.store.port import Delete, Put, Table

pytest.importorskip("pymongo", reason="pymongo is not installed: pip install townsquare[cluster]")

from tests.contract.mongo_databases import database_url, empty_store, tables_url
from townsquare.store.mongo import MongoStore
from townsquare.store.mongo_batches import ABORTED_KEPT_MS, BATCHES, OLD_MS, Batches
from townsquare.store.mongo_documents import sortable
from townsquare.store.mongo_session import Outcome, Session, Update, database_of

T = TypeVar("T")


class Word(msgspec.Struct, frozen=True, array_like=True):
    """A row of a partition of one text."""

    book: str
    word: str = ""
    n: int = 0


class Number(msgspec.Struct, frozen=True, array_like=True):
    """A row with another key."""

    n: int


WORDS = Table(name="words", row=Word, partition=("book",), clustering=("word",), about="Words.")
TOTALS = Table(name="totals", row=Word, partition=("book",), about="One for each book.")
LONG_AGO = Table(name="brief", row=Word, partition=("book",), clustering=("word",), ttl_s=60, about="Gone soon.")
NUMBERS = Table(name="words", row=Number, partition=("n",), about="Another key under the same name.")
TABLES = (WORDS, TOTALS, LONG_AGO)


@pytest.mark.parametrize(
    "url",
    ["mongodb://a/town", "mongodb://me:s%2Fp@a:1,b:2/town?replicaSet=rs0&tls=true", "mongodb+srv://a.example/town?w=1"],
)
def test_the_database_stands_in_the_url(url: str) -> None:
    assert database_of(url) == "town"


@pytest.mark.parametrize(
    "url", ["mongodb:a/town", "mongodb://a", "mongodb://a/", "mongodb://me:secret@a/?x=1", "mongodb://me:secret@a/a.b"]
)
def test_another_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="must look like") as refused:
        database_of(url)
    assert "secret" not in str(refused.value)


async def test_a_url_that_the_driver_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="must look like") as refused:
        await Session.open("mongodb://me:secret@a:port/town")
    assert "secret" not in str(refused.value)


@pytest.fixture
def _a_socket_of_the_driver() -> Iterator[None]:
    """pymongo 4.13 forgets a socket that was connecting when its client was closed; it is found here."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.slow
@pytest.mark.usefixtures("_a_socket_of_the_driver")
async def test_where_nobody_listens_the_store_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await MongoStore.open("mongodb://127.0.0.1:1/town", [WORDS], clock=SystemClock())


def test_texts_of_keys_sort_like_the_keys() -> None:
    keys = [(-(2**63),), (-1,), (0,), (0, ""), (0, "a"), (0, "a\0"), (0, "a\0b"), (0, "ab"), (1,), (255,), (256,)]
    assert sorted(keys, key=lambda key: sortable(encode(key))) == keys


class Crash(Exception):
    """The process is no more."""


class DyingSession:
    """Passes calls on, and dies at one of them."""

    def __init__(self, session: Session, *, before: str) -> None:
        self._session, self._before = session, before

    async def insert(self, collection: str, document: dict[str, object]) -> bool:
        if self._before == "commit":
            raise Crash
        return await self._session.insert(collection, document)

    async def update(self, collection: str, updates: list[Update]) -> Outcome:
        placing = "$push" not in updates[0].change
        if placing and (self._before == "place" or (self._before == "place totals" and collection == TOTALS.name)):
            raise Crash
        return await self._session.update(collection, updates)

    async def many(self, collection: str, where: dict[str, object], **more: object) -> list[dict[str, object]]:
        return await self._session.many(collection, where, **more)  # type: ignore[arg-type]  # as they came


class LateSession(DyingSession):
    """Does something else before the first update, as if that were on its way for long."""

    def __init__(self, session: Session, first: Callable[[], Awaitable[object]]) -> None:
        super().__init__(session, before="")
        self._first: Callable[[], Awaitable[object]] | None = first

    async def update(self, collection: str, updates: list[Update]) -> Outcome:
        first, self._first = self._first, None
        if first is not None:
            await first()
        return await super().update(collection, updates)


@pytest.fixture
def server() -> str:
    return mongo_server()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=[False, True], ids=["", "routed"])
async def store(request: pytest.FixtureRequest, server: str, clock: SetClock) -> AsyncIterator[MongoStore]:
    opened = await empty_store(server, TABLES, clock, routed=request.param)
    yield opened
    await opened.close()


async def _die(store: MongoStore, clock: SetClock, *, before: str, n: int = 1) -> None:
    """A writer of two words and their total dies before a part of its work."""
    writes = [Put(WORDS, Word("b", "x", n)), Put(WORDS, Word("b", "y", n)), Put(TOTALS, Word("b", n=n))]
    dying = DyingSession(store._session, before=before)
    batches = Batches(dying, store._sides, clock)  # type: ignore[arg-type]  # it has what a batch calls
    with pytest.raises(Crash):
        await batches.write(store._step(writes, store._stamp()).together)


async def _numbers(store: MongoStore) -> tuple[list[int], int]:
    """Those of the words, and that of their total."""
    rows = await store.range(WORDS, ("b",), limit=9)
    total = await store.get(TOTALS, ("b",))
    return [row.n for row in rows], 0 if total is None else total.n


async def _on_its_way(store: MongoStore) -> int:
    """Documents that are told of a batch."""
    return sum([len(await store._session.found(t.name, {"n.0": {"$exists": True}}, limit=99)) for t in TABLES])


class TestOrder:
    pytestmark = SERVERS

    @pytest.mark.parametrize("gone", [False, True])
    async def test_a_write_that_was_on_its_way_stands_over_a_quicker_compare_and_set(
        self, server: str, store: MongoStore, clock: SetClock, gone: bool
    ) -> None:
        other = await MongoStore.open(tables_url(server, TABLES), TABLES, clock=clock)
        await other.write([Put(WORDS, Word("b", "x", 1))])

        async def edit() -> None:
            clock.advance(seconds=5)
            assert await other.slow_compare_and_set(WORDS, Word("b", "x", 1), Word("b", "x", 2))

        session = store._session
        store._session = LateSession(session, edit)  # type: ignore[assignment]  # it has what a write calls
        await store.write([Delete(WORDS, ("b", "x")) if gone else Put(WORDS, Word("b", "x", 3))])
        store._session = session
        expected = None if gone else Word("b", "x", 3)
        assert await other.get(WORDS, ("b", "x")) == expected
        await store.write([Put(WORDS, Word("b", "x", 4))], at=1)  # but what is late by its own word is late
        assert await store.get(WORDS, ("b", "x")) == expected
        await other.close()

    async def test_the_later_call_wins_though_the_clock_of_the_earlier_was_ahead(
        self, server: str, store: MongoStore
    ) -> None:
        ahead = SetClock()
        ahead.advance(seconds=3600)
        other = await MongoStore.open(tables_url(server, TABLES), TABLES, clock=ahead)
        await other.write([Put(WORDS, Word("b", "x", 1))])
        await store.write([Put(WORDS, Word("b", "x", 2))])
        assert await other.get(WORDS, ("b", "x")) == Word("b", "x", 2)
        await other.close()


class TestBatches:
    pytestmark = SERVERS

    async def test_nothing_is_left_of_a_batch_that_is_done(self, store: MongoStore) -> None:
        await store.write([Put(WORDS, Word("b", word, 1)) for word in "xy"] + [Put(TOTALS, Word("b", n=1))])
        assert await _numbers(store) == ([1, 1], 1)
        assert await _on_its_way(store) == 0
        await store.sweep()
        (record,) = await store._session.found(BATCHES, {}, limit=9)
        assert record.keys() == {"_id", "x"}  # the server removes it

    @pytest.mark.parametrize("kept", [True, False])
    async def test_a_writer_that_dies_before_the_commit_wrote_nothing(
        self, store: MongoStore, clock: SetClock, kept: bool
    ) -> None:
        if kept:
            await store.write([Put(WORDS, Word("b", word, 1)) for word in "xy"] + [Put(TOTALS, Word("b", n=1))])
        before = await _numbers(store)
        await _die(store, clock, before="commit", n=2)
        assert await _numbers(store) == before
        assert await _on_its_way(store) == 3
        clock.advance(seconds=OLD_MS / 1000 + 1)
        assert await _numbers(store) == before
        assert await _on_its_way(store) == 0

    @pytest.mark.parametrize("before", ["place", "place totals"])
    async def test_a_writer_that_dies_after_the_commit_wrote_all(
        self, store: MongoStore, clock: SetClock, before: str
    ) -> None:
        await store.write([Put(WORDS, Word("b", "x", 1)), Delete(WORDS, ("b", "y"))])
        await _die(store, clock, before=before, n=2)
        assert await _numbers(store) == ([2, 2], 2)
        assert await store.slow_put_if_absent(TOTALS, Word("b", n=7)) == Word("b", n=2)
        assert await store.sweep() == 0  # its writer might still be at it
        clock.advance(seconds=OLD_MS / 1000 + 1)
        assert await store.sweep() == 1
        assert await _on_its_way(store) == 0
        assert await _numbers(store) == ([2, 2], 2)
        assert await store.sweep() == 0

    async def test_what_comes_later_than_a_dead_writers_batch_is_kept(self, store: MongoStore, clock: SetClock) -> None:
        await _die(store, clock, before="place", n=2)
        await store.write([Put(TOTALS, Word("b", n=3))])
        assert await store.slow_compare_and_set(WORDS, Word("b", "x", 2), Word("b", "x", 3))
        await store.write([Put(WORDS, Word("b", word, 4)) for word in "yz"])
        clock.advance(seconds=OLD_MS / 1000 + 1)
        await store.sweep()
        assert await _numbers(store) == ([3, 4, 4], 3)
        assert await _on_its_way(store) == 0
        await store.drop(WORDS, ("b",))
        assert await _numbers(store) == ([], 3)

    async def test_a_reader_that_loses_patience_forbids_the_commit(self, store: MongoStore, clock: SetClock) -> None:
        told, go_on = asyncio.Event(), asyncio.Event()

        class Slow(DyingSession):
            async def insert(self, collection: str, document: dict[str, object]) -> bool:
                told.set()
                await go_on.wait()
                return await super().insert(collection, document)

        slow = Batches(Slow(store._session, before=""), store._sides, clock)  # type: ignore[arg-type]  # as above
        writes = [Put(WORDS, Word("b", "x", 1)), Put(WORDS, Word("b", "y", 1))]
        writing = asyncio.create_task(slow.write(store._step(writes, store._stamp()).together))
        await told.wait()
        clock.advance(seconds=OLD_MS / 1000 + 1)
        assert await _numbers(store) == ([], 0)
        go_on.set()
        with pytest.raises(Unavailable):
            await writing
        assert await _numbers(store) == ([], 0)
        assert ABORTED_KEPT_MS > 2 * OLD_MS

    async def test_many_writers_of_one_partition_leave_the_last_of_each_row(self, store: MongoStore) -> None:
        async def write(writer: int) -> None:
            for n in range(10):
                at = n * 10 + writer
                rows = [Put(WORDS, Word("b", word, at)) for word in "xyz"]
                await store.write([*rows, Put(TOTALS, Word("b", n=at))], at=at + 1)

        async def read() -> None:
            for _ in range(40):
                assert len(set((await _numbers(store))[0])) <= 1
                rows = await store.get_many(WORDS, [("b", word) for word in "xyz"])
                assert len({None if row is None else row.n for row in rows}) == 1

        async with asyncio.TaskGroup() as tasks:
            for writer in range(4):
                tasks.create_task(write(writer))
            tasks.create_task(read())
        assert await _numbers(store) == ([93] * 3, 93)
        assert await _on_its_way(store) == 0


class TestServer:
    pytestmark = SERVERS

    async def test_ranges_of_many_go_on_where_one_partition_is_full(self, store: MongoStore) -> None:
        books = [f"b{n}" for n in range(5)]
        await store.write(
            [Put(WORDS, Word(book, f"{n:02}", n)) for book in books for n in range(1 + 9 * (book == "b0"))]
        )
        found = await store.range_many(WORDS, [(book,) for book in [*books, "none", "b0"]], limit=2)
        assert [[row.n for row in rows] for rows in found] == [[0, 1], [0], [0], [0], [0], [], [0, 1]]

    async def test_many_that_start_at_once_make_the_tables_once(self, server: str) -> None:
        url = database_url(server, f"contract_start_{os.urandom(4).hex()}")
        tables = [WORDS, *(msgspec.structs.replace(WORDS, name=f"words{n}") for n in range(3))]
        stores = await asyncio.gather(*[MongoStore.open(url, tables, clock=SystemClock()) for _ in range(4)])
        for n, store in enumerate(stores):
            await store.write([Put(WORDS, Word(str(n)))])
        rows, _ = await stores[0].scan(WORDS, limit=9)
        assert {row.book for row in rows} == {"0", "1", "2", "3"}
        await stores[0]._session.drop()
        await asyncio.gather(*[store.close() for store in stores])
        with pytest.raises(Unavailable):
            await stores[0].get(WORDS, ("0", ""))

    async def test_a_table_with_another_key_is_refused(self, store: MongoStore, server: str) -> None:
        with pytest.raises(ValueError, match="words in MongoDB has other keys"):
            await MongoStore.open(tables_url(server, TABLES), [NUMBERS], clock=SystemClock())

    async def test_what_the_server_refuses_is_a_mistake_of_ours(self, store: MongoStore) -> None:
        with pytest.raises(RuntimeError, match="MongoDB refuses"):
            await store._session.command("noSuchCommand")

    @pytest.mark.usefixtures("_a_socket_of_the_driver")
    @pytest.mark.skipif("TOWNSQUARE_TEST_MONGO_URL" in os.environ, reason="a real one is not ours to kill")
    async def test_what_was_acknowledged_outlives_the_killed_server(self, server: str) -> None:
        """The clients' session goes on when the server is back. Every row is one of a batch."""
        store = await empty_store(server, TABLES, SystemClock())
        kept: set[str] = set()
        tried: set[str] = set()
        enough, killed = asyncio.Event(), asyncio.Event()

        async def write(writer: int) -> None:
            n = 0
            while not killed.is_set():
                n += 1
                book = f"{writer}-{n}"
                tried.add(book)
                try:
                    await store.write(
                        [Put(WORDS, Word(book, word, n)) for word in "xy"] + [Put(TOTALS, Word(book, n=n))]
                    )
                except Unavailable:
                    continue
                kept.add(book)
                if len(kept) == 200:
                    enough.set()

        async def kill() -> None:
            await enough.wait()
            await asyncio.to_thread(control.kill, "mongo")
            killed.set()

        async with asyncio.TaskGroup() as tasks:
            for writer in range(8):
                tasks.create_task(write(writer))
            tasks.create_task(kill())
        with pytest.raises(Unavailable):
            await store.get(TOTALS, ("0-1",))
        await asyncio.to_thread(control.start, "mongo")
        await asyncio.to_thread(control.wait, "mongo")
        books = sorted(tried)
        totals = await _when_it_is_back(lambda: store.get_many(TOTALS, [(book,) for book in books]))
        words = await store.range_many(WORDS, [(book,) for book in books], limit=3)
        whole = [(total is not None, len(rows)) for total, rows in zip(totals, words, strict=True)]
        assert set(whole) <= {(True, 2), (False, 0)}
        assert kept <= {book for book, (there, _) in zip(books, whole, strict=True) if there}
        await store.write([Put(TOTALS, Word("after"))])
        await store.close()


async def _when_it_is_back(call: Callable[[], Awaitable[T]]) -> T:
    async with asyncio.timeout(30):
        while True:
            try:
                return await call()
            except Unavailable:
                await asyncio.sleep(0.2)
