"""What accounts did with statuses: the actor's own rows (the truth), who reacted in buckets, and marks in order.

Box: store.
"""

import time
from collections.abc import Sequence

from townsquare.kit.snowflake import month_of, ms_of
from townsquare.model.paging import Window
from townsquare.store.kept import merged_rows
from townsquare.store.port import Store
from townsquare.store.tables import MARKS, MINE, REACTION_COUNTS, REACTIONS, MarkRow, MineRow, ReactionRow

BUCKET_ROWS = 50_000  # reactions in a bucket before the next one is opened
_MOST_BUCKETS = 64
_FIRST_YEAR = 2016  # before it nobody used this API


async def mine(store: Store, account_id: int, status_id: int, kind: str) -> MineRow | None:
    """What the account did with the status."""
    return await store.get(MINE, (account_id, month_of(status_id), status_id, kind))


async def mine_many(store: Store, account_id: int, kind: str, status_ids: Sequence[int]) -> list[MineRow | None]:
    """The same for several statuses, in their order. Cost: one round trip."""
    return await store.get_many(MINE, [(account_id, month_of(each), each, kind) for each in status_ids])


async def buckets_of(store: Store, status_id: int) -> list[dict[str, int]]:
    """What each bucket of a status counts by kind; at least one bucket. Cost: one read a bucket."""
    found: list[dict[str, int]] = []
    for bucket in range(_MOST_BUCKETS):
        rows = await store.range(REACTION_COUNTS, (status_id, bucket), limit=10)
        if not rows:
            break
        found.append({row.kind: row.n for row in rows})
    return found or [{}]


async def reaction(store: Store, status_id: int, kind: str, account_id: int) -> ReactionRow | None:
    """The counted side of one account's reaction, in whichever bucket it lies."""
    keys = [(status_id, bucket, kind, account_id) for bucket in range(len(await buckets_of(store, status_id)))]
    return next((row for row in await store.get_many(REACTIONS, keys) if row is not None), None)


async def reactions_page(store: Store, status_id: int, kind: str, window: Window) -> list[ReactionRow]:
    """Who reacted, over all buckets, the highest account id first. Cost: one read a bucket, all at once."""
    buckets = [(status_id, bucket) for bucket in range(len(await buckets_of(store, status_id)))]
    return await merged_rows(store, REACTIONS, buckets, window, lambda row: row.on, within=(kind,))


def year_of(mark_id: int) -> int:
    """The year of an id's time: marks are cut by it."""
    return time.gmtime(ms_of(mark_id) // 1000).tm_year


async def marks_page(store: Store, account_id: int, kind: str, window: Window, now_id: int) -> list[MarkRow]:
    """Marks in the order in which they were made, newest first; those that were undone are among them.

    Cost: one read a year that is looked at, and one to find that there are none before the first.
    """
    newest, oldest = (
        year_of(min(window.below or now_id, now_id)),
        year_of(min(window.above, now_id)) if window.above else _FIRST_YEAR,
    )
    years = range(max(oldest, _FIRST_YEAR), newest + 1)
    found: list[MarkRow] = []
    for year in years if window.forward else reversed(years):
        found += await store.range(
            MARKS,
            (account_id, kind, year),
            above=window.above,
            below=window.below,
            limit=window.limit - len(found),
            reverse=window.forward,
        )
        if len(found) >= window.limit:
            break
    return window.newest_first(found)
