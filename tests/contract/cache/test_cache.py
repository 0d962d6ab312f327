"""What every cache promises.

Suite: cache.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.contract.engines import CACHE, open_cache
from townsquare.cache.port import Cache, Kind
from townsquare.kit.clock import SetClock
from townsquare.model.errors import Unavailable
from townsquare.streaming.memory import MemoryStreaming

TTL_S = 80
KIND = Kind[bytes](name="s", encode=bytes, decode=bytes, ttl_s=TTL_S, capacity=1000)
OTHER = Kind[bytes](name="o", encode=bytes, decode=bytes, ttl_s=TTL_S, capacity=1000)
SMALL = Kind[bytes](name="x", encode=bytes, decode=bytes, ttl_s=TTL_S, capacity=10)


class Source:
    """Where values come from: counts the loads, and waits where it is told to."""

    def __init__(self) -> None:
        self.values: dict[object, bytes] = {n: str(n).encode() for n in range(1, 5000)}
        self.loads: list[list[object]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.broken = False

    async def load(self, keys: Sequence[object]) -> list[bytes | None]:
        self.loads.append(list(keys))
        values = [self.values.get(key) for key in keys]
        self.begun.set()
        await self.gate.wait()
        if self.broken:
            raise Unavailable("the store does not answer")
        return values


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture(params=CACHE)
async def caches(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[list[Cache]]:
    """Two of one bus, as in two processes."""
    streaming = MemoryStreaming()
    both = [open_cache(request.param, tmp_path, clock, streaming) for _ in range(2)]
    yield both
    for cache in both:
        await cache.close()


@pytest.fixture
def cache(caches: list[Cache]) -> Cache:
    return caches[0]


async def test_values_come_in_the_keys_order_and_are_loaded_once(cache: Cache, source: Source) -> None:
    assert await cache.get_many(KIND, [3, 1, 2], source.load) == [b"3", b"1", b"2"]
    assert await cache.get_many(KIND, [2, 4, 3, 2], source.load) == [b"2", b"4", b"3", b"2"]
    assert source.loads == [[3, 1, 2], [4]]
    assert await cache.get_many(KIND, [], source.load) == []


async def test_keys_of_all_sorts(cache: Cache, source: Source) -> None:
    source.values |= {"ann": b"a", (1, 2): b"pair"}
    assert await cache.get_many(KIND, ["ann"], source.load) == [b"a"]
    assert await cache.get_many(KIND, [(1, 2)], source.load) == [b"pair"]
    await cache.drop(KIND, [(1, 2)])
    await cache.drop(KIND, ["ann"])
    assert cache.peek(KIND, "ann") is None
    assert cache.peek(KIND, (1, 2)) is None


async def test_nothing_is_not_kept(cache: Cache, source: Source) -> None:
    assert await cache.get_many(KIND, [0, 1], source.load) == [None, b"1"]
    source.values[0] = b"now"
    assert await cache.get_many(KIND, [0, 1], source.load) == [b"now", b"1"]


async def test_peek_sees_what_is_kept_of_that_kind(cache: Cache, source: Source) -> None:
    assert cache.peek(KIND, 1) is None
    await cache.get_many(KIND, [1], source.load)
    assert cache.peek(KIND, 1) == b"1"
    assert cache.peek(OTHER, 1) is None


async def test_a_dropped_key_is_loaded_again_everywhere(caches: list[Cache], source: Source) -> None:
    for cache in caches:
        await cache.get_many(KIND, [1, 2], source.load)
    source.values[1] = b"new"
    await caches[0].drop(KIND, [1])
    for cache in caches:
        assert await cache.get_many(KIND, [1, 2], source.load) == [b"new", b"2"]
    assert {tuple(load) for load in source.loads} == {(1, 2), (1,)}  # once, or by each: they may share what is outside


async def test_more_keys_than_a_message_holds_are_dropped(caches: list[Cache], source: Source) -> None:
    keys = list(range(10**17, 10**17 + 60_000))
    await caches[1].get_many(KIND, [keys[-1], 5], source.load)
    await caches[0].drop(KIND, [*keys, 5])
    assert caches[1].peek(KIND, 5) is None


async def test_values_are_forgotten_after_their_time(cache: Cache, source: Source, clock: SetClock) -> None:
    await cache.get_many(KIND, [1], source.load)
    clock.advance(seconds=TTL_S / 2)
    await cache.get_many(KIND, [2], source.load)
    clock.advance(seconds=TTL_S / 2 - 1)
    assert (cache.peek(KIND, 1), cache.peek(KIND, 2)) == (b"1", b"2")
    clock.advance(seconds=1)
    assert (cache.peek(KIND, 1), cache.peek(KIND, 2)) == (None, b"2")
    source.values[1] = b"new"
    assert await cache.get_many(KIND, [1, 2], source.load) == [b"new", b"2"]
    clock.advance(seconds=TTL_S)
    assert await cache.get_many(KIND, [1, 2], source.load) == [b"new", b"2"]
    assert source.loads == [[1], [2], [1], [1, 2]]


async def test_no_more_than_the_capacity_is_kept(cache: Cache, source: Source) -> None:
    for n in range(1, 3000):
        await cache.get_many(SMALL, [n, 1], source.load)
    kept = [n for n in range(1, 3000) if cache.peek(SMALL, n) is not None]
    assert len(kept) <= 10
    assert 1 in kept
    assert 2999 in kept


async def test_many_who_want_the_same_cause_one_load(cache: Cache, source: Source) -> None:
    source.gate.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(cache.get_many(KIND, [1, 2], source.load)) for _ in range(1000)]
        partly = group.create_task(cache.get_many(KIND, [2, 3], source.load))
        await source.begun.wait()
        await asyncio.sleep(0)
        source.gate.set()
    assert {tuple(task.result()) for task in tasks} == {(b"1", b"2")}
    assert partly.result() == [b"2", b"3"]
    assert source.loads == [[1, 2], [3]]


async def test_a_key_dropped_while_it_loads_is_returned_but_not_kept(caches: list[Cache], source: Source) -> None:
    source.gate.clear()
    async with asyncio.TaskGroup() as group:
        old = group.create_task(caches[0].get_many(KIND, [1, 2], source.load))
        await source.begun.wait()
        source.values[1] = b"new"
        await caches[1].drop(KIND, [1])
        # One who asks after the drop does not get what was loaded before it.
        new = group.create_task(caches[0].get_many(KIND, [1], source.load))
        await asyncio.sleep(0)
        source.gate.set()
    assert old.result() == [b"1", b"2"]
    assert new.result() == [b"new"]
    assert (caches[0].peek(KIND, 1), caches[0].peek(KIND, 2)) == (b"new", b"2")


async def test_a_failed_load_fails_for_all_who_wait_and_leaves_nothing(cache: Cache, source: Source) -> None:
    source.broken = True
    source.gate.clear()
    tasks = [asyncio.create_task(cache.get_many(KIND, [1], source.load)) for _ in range(3)]
    await source.begun.wait()
    source.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    source.broken = False
    assert await cache.get_many(KIND, [1], source.load) == [b"1"]


async def test_a_load_of_the_wrong_length_is_an_error_and_does_not_block(cache: Cache, source: Source) -> None:
    async def wrong(keys: Sequence[object]) -> list[bytes | None]:
        return []

    with pytest.raises(ValueError):
        await cache.get_many(KIND, [1], wrong)
    assert await cache.get_many(KIND, [1], source.load) == [b"1"]


async def test_one_who_gives_up_does_not_take_the_others_along(cache: Cache, source: Source) -> None:
    source.gate.clear()
    first = asyncio.create_task(cache.get_many(KIND, [1], source.load))
    await source.begun.wait()
    second = asyncio.create_task(cache.get_many(KIND, [1], source.load))
    third = asyncio.create_task(cache.get_many(KIND, [1], source.load))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    source.gate.set()
    assert await third == [b"1"]
    for task in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_counters_add_up_and_start_anew(caches: list[Cache], clock: SetClock) -> None:
    clock.ms = 1_790_000_100_000
    cache = caches[0]
    assert [await cache.count("ip:1", window_s=300) for _ in range(3)] == [1, 2, 3]
    assert await cache.count("ip:1", window_s=300, amount=10) == 13
    assert await cache.count("ip:1", window_s=300, amount=0) == 13
    assert await cache.count("ip:2", window_s=300, amount=0) == 0
    assert await cache.count("ip:1", window_s=60) == 1
    clock.advance(seconds=299)
    assert await cache.count("ip:1", window_s=300, amount=0) in (0, 13)
    clock.advance(seconds=300)
    assert await cache.count("ip:1", window_s=300, amount=0) == 0
    assert await cache.count("ip:1", window_s=300) == 1


async def test_many_counters_do_not_mix(cache: Cache) -> None:
    for n in range(2000):
        await cache.count(f"key {n}", window_s=300, amount=n)
    assert [await cache.count(f"key {n}", window_s=300, amount=0) for n in range(2000)] == list(range(2000))


async def test_who_listens_hears_of_every_drop_of_its_kind_before_it_returns(caches: list[Cache]) -> None:
    heard: list[object] = []
    for cache in caches:
        cache.on_drop(KIND, heard.append)
    await caches[0].drop(OTHER, [1])
    await caches[0].drop(KIND, [3, 4])
    assert heard == [[3, 4], [3, 4]]


async def test_tallies_tell_what_was_asked_and_missed(cache: Cache, source: Source) -> None:
    """Every layer counts keys by kind; what is found in the process is asked of no other layer."""
    await cache.get_many(KIND, [1, 2], source.load)
    await cache.get_many(KIND, [1, 2, 3], source.load)
    counted = {tally.layer: (tally.asked, tally.missed) for tally in cache.tallies() if tally.kind == KIND.name}
    assert counted.pop("process") == (5, 3)
    assert all(asked == missed == 3 for asked, missed in counted.values())
