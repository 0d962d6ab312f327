"""Entries of rings, as engines keep them: `id << 2 | reason` in 64 bits, so that they sort by id.

Box: feeds.
"""

from collections.abc import Sequence

import numpy as np

from townsquare.feeds.port import RING_LENGTH, Ids, Page

REASON_BITS = 2
REASON_MASK = (1 << REASON_BITS) - 1
MAX_ID = (1 << 61) - 1


def checked(status_id: int) -> int:
    """The id. Raises: ValueError where no status has it."""
    if not 0 < status_id <= MAX_ID:
        raise ValueError(f"no status has the id {status_id}")
    return status_id


def packed(ids: Sequence[int]) -> Ids:
    """Entries without reasons. Raises: ValueError where no status has such an id."""
    entries = np.array(ids, np.int64)
    if len(entries) and not 0 < int(entries.min()) <= int(entries.max()) <= MAX_ID:
        raise ValueError(f"no status has an id outside of 1 to {MAX_ID}")
    return entries << REASON_BITS


def bound(status_id: int) -> int:
    """What lies below all entries of ids from this on."""
    return min(max(status_id, 0), MAX_ID) << REASON_BITS


def sound(entries: Ids, *, floor: int) -> tuple[Ids, int]:
    """A ring of entries in any order: rising, each id once with its first reason, the newest 800; and its floor."""
    ids = entries >> REASON_BITS
    if not (ids[1:] > ids[:-1]).all():
        ids, first = np.unique(ids, return_index=True)
        entries = entries[first]
    start = int(ids.searchsorted(floor, "right"))
    if len(ids) - start > RING_LENGTH:
        start = len(ids) - RING_LENGTH
        floor = int(ids[start - 1])
    return entries[start:], floor


def page_of(ring: Ids, *, floor: int, below: int | None, above: int | None, limit: int) -> Page:
    """A part of a sound ring."""
    last, first = len(ring), 0
    if below is not None:
        last = int(ring.searchsorted(bound(below), "left"))
    if above is not None:
        first = int(ring.searchsorted(bound(above + 1), "left"))
    newest = ring[max(first, last - max(limit, 0)) : max(last, first)][::-1]
    return Page((newest >> REASON_BITS).tolist(), (newest & REASON_MASK).tolist(), floor)
