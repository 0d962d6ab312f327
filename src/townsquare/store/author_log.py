"""An author's statuses, newest first, over the months in which they lie.

Box: store.
"""

from collections.abc import Callable

from townsquare.kit.snowflake import month_of
from townsquare.model.paging import Window
from townsquare.store.accounts import MOST_MONTHS
from townsquare.store.port import Store
from townsquare.store.tables import AUTHOR_LOG, AUTHOR_MONTHS, PINS, LogRow

_STEP = 40
_SCANNED = 2_000  # rows looked at for one page; the next page goes on from there

Keep = Callable[[LogRow], bool]


async def log_page(store: Store, author: int, window: Window, keep: Keep) -> tuple[list[LogRow], int | None]:
    """Rows that are on and that `keep` takes, in the order of reading (oldest first where the window goes forward), and
    the id to go on from; None where the log ends. Cost: one read for the months, one or two a month with rows.
    """
    months = [row.month for row in await store.range(AUTHOR_MONTHS, (author,), limit=MOST_MONTHS)]
    if window.below is not None:
        months = [month for month in months if month <= month_of(window.below)]
    if window.above is not None:
        months = [month for month in months if month >= month_of(window.above)]
    found: list[LogRow] = []
    scanned = 0
    for month in reversed(months) if window.forward else months:
        rest = window
        while True:
            rows = await store.range(
                AUTHOR_LOG, (author, month), above=rest.above, below=rest.below, limit=_STEP, reverse=window.forward
            )
            for row in rows:
                scanned += 1
                if row.on and keep(row):
                    found.append(row)
                if len(found) == window.limit or scanned == _SCANNED:
                    return found, row.status_id
            if len(rows) < _STEP:
                break
            rest = rest.beyond(rows[-1].status_id)
    return found, None


async def pinned(store: Store, author: int, *, limit: int) -> list[int]:
    """Pinned statuses, the last pinned first. Cost: one read."""
    rows = [row for row in await store.range(PINS, (author,), limit=1000) if row.on]
    return [row.status_id for row in sorted(rows, key=lambda row: row.at_ms, reverse=True)][:limit]
