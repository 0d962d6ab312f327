"""Pages of partitions in which many rows are off, compared with a list that is cut."""

import pytest

from townsquare.kit.clock import SetClock
from townsquare.model.paging import Window
from townsquare.store.kept import kept_rows, merged_rows
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Put
from townsquare.store.tables import FOLLOWERS, NOTIFICATIONS, FollowerRow, NotificationRow

MOST = 700
WINDOWS = [
    Window(below=below, above=above, forward=forward, limit=limit)
    for below in (None, 1, 333, 9999)
    for above in (None, 0, 150)
    for forward in (False, True)
    for limit in (1, 40, 150)
]


def is_on(number: int) -> bool:
    """A few in a row, then none for longer than one reading."""
    return number % 300 < 20


def page_of(window: Window) -> list[int]:
    """The ids of a page, newest first."""
    ids = [
        n
        for n in range(1, MOST)
        if is_on(n) and (window.below is None or n < window.below) and (window.above is None or n > window.above)
    ]
    return (ids[: window.limit] if window.forward else ids[-window.limit :])[::-1]


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore([FOLLOWERS, NOTIFICATIONS], clock=SetClock())
    for n in range(1, MOST):
        notice = NotificationRow(
            account_id=1, month=2, notification_id=n, kind="follow", actor=3, status_id=0, on=is_on(n)
        )
        follower = FollowerRow(account_id=1, bucket=n % 3, follower=n, on=is_on(n), since_id=n)
        await store.write([Put(NOTIFICATIONS, notice), Put(FOLLOWERS, follower)])
    return store


@pytest.mark.parametrize("window", WINDOWS, ids=str)
async def test_a_page_has_what_the_whole_list_has_there(store: MemoryStore, window: Window) -> None:
    rows = await kept_rows(store, NOTIFICATIONS, (1, 2), window, lambda row: row.on)
    assert [row.notification_id for row in window.newest_first(rows)] == page_of(window)
    buckets = [(1, bucket) for bucket in range(3)]
    followers = await merged_rows(store, FOLLOWERS, buckets, window, lambda row: row.on)
    assert [row.follower for row in followers] == page_of(window)
