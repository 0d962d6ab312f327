"""What Cassandra promises beyond every store: its URL, one making of the tables, and nothing lost with a node.

Suite: store.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import msgspec
import pytest

from tests.contract.engines import SERVERS
from tests.contract.servers import servers
from tests.engines import control
from townsquare.kit.clock import SystemClock
from townsquare.model.errors import Unavailable
from townsquare.store.port import Delete, Put, Table

pytest.importorskip("acsylla", reason="acsylla is not installed: pip install townsquare[cluster]")

from tests.contract.cassandra_keyspaces import empty_store, keyspace_url
from townsquare.store.cassandra import CassandraStore
from townsquare.store.cassandra_session import Address, Session, read_url

T = TypeVar("T")


class Word(msgspec.Struct, frozen=True, array_like=True):
    """A row whose partition is one text."""

    word: str
    n: int = 0


class LongWord(msgspec.Struct, frozen=True, array_like=True):
    """The same in a later version."""

    word: str
    n: int = 0
    meaning: str = ""


class Number(msgspec.Struct, frozen=True, array_like=True):
    """A row with another key."""

    n: int


WORDS = Table(name="words", row=Word, partition=("word",), about="Words.")
LONG_WORDS = Table(name="words", row=LongWord, partition=("word",), about="Words, later.")
NUMBERS = Table(name="words", row=Number, partition=("n",), about="Another key under the same name.")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("cassandra://a/town", Address(hosts=("a",), keyspace="town")),
        ("cassandra://a,10.0.0.2:9043/town", Address(hosts=("a", "10.0.0.2"), port=9043, keyspace="town")),
        (
            "cassandra://me:s%2Fp@a/t?dc=eu-1",
            Address(hosts=("a",), keyspace="t", user="me", password="s/p", data_center="eu-1"),
        ),
    ],
)
def test_the_address_stands_in_the_url(url: str, address: Address) -> None:
    assert read_url(url) == address


@pytest.mark.parametrize(
    "url", ["cassandra:a/town", "cassandra://a", "cassandra://a/", "cassandra://a/T", "cassandra://me:secret@a/t?x=1"]
)
def test_another_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="must look like") as refused:
        read_url(url)
    assert "secret" not in str(refused.value)


async def test_where_nobody_listens_the_store_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await CassandraStore.open("cassandra://127.0.0.1:1/town", [WORDS], clock=SystemClock())


@pytest.fixture
def server() -> str:
    return servers().url("cassandra", needs="acsylla")


@pytest.fixture
async def session(server: str) -> AsyncIterator[Session]:
    opened = await Session.open(read_url(server))
    yield opened
    await opened.close()


async def _when_it_is_back(call: Callable[[], Awaitable[T]]) -> T:
    """The driver looks for its nodes again after a second or some."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await call()
            except Unavailable:
                await asyncio.sleep(0.2)


def _in_us(seconds: float) -> int:
    """A time to come, in Unix microseconds."""
    return time.time_ns() // 1000 + int(seconds * 1_000_000)


class TestOneNode:
    pytestmark = SERVERS

    async def test_an_empty_word_and_a_zero_are_keys_of_their_own(self, server: str) -> None:
        store = await empty_store(server, [WORDS], SystemClock())
        words = ["", "\0", "\0\0", "a"]
        await store.write([Put(WORDS, Word(word, n)) for n, word in enumerate(words)])
        assert await store.get_many(WORDS, [(word,) for word in words]) == [Word(w, n) for n, w in enumerate(words)]
        await store.drop(WORDS, ("",))
        assert await store.get(WORDS, ("",)) is None
        assert await store.get(WORDS, ("\0",)) == Word("\0", 1)
        await store.close()

    async def test_a_row_in_the_bytes_of_an_older_version_is_compared_by_what_it_says(self, server: str) -> None:
        older = await empty_store(server, [WORDS], SystemClock())
        await older.write([Put(WORDS, Word("a", 1))])
        store = await CassandraStore.open(keyspace_url(server, [WORDS]), [LONG_WORDS], clock=SystemClock())
        assert not await store.slow_compare_and_set(LONG_WORDS, LongWord("a", 2), LongWord("a", 3))
        assert await store.slow_compare_and_set(LONG_WORDS, LongWord("a", 1), LongWord("a", 2, "letter"))
        assert await older.get(WORDS, ("a",)) == Word("a", 2)
        await asyncio.gather(older.close(), store.close())

    async def test_a_consensus_is_seen_though_the_row_is_from_a_clock_ahead(self, server: str) -> None:
        store = await empty_store(server, [WORDS], SystemClock())
        await store.write([Put(WORDS, Word("a", 1))], at=_in_us(0.4))
        assert await store.slow_compare_and_set(WORDS, Word("a", 1), Word("a", 2))
        assert await store.get(WORDS, ("a",)) == Word("a", 2)
        await store.write([Delete(WORDS, ("b",))], at=_in_us(0.4))
        assert await store.slow_put_if_absent(WORDS, Word("b", 1)) is None
        assert await store.get(WORDS, ("b",)) == Word("b", 1)
        await store.close()

    async def test_of_a_clock_far_ahead_a_consensus_says_that_it_cannot(self, server: str) -> None:
        store = await empty_store(server, [WORDS], SystemClock())
        await store.write([Put(WORDS, Word("a", 1))], at=_in_us(60))
        with pytest.raises(Unavailable, match="ahead"):
            await store.slow_compare_and_set(WORDS, Word("a", 1), Word("a", 2))
        assert await store.get(WORDS, ("a",)) == Word("a", 1)
        await store.close()

    async def test_many_that_start_at_once_make_the_tables_once(self, server: str, session: Session) -> None:
        await session.run("DROP KEYSPACE IF EXISTS contract_start")
        url = f"{server.rpartition('/')[0]}/contract_start"
        tables = [WORDS, *(msgspec.structs.replace(WORDS, name=f"words{n}") for n in range(3))]
        stores = await asyncio.gather(*[CassandraStore.open(url, tables, clock=SystemClock()) for _ in range(4)])
        for n, store in enumerate(stores):
            await store.write([Put(WORDS, Word(str(n)))])
        rows, _ = await stores[0].scan(WORDS, limit=9)
        assert {row.word for row in rows} == {"0", "1", "2", "3"}
        await asyncio.gather(*[store.close() for store in stores])
        with pytest.raises(Unavailable):
            await stores[0].get(WORDS, ("0",))

    async def test_a_table_with_another_key_is_refused(self, server: str) -> None:
        store = await empty_store(server, [WORDS], SystemClock())
        await store.close()
        with pytest.raises(ValueError, match="words in Cassandra has other columns"):
            await CassandraStore.open(keyspace_url(server, [WORDS]), [NUMBERS], clock=SystemClock())

    async def test_what_was_acknowledged_outlives_the_killed_node(self, server: str) -> None:
        """The clients' session goes on when the node is back."""
        store = await empty_store(server, [WORDS], SystemClock())
        kept: set[str] = set()
        refused = 0
        enough, killed = asyncio.Event(), asyncio.Event()

        async def write(writer: int) -> None:
            nonlocal refused
            for n in range(100_000):
                try:
                    await store.write([Put(WORDS, Word(f"{writer}-{n}", n))])
                    kept.add(f"{writer}-{n}")
                    if len(kept) == 500:
                        enough.set()
                except Unavailable:
                    refused += 1
                    if killed.is_set():
                        return

        async def kill() -> None:
            await enough.wait()
            await asyncio.to_thread(control.kill, "cassandra")
            killed.set()

        async with asyncio.TaskGroup() as tasks:
            for writer in range(8):
                tasks.create_task(write(writer))
            tasks.create_task(kill())
        assert refused >= 8
        with pytest.raises(Unavailable):
            await store.get(WORDS, ("0-0",))
        await asyncio.to_thread(control.start, "cassandra")
        await asyncio.to_thread(control.wait, "cassandra")
        found = await _when_it_is_back(lambda: store.get_many(WORDS, [(word,) for word in sorted(kept)]))
        assert [row.word for row in found if row is not None] == sorted(kept)
        await store.write([Put(WORDS, Word("after"))])
        await store.close()


class TestThreeNodes:
    pytestmark = SERVERS

    async def test_while_one_of_three_is_killed_every_write_is_done(self) -> None:
        for node in (1, 2, 3):  # one after another, as they join
            server = servers().url(f"cassandra-{node}", needs="acsylla")
        store = await empty_store(server, [WORDS], SystemClock())
        kept: list[str] = []
        enough, over = asyncio.Event(), asyncio.Event()

        async def write(writer: int) -> None:
            n = 0
            while not over.is_set():
                n += 1
                await store.write([Put(WORDS, Word(f"{writer}-{n}", n))])
                kept.append(f"{writer}-{n}")
                if len(kept) == 500:
                    enough.set()

        async def kill() -> None:
            await enough.wait()
            await asyncio.to_thread(control.kill, "cassandra-2")
            killed_after = len(kept)
            while len(kept) < killed_after + 1_000:
                assert await store.get(WORDS, (kept[0],)) is not None
            over.set()

        async with asyncio.TaskGroup() as tasks:
            for writer in range(8):
                tasks.create_task(write(writer))
            tasks.create_task(kill())
        found = await store.get_many(WORDS, [(word,) for word in kept])
        assert [row.word for row in found if row is not None] == kept
        await store.close()
