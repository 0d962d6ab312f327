"""Follows: whom an account follows (the truth) and who follows it (what the fan-out reads, in buckets).

Box: store. Lists are in the order of account ids, since both tables are.
"""

from collections.abc import Sequence

from townsquare.model.paging import Window
from townsquare.store.kept import kept_rows, merged_rows
from townsquare.store.port import Store
from townsquare.store.tables import FOLLOWER_DIRECTORY, FOLLOWERS, FOLLOWING, FollowerRow, FollowingRow

ON, REQUESTED, OFF = "on", "requested", "off"
BUCKET_ROWS = 10_000  # followers in a bucket before the next one is opened
_SCAN = 10_000  # rows of one account's `following` that are read at once


async def follow_row(store: Store, follower: int, target: int) -> FollowingRow | None:
    """The row of a follow, in whatever state."""
    return await store.get(FOLLOWING, (follower, target))


async def follow_rows(store: Store, pairs: Sequence[tuple[int, int]]) -> list[FollowingRow | None]:
    """The rows of these (follower, target) pairs. Cost: one round trip."""
    return await store.get_many(FOLLOWING, pairs)


async def following_page(store: Store, account_id: int, window: Window) -> list[FollowingRow]:
    """Follows that are on, the highest account id first. Cost: one read, more where many are off."""
    rows = await kept_rows(store, FOLLOWING, (account_id,), window, lambda row: row.state == ON)
    return window.newest_first(rows)


async def all_following(store: Store, account_id: int) -> list[FollowingRow]:
    """All rows of an account, in whatever state. Cost: one read of a partition of at most 10,000 rows."""
    return await store.range(FOLLOWING, (account_id,), limit=_SCAN)


async def open_bucket(store: Store, account_id: int) -> int:
    """The bucket that takes new followers of an account."""
    row = await store.get(FOLLOWER_DIRECTORY, (account_id,))
    return row.open_bucket if row else 0


async def open_buckets(store: Store, account_ids: Sequence[int]) -> dict[int, int]:
    """The buckets that take new followers of these accounts. Cost: one round trip."""
    rows = await store.get_many(FOLLOWER_DIRECTORY, [(each,) for each in account_ids])
    return {each: row.open_bucket if row else 0 for each, row in zip(account_ids, rows, strict=True)}


async def followers_page(store: Store, account_id: int, window: Window) -> list[FollowerRow]:
    """Followers over all buckets, the highest account id first. Cost: one read a bucket, all at once."""
    buckets = [(account_id, bucket) for bucket in range(await open_bucket(store, account_id) + 1)]
    return await merged_rows(store, FOLLOWERS, buckets, window, lambda row: row.on)
