"""What every engine of home timelines promises.

Suite: feeds.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from tests.contract.engines import FEEDS, open_feeds
from townsquare.feeds.port import RING_LENGTH, Feeds, Ids, Page, Reason

ANN, BEN, CID = 116_500_000_000_000_001, 116_500_000_000_000_002, 7
FOLLOW, SELF, TAG = Reason.FOLLOW, Reason.SELF, Reason.TAG


@pytest.fixture(params=FEEDS)
async def feeds(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Feeds]:
    engine = open_feeds(request.param, tmp_path)
    yield engine
    await engine.close()


def array(*accounts: int) -> Ids:
    return np.array(accounts, np.int64)


async def ids_of(feeds: Feeds, account: int, **bounds: int) -> list[int]:
    page = await feeds.read(account, **bounds)
    assert page is not None
    return page.ids


async def test_only_those_who_have_a_ring_get_the_status(feeds: Feeds) -> None:
    assert await feeds.push(array(ANN, BEN), 5, FOLLOW) == 0
    await feeds.fill(ANN, [], [], floor=0)
    assert await feeds.push(array(BEN, ANN, CID, 0, -1), 6, FOLLOW) == 1
    assert await feeds.push(array(), 7, FOLLOW) == 0
    assert await ids_of(feeds, ANN) == [6]
    assert await feeds.read(BEN) is None
    assert await feeds.read(0) is None
    assert [await feeds.has(account) for account in (ANN, BEN, 0, -1)] == [True, False, False, False]


async def test_a_page_is_newest_first_between_its_bounds(feeds: Feeds) -> None:
    await feeds.fill(ANN, [10, 30, 20], [FOLLOW, SELF, TAG], floor=3)
    await feeds.push(array(ANN), 40, FOLLOW)
    assert await feeds.read(ANN) == Page([40, 30, 20, 10], [FOLLOW, SELF, TAG, FOLLOW], 3)
    assert await feeds.read(ANN, limit=2) == Page([40, 30], [FOLLOW, SELF], 3)
    assert await feeds.read(ANN, below=40, limit=2) == Page([30, 20], [SELF, TAG], 3)
    assert await feeds.read(ANN, below=40, above=10) == Page([30, 20], [SELF, TAG], 3)
    assert await ids_of(feeds, ANN, above=20) == [40, 30]
    assert await ids_of(feeds, ANN, above=40) == []
    assert await ids_of(feeds, ANN, below=10) == []
    assert await ids_of(feeds, ANN, below=25, above=35) == []
    assert await ids_of(feeds, ANN, limit=0) == []


async def test_a_status_is_in_a_ring_once_and_in_its_place(feeds: Feeds) -> None:
    await feeds.fill(ANN, [], [], floor=0)
    for status_id in (5, 9, 7, 5, 9, 8, 6, 7, 10):
        assert await feeds.push(array(ANN, ANN), status_id, FOLLOW) == 1
    assert await ids_of(feeds, ANN) == [10, 9, 8, 7, 6, 5]


async def test_the_first_reason_stays(feeds: Feeds) -> None:
    await feeds.fill(ANN, [5], [SELF], floor=0)
    await feeds.push(array(ANN), 5, FOLLOW)
    await feeds.push(array(ANN), 6, TAG)
    await feeds.merge(ANN, [5, 6, 4], FOLLOW)
    assert await feeds.read(ANN) == Page([6, 5, 4], [TAG, SELF, FOLLOW], 0)


async def test_full_rings_lose_the_oldest_and_their_floor_rises(feeds: Feeds) -> None:
    await feeds.fill(ANN, [], [], floor=0)
    await feeds.fill(BEN, [1, 2], [SELF, SELF], floor=0)
    both = array(ANN, BEN)
    for status_id in range(10, 10 + 2 * RING_LENGTH):
        await feeds.push(both, status_id, FOLLOW)
        if status_id == 10 + RING_LENGTH - 1:
            assert [(await feeds.read(account)).floor for account in (ANN, BEN)] == [0, 2]  # type: ignore[union-attr]  # there
    newest = list(range(9 + 2 * RING_LENGTH, 9 + RING_LENGTH, -1))
    for account in (ANN, BEN):
        assert await feeds.read(account) == Page(newest, [FOLLOW] * RING_LENGTH, 9 + RING_LENGTH)
        assert await ids_of(feeds, account, below=newest[100], limit=3) == newest[101:104]


async def test_late_statuses_of_many_rings(feeds: Feeds) -> None:
    accounts = np.arange(1, 301, dtype=np.int64)
    for account in accounts.tolist():
        own = list(range(1000, 1000 + 10 * account, 10))
        await feeds.fill(account, own, [SELF] * len(own), floor=999)
    for status_id in (1005, 1505, 3985, 500, 1000, 5000, 4995):
        assert await feeds.push(accounts, status_id, FOLLOW) == 300
    for account in accounts.tolist():
        expected = sorted({*range(1000, 1000 + 10 * account, 10), 1005, 1505, 3985, 5000, 4995}, reverse=True)
        assert await ids_of(feeds, account) == expected, account


async def test_nothing_at_or_below_the_floor_is_taken(feeds: Feeds) -> None:
    await feeds.fill(ANN, [50, 60, 40], [FOLLOW] * 3, floor=50)
    await feeds.push(array(ANN), 50, FOLLOW)
    await feeds.push(array(ANN), 45, FOLLOW)
    await feeds.merge(ANN, [30, 55], FOLLOW)
    assert await feeds.read(ANN) == Page([60, 55], [FOLLOW, FOLLOW], 50)


async def test_filling_keeps_what_was_pushed_meanwhile(feeds: Feeds) -> None:
    await feeds.fill(ANN, [], [], floor=100)
    await feeds.push(array(ANN), 120, SELF)
    await feeds.fill(ANN, [110, 90, 120], [FOLLOW] * 3, floor=10)
    assert await feeds.read(ANN) == Page([120, 110, 90], [SELF, FOLLOW, FOLLOW], 10)


async def test_filling_with_more_than_a_ring_holds(feeds: Feeds) -> None:
    ids = list(range(1, RING_LENGTH + 101))
    await feeds.fill(ANN, ids, [FOLLOW] * len(ids), floor=0)
    page = await feeds.read(ANN)
    assert page == Page(ids[:99:-1], [FOLLOW] * RING_LENGTH, 100)


async def test_merging_into_a_full_ring_raises_the_floor(feeds: Feeds) -> None:
    ids = list(range(1000, 1000 + 10 * RING_LENGTH, 10))
    await feeds.fill(ANN, ids, [FOLLOW] * len(ids), floor=5)
    await feeds.merge(ANN, [1005, 9005], TAG)
    page = await feeds.read(ANN)
    assert page is not None
    assert (len(page.ids), page.floor) == (RING_LENGTH, 1005)
    assert 9005 in page.ids


async def test_merging_needs_a_ring(feeds: Feeds) -> None:
    await feeds.merge(ANN, [5], FOLLOW)
    assert await feeds.read(ANN) is None


async def test_a_dropped_ring_is_gone_and_a_new_one_begins_empty(feeds: Feeds) -> None:
    both = array(ANN, BEN)
    for account in (ANN, BEN):
        await feeds.fill(account, [1, 2, 3], [FOLLOW] * 3, floor=0)
    assert await feeds.push(both, 4, FOLLOW) == 2
    await feeds.drop([ANN, CID])
    assert await feeds.read(ANN) is None
    assert await feeds.push(both, 5, FOLLOW) == 1
    await feeds.fill(CID, [], [], floor=0)
    await feeds.fill(ANN, [9], [FOLLOW], floor=0)
    assert await feeds.push(both, 10, FOLLOW) == 2
    assert [await ids_of(feeds, account) for account in (ANN, BEN, CID)] == [[10, 9], [10, 5, 4, 3, 2, 1], []]


@pytest.mark.slow
async def test_thousands_of_rings_come_and_go(feeds: Feeds) -> None:
    rng = np.random.default_rng(1)
    accounts = np.unique(rng.integers(1, 1 << 62, 3000))
    rng.shuffle(accounts)
    for account in accounts.tolist():
        await feeds.fill(account, [account % 97 + 1], [FOLLOW], floor=0)
    await feeds.drop(accounts[:1000].tolist())
    assert await feeds.push(accounts, 1000, SELF) == 2000
    for account in accounts[:500].tolist():
        await feeds.fill(account, [], [], floor=0)
    assert await feeds.push(accounts, 1001, SELF) == 2500
    for n, account in enumerate(accounts.tolist()):
        page = await feeds.read(account)
        expected = [1001] if n < 500 else [1001, 1000, account % 97 + 1]
        assert (page is None) if 500 <= n < 1000 else (page is not None and page.ids == expected)
