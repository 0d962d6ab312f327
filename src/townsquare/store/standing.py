"""A row that was put and that no compare-and-set may stand over.

Last write wins by time stamp, and on a cluster a put takes its stamp before it is there. A compare-and-set that began a
moment later, and found the row as it was before, may carry the later stamp, and the put would be below it for ever.

Box: store. All engines: it is made of the port's calls.
"""

from typing import Any

from townsquare.model.errors import Unavailable
from townsquare.store.port import R, Store, Table

_TRIES = 5


async def stand(store: Store, table: Table[R], row: R) -> None:
    """Return when the row, which was put, is what all see who compare; put it again where another one is.

    Cost: a consensus. Raises: Unavailable, and a repeat of all is right.
    """
    if await store.slow_compare_and_set(table, row, row):
        return
    key: Any = table.key(row)
    for _ in range(_TRIES):
        there = await store.get(table, key)
        if there is None or await store.slow_compare_and_set(table, there, row):
            return
    raise Unavailable(f"Too many want one row of {table.name}")
