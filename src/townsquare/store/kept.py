"""A page of one partition of which only some rows count: what was taken back stays as a row that is off.

Box: store.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter

from townsquare.model.paging import Window
from townsquare.store.port import Cell, Key, R, Store, Table
from townsquare.store.together import all_of

_STEP = 100  # rows that are read at once at least
_COUNTED_AT_ONCE = 5_000


async def kept_rows(
    store: Store, table: Table[R], partition: Key, window: Window, keep: Callable[[R], bool], *, within: Key = ()
) -> list[R]:
    """The rows that `keep` takes, in the order of reading: downwards, or upwards where the window goes forward.

    The window is about the clustering column after those that `within` fixes. Cost: one read, more where many rows are
    left out.
    """
    column, size = table.clustering[len(within)], max(window.limit, _STEP)
    found: list[R] = []
    rest = window
    while len(found) < window.limit:
        rows = await store.range(
            table,
            partition,
            within=within,
            above=rest.above,
            below=rest.below,
            limit=size,
            reverse=table.newest_first == window.forward,
        )
        found += [row for row in rows if keep(row)]
        if len(rows) < size:
            break
        rest = rest.beyond(getattr(rows[-1], column))
    return found[: window.limit]


async def merged_rows(
    store: Store,
    table: Table[R],
    partitions: Sequence[Key],
    window: Window,
    keep: Callable[[R], bool],
    *,
    within: Key = (),
) -> list[R]:
    """A page over several partitions, the highest first whichever way it was read. Cost: all at once."""
    parts = await all_of(kept_rows(store, table, each, window, keep, within=within) for each in partitions)
    rows = [row for part in parts for row in part]
    rows.sort(key=attrgetter(table.clustering[len(within)]), reverse=not window.forward)
    return window.newest_first(rows[: window.limit])


async def count_rows(
    store: Store, table: Table[R], partition: Key, wanted: Callable[[R], bool], *, within: Key = ()
) -> int:
    """How many rows of one partition are `wanted`, by looking at each. Cost: a read for each 5,000 rows."""
    column, count = table.clustering[len(within)], 0
    last: Cell | None = None
    while True:
        above, below = (None, last) if table.newest_first else (last, None)
        rows = await store.range(table, partition, within=within, above=above, below=below, limit=_COUNTED_AT_ONCE)
        count += sum(wanted(row) for row in rows)
        if len(rows) < _COUNTED_AT_ONCE:
            return count
        last = getattr(rows[-1], column)
