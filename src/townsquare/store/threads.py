"""Threads: the replies under one root, and which of them stand above and below a status.

Box: store.
"""

from collections.abc import Sequence

from townsquare.store.port import Store
from townsquare.store.tables import THREADS, ThreadRow

MOST_READ = 4_000  # rows of a thread that are read for one answer, each way


async def above(store: Store, root: int, status_id: int, parent: int, *, limit: int) -> list[int]:
    """The statuses above one, from the root down: the nearest `limit` of them. Cost: one read.

    Whatever the rows say, the walk goes to ever lower ids, so it ends.
    """
    if not parent:
        return []
    rows = await store.range(THREADS, (root,), below=status_id, limit=MOST_READ, reverse=True)
    parents = {row.status_id: row.parent for row in rows}
    found: list[int] = []
    at, last = parent, status_id
    while 0 < at < last and len(found) < limit:
        found.append(at)
        at, last = parents.get(at, 0), at
    return found[::-1]


async def below(store: Store, root: int, status_id: int, *, limit: int, depth: int) -> list[int]:
    """The statuses below one, each followed by its own replies, the oldest first; at most `limit`. Cost: one read."""
    rows = await store.range(THREADS, (root,), above=status_id, limit=MOST_READ)
    return depth_first(rows, status_id, limit=limit, depth=depth)


def depth_first(rows: Sequence[ThreadRow], top: int, *, limit: int, depth: int) -> list[int]:
    """Ids under `top` in reading order."""
    replies: dict[int, list[int]] = {}
    for row in rows:
        if row.parent < row.status_id:
            replies.setdefault(row.parent, []).append(row.status_id)
    found: list[int] = []
    waiting = [(each, 1) for each in sorted(replies.get(top, ()), reverse=True)]
    while waiting and len(found) < limit:
        status_id, level = waiting.pop()
        found.append(status_id)
        if level < depth:
            waiting += ((each, level + 1) for each in sorted(replies.get(status_id, ()), reverse=True))
    return found
