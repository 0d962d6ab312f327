"""What the strict store refuses and counts.

Suite: store.
"""

from collections.abc import Sequence

import msgspec
import pytest

from townsquare.kit.clock import SetClock
from townsquare.store import strict
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Delete, Key, Put, Table, Write
from townsquare.store.strict import Refused, StrictStore


class Page(msgspec.Struct, frozen=True, array_like=True):
    """A row."""

    book: int
    page: int
    words: object = ""


PAGES = Table(name="pages", row=Page, partition=("book",), clustering=("page",), about="Pages.")
OTHER = Table(name="pages", row=Page, partition=("book",), clustering=("page",), about="Declared twice.")


class CountingStore(MemoryStore):
    """Counts the writes that come through."""

    writes = 0

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        self.writes += 1
        await super().write(*steps, at=at)


@pytest.fixture
def store() -> StrictStore:
    clock = SetClock()
    return StrictStore(MemoryStore([PAGES], clock=clock), [PAGES], clock=clock)


async def test_unknown_tables_are_refused(store: StrictStore) -> None:
    with pytest.raises(Refused):
        await store.get(OTHER, (1, 1))


@pytest.mark.parametrize("key", [(1,), (1, 2, 3), ("1", 2), (1, b""), (True, 1)])
async def test_keys_of_another_shape_are_refused(store: StrictStore, key: Key) -> None:
    with pytest.raises(Refused):
        await store.get(PAGES, key)
    with pytest.raises(Refused):
        await store.get_many(PAGES, [(1, 1), key])
    with pytest.raises(Refused):
        await store.write([Delete(PAGES, key)])


async def test_ranges_need_a_whole_partition_known_columns_and_a_limit(store: StrictStore) -> None:
    with pytest.raises(Refused):
        await store.range(PAGES, (), limit=1)
    with pytest.raises(Refused):
        await store.range(PAGES, (1, 2), limit=1)
    with pytest.raises(Refused):
        await store.range(PAGES, (1,), within=(1,), above=2, limit=1)
    with pytest.raises(Refused):
        await store.range(PAGES, (1,), above="2", limit=1)
    for limit in (0, -1, 10_001):
        with pytest.raises(Refused):
            await store.range(PAGES, (1,), limit=limit)
        with pytest.raises(Refused):
            await store.range_many(PAGES, [(1,)], limit=limit)
        with pytest.raises(Refused):
            await store.scan(PAGES, limit=limit)


async def test_rows_that_come_back_changed_are_refused(store: StrictStore) -> None:
    with pytest.raises(Refused):
        await store.write([Put(PAGES, Page(1, 1, (1, 2)))])  # comes back as a list
    await store.write([Put(PAGES, Page(1, 1, [1, 2]))])


async def test_one_call_writes_a_row_once(store: StrictStore) -> None:
    with pytest.raises(Refused):
        await store.write([Put(PAGES, Page(1, 1))], [Delete(PAGES, (1, 1))])


async def test_a_row_keeps_its_key(store: StrictStore) -> None:
    with pytest.raises(Refused):
        await store.slow_compare_and_set(PAGES, Page(1, 1), Page(1, 2))


async def test_ranges_over_many_deleted_rows_are_refused(store: StrictStore) -> None:
    await store.write([Put(PAGES, Page(1, n)) for n in range(300)])
    await store.write([Delete(PAGES, (1, n)) for n in range(101)])
    assert len(await store.range(PAGES, (1,), limit=150)) == 150
    assert len(await store.range(PAGES, (1,), limit=50, reverse=True)) == 50
    with pytest.raises(Refused):
        await store.range(PAGES, (1,), limit=50)


async def test_large_partitions_are_refused(monkeypatch: pytest.MonkeyPatch, store: StrictStore) -> None:
    monkeypatch.setattr(strict, "MOST_ROWS_IN_PARTITION", 100)
    for _ in range(3):
        await store.write([Put(PAGES, Page(1, n)) for n in range(100)])  # many puts, few rows
    with pytest.raises(Refused):
        await store.write([Put(PAGES, Page(1, n)) for n in range(100, 200)])


async def test_round_trips_and_slow_calls_are_counted(store: StrictStore) -> None:
    await store.write([Put(PAGES, Page(1, 1)), Put(PAGES, Page(2, 1))], [Put(PAGES, Page(3, 1))])
    assert (store.round_trips, store.slow_calls) == (2, 0)
    await store.get_many(PAGES, [(1, 1), (2, 1)])
    await store.get_many(PAGES, [])
    await store.slow_put_if_absent(PAGES, Page(1, 1))
    assert (store.round_trips, store.slow_calls) == (4, 1)
    store.reset()
    assert (store.round_trips, store.slow_calls) == (0, 0)


async def test_chaos_repeats_writes_without_bringing_old_rows_back() -> None:
    clock = SetClock()
    inner = CountingStore([PAGES], clock=clock)
    store = StrictStore(inner, [PAGES], clock=clock, seed=3, chaos=True)
    for n in range(200):
        await store.write([Put(PAGES, Page(1, n % 5, str(n)))])
        assert await store.get(PAGES, (1, n % 5)) == Page(1, n % 5, str(n))
        if n % 3 == 0:
            await store.drop(PAGES, (1,))
            assert await store.range(PAGES, (1,), limit=9) == []
    assert inner.writes > 220
