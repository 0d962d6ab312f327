"""Accounts: by id, by name, and their totals, which are sums of what was counted.

Box: store.
"""

from collections.abc import Sequence

from townsquare.kit.clock import Clock
from townsquare.model.account import Account, AccountStats
from townsquare.store.port import Put, Store
from townsquare.store.tables import (
    ACCOUNT_STATS,
    ACCOUNTS,
    AUTHOR_LOG,
    AUTHOR_LOG_COUNTS,
    AUTHOR_MONTHS,
    FOLLOWER_COUNTS,
    FOLLOWER_DIRECTORY,
    FOLLOWING_COUNTS,
    HANDLES,
)

MOST_MONTHS = 1200  # of one author: a hundred years


async def get_accounts(store: Store, ids: Sequence[int]) -> list[Account | None]:
    """The accounts in the ids' order, deleted ones included. Cost: one round trip."""
    return await store.get_many(ACCOUNTS, [(each,) for each in ids])


async def by_handle(store: Store, name: str, domain: str = "") -> Account | None:
    """The account of a name, any case; a deleted one too, since it keeps its name. Cost: two reads."""
    row = await store.get(HANDLES, (domain.lower(), name.lower()))
    return await store.get(ACCOUNTS, (row.account_id,)) if row else None


async def settle_stats(store: Store, account_id: int, clock: Clock) -> AccountStats:
    """Set an account's totals from the sums of what is counted, and return them.

    Whoever has changed a count calls this after it. The row's time stamp is the time before the reading, so of two
    that run at once the one that has seen more wins, whatever the order of their writes. Cost: five reads, one write.
    """
    now_ms = clock.now_ms()
    directory = await store.get(FOLLOWER_DIRECTORY, (account_id,))
    buckets = range((directory.open_bucket if directory else 0) + 1)
    followers = await store.get_many(FOLLOWER_COUNTS, [(account_id, bucket) for bucket in buckets])
    following = await store.get(FOLLOWING_COUNTS, (account_id,))
    months = [row.month for row in await store.range(AUTHOR_MONTHS, (account_id,), limit=MOST_MONTHS)]
    statuses = await store.get_many(AUTHOR_LOG_COUNTS, [(account_id, month) for month in months]) if months else []
    stats = AccountStats(
        account_id=account_id,
        followers=sum(row.n for row in followers if row),
        following=following.n if following else 0,
        statuses=sum(row.n for row in statuses if row),
        last_status_ms=await _last_status_ms(store, account_id, months),
    )
    await store.write([Put(ACCOUNT_STATS, stats)], at=now_ms * 1000)
    return stats


async def _last_status_ms(store: Store, account_id: int, months: Sequence[int]) -> int:
    """When the newest status that stands was posted; looks back two months that have any, no further."""
    for month in months[:2]:
        for row in await store.range(AUTHOR_LOG, (account_id, month), limit=100):
            if row.on and row.visibility != "direct":
                return row.status_id >> 16
    return 0
