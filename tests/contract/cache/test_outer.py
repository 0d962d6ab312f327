"""The cache in front of a server: round trips, flushes, kills, slow fillers, drops that do not arrive.

Suite: cache.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from tests.contract.own_servers import OwnMemcached, OwnRedis, until_true
from townsquare.cache.layered import LayeredCache
from townsquare.cache.memory import MemoryCache
from townsquare.cache.port import Kind
from townsquare.kit.clock import SetClock
from townsquare.streaming.memory import MemoryStreaming

pytestmark = pytest.mark.slow  # starts servers

KIND = Kind[bytes](name="s", encode=bytes, decode=bytes, ttl_s=600, capacity=1000)


class Rows:
    """A store whose reads can be held up after they have read."""

    def __init__(self) -> None:
        self.value, self.loads = b"old", 0
        self.gate, self.begun = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def load(self, keys: Sequence[int]) -> list[bytes | None]:
        self.loads += 1
        value = self.value
        self.begun.set()
        await self.gate.wait()
        return [value] * len(keys)


class DeafStreaming(MemoryStreaming):
    """A bus that is down."""

    def hears(self) -> bool:
        return False


Own = OwnRedis | OwnMemcached


@pytest.fixture(params=[OwnRedis, OwnMemcached])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Own]:
    server: Own = request.param(tmp_path / "server")
    server.start()
    yield server
    server.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    server.start()
    yield server
    server.close()


@pytest.fixture
async def caches(own: Own) -> AsyncIterator[list[LayeredCache]]:
    """Of two processes that hear each other."""
    streaming, clock = MemoryStreaming(), SetClock()
    both = [LayeredCache(MemoryCache(streaming, clock, counters=None), own.outer(), streaming, clock) for _ in range(2)]
    yield both
    for cache in both:
        await cache.close()


async def newcomer(own: Own) -> LayeredCache:
    """A process that begins, with nothing of its own."""
    streaming, clock = MemoryStreaming(), SetClock()
    return LayeredCache(MemoryCache(streaming, clock, counters=None), own.outer(), streaming, clock)


async def seen_by_newcomer(own: Own, rows: Rows, key: int = 1) -> bytes | None:
    cache = await newcomer(own)
    (value,) = await cache.get_many(KIND, [key], rows.load)
    await cache.close()
    return value


async def test_another_process_finds_it_there(own: Own, caches: list[LayeredCache]) -> None:
    rows = Rows()
    await caches[0].get_many(KIND, list(range(1200)), rows.load)
    await caches[0].count("after", window_s=60)
    assert await caches[1].get_many(KIND, list(range(1200)), rows.load) == [b"old"] * 1200
    assert rows.loads == 1


async def test_a_page_is_one_round_trip(redis: OwnRedis) -> None:
    rows, first, second = Rows(), await newcomer(redis), await newcomer(redis)
    await first.get_many(KIND, list(range(20)), rows.load)
    await second.get_many(KIND, list(range(100, 120)), rows.load)
    await second.count("after", window_s=60)
    before = _scripts(redis)
    for _ in range(2):
        await second.get_many(KIND, list(range(20)), rows.load)
        assert _scripts(redis) - before == 1
    await first.close()
    await second.close()


async def test_a_slow_filler_does_not_bring_back_an_old_value(own: Own, caches: list[LayeredCache]) -> None:
    rows = Rows()
    rows.gate.clear()
    slow = asyncio.create_task(caches[0].get_many(KIND, [1], rows.load))
    await rows.begun.wait()
    rows.value = b"new"
    await caches[1].drop(KIND, [1])
    rows.gate.set()
    assert await slow == [b"old"]
    await caches[0].count("after", window_s=60)  # on the same connection, behind what the slow one wrote
    assert await seen_by_newcomer(own, rows) == b"new"


async def test_nor_does_one_whose_lease_was_flushed_away(own: Own, caches: list[LayeredCache]) -> None:
    rows = Rows()
    rows.gate.clear()
    slow = asyncio.create_task(caches[0].get_many(KIND, [1], rows.load))
    await rows.begun.wait()
    own.says(own.flush)
    rows.value = b"new"
    await caches[1].drop(KIND, [1])
    rows.gate.set()
    await slow
    await caches[0].count("after", window_s=60)
    assert await seen_by_newcomer(own, rows) == b"new"


async def test_a_flush_costs_loads_and_nothing_else(own: Own, caches: list[LayeredCache]) -> None:
    rows = Rows()
    await caches[0].get_many(KIND, [1], rows.load)
    own.says(own.flush)
    rows.value = b"new"
    await caches[1].drop(KIND, [1])
    for cache in caches:
        assert await cache.get_many(KIND, [1], rows.load) == [b"new"]


async def test_what_a_restart_brings_back_is_not_used(redis: OwnRedis) -> None:
    rows, cache = Rows(), await newcomer(redis)
    await cache.get_many(KIND, [1], rows.load)
    await cache.count("after", window_s=60)
    redis.says(b"SAVE")
    rows.value = b"new"
    await cache.drop(KIND, [1])
    redis.kill()
    redis.start()
    assert await seen_by_newcomer(redis, rows) == b"new"
    await cache.close()


async def test_without_it_values_are_loaded_and_counters_count(own: Own, caches: list[LayeredCache]) -> None:
    rows = Rows()
    await caches[0].get_many(KIND, [1], rows.load)
    own.kill()
    assert await caches[0].get_many(KIND, [1, 2], rows.load) == [b"old", b"old"]
    assert [await caches[0].count("a", window_s=60) for _ in range(3)] == [1, 2, 3]
    rows.value = b"new"
    await caches[0].drop(KIND, [1])
    for cache in caches:
        assert await cache.get_many(KIND, [1], rows.load) == [b"new"]


async def test_one_that_stands_still_holds_up_one_request_and_not_the_next(
    own: Own, caches: list[LayeredCache]
) -> None:
    rows = Rows()
    await caches[0].get_many(KIND, [1], rows.load)
    own.stand_still()
    async with asyncio.timeout(10):
        assert await caches[0].get_many(KIND, [2], rows.load) == [b"old"]
    async with asyncio.timeout(0.5):
        assert await caches[0].get_many(KIND, [3], rows.load) == [b"old"]


async def test_a_drop_that_did_not_arrive_is_made_up_for(own: Own, caches: list[LayeredCache]) -> None:
    rows = Rows()
    await caches[0].get_many(KIND, [1], rows.load)
    await caches[0].count("after", window_s=60)
    own.stand_still()
    rows.value = b"new"
    await caches[1].drop(KIND, [1])  # its connection times out: Redis itself has the old value still
    own.go_on()

    async def forgotten() -> bool:
        return await seen_by_newcomer(own, rows) == b"new"

    await until_true(forgotten)
    for cache in caches:
        assert await cache.get_many(KIND, [1], rows.load) == [b"new"]


async def test_nothing_is_kept_in_the_process_while_the_bus_is_down(own: Own) -> None:
    rows, streaming, clock = Rows(), DeafStreaming(), SetClock()
    inner = MemoryCache(streaming, clock, counters=None)
    cache = LayeredCache(inner, own.outer(), streaming, clock)
    assert await cache.get_many(KIND, [1], rows.load) == [b"old"]
    assert cache.peek(KIND, 1) is None
    other = await newcomer(own)
    rows.value = b"new"
    await other.drop(KIND, [1])
    assert await cache.get_many(KIND, [1], rows.load) == [b"new"]
    await cache.close()
    await other.close()


def _scripts(own: OwnRedis) -> int:
    """How many scripts Redis has run."""
    told = own.says(b"EVAL \"return redis.call('INFO', 'commandstats')\" 0").decode()
    line = next(line for line in told.splitlines() if line.startswith("cmdstat_evalsha:"))
    return int(line.partition("calls=")[2].partition(",")[0])
