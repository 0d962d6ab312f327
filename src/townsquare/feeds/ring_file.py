"""Home timelines in one mapped file, shared by the processes of one machine.

A ring is kept sorted by id. Writers hold one lock; readers hold none and read again when a ring changed meanwhile: its
`COUNT` grows with each entry added at the newer end, its `VERSION` with each other change and is odd during one. A ring
found odd by one who holds the lock was left by a killed writer and is taken away: it can be made again.
For the event loop's thread alone.

Box: feeds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from townsquare.feeds.index import RingIndex
from townsquare.feeds.layout import (
    ACCOUNT,
    BLOCK_BYTES,
    BLOCK_IDS,
    COUNT,
    ENTRIES,
    FLOOR,
    HEAD,
    HEAD_AT,
    NEWEST,
    REASONS_AT,
    ROW,
    ROW_BYTES,
    ROWS_AT,
    VERSION,
    RingMap,
)
from townsquare.feeds.port import RING_LENGTH, Ids, Page, Reason

Reasons = npt.NDArray[np.uint8]

_SPARE = ENTRIES - RING_LENGTH
_LAST = np.iinfo(np.int64).max
_WINDOW = 64  # how far from the newest end an id is put in its place for many rings at once
_TRIES = 1000  # of a reader, before it takes the lock: far longer than any change takes
_Row = tuple[int, ...]


class RingFile:
    """Feeds in a file. What a power cut leaves is not used: rings are made again."""

    def __init__(self, file: RingMap) -> None:
        self._file, self._index = file, RingIndex(file)

    @classmethod
    def open(cls, path: Path) -> "RingFile":
        """The file at `path`; a missing or damaged one is begun anew.

        Raises: Unavailable.
        """
        return cls(RingMap(path))

    async def push(self, accounts: Ids, status_id: int, reason: Reason) -> int:
        with self._locked():
            slots = self._index.find_many(accounts)
            if not len(slots):
                return 0
            rows = self._file.rows.take(slots, axis=0)
            newer = rows[:, NEWEST] < status_id
            if newer.all():
                self._append(slots, rows, status_id, reason)
            else:
                if newer.any():
                    self._append(slots[newer], rows[newer], status_id, reason)
                self._put_in_place(slots[~newer], status_id, reason)
            return len(slots)

    async def read(
        self, account: int, *, below: int | None = None, above: int | None = None, limit: int = RING_LENGTH
    ) -> Page | None:
        for _ in range(_TRIES):
            slot, row = self._find(account)
            if slot < 0:
                return None
            page = self._page(slot, row, below=below, above=above, limit=limit)
            if self._holds(slot, row):
                return page
        with self._locked():
            slot, row = self._find_locked(account)
            return None if slot < 0 else self._page(slot, row, below=below, above=above, limit=limit)

    async def fill(self, account: int, ids: Sequence[int], reasons: Sequence[int], *, floor: int) -> None:
        if account <= 0:
            raise ValueError(f"no account has the id {account}")
        new_ids, new_reasons = np.array(ids, np.int64), np.array(reasons, np.uint8)
        if new_ids.shape != new_reasons.shape:
            raise ValueError("as many reasons as ids")
        with self._locked():
            slot = self._index.find(account)
            if slot < 0:
                slot = self._index.insert(account)
                self._write(slot, new_ids, new_reasons, floor=floor)
                return
            if self._file.rows.item(slot, VERSION) & 1:
                self._write(slot, new_ids, new_reasons, floor=floor)
                return
            # A full ring may have lost what came after `ids` were read: then its own floor stands.
            full = self._file.rows.item(slot, COUNT) >= RING_LENGTH
            self._merge(slot, new_ids, new_reasons, floor=max(floor, self._floor(slot)) if full else floor)

    async def merge(self, account: int, ids: Sequence[int], reason: Reason) -> None:
        with self._locked():
            slot, _ = self._find_locked(account)
            if slot >= 0:
                new_ids = np.array(ids, np.int64)
                self._merge(slot, new_ids, np.full(len(new_ids), reason, np.uint8), floor=self._floor(slot))

    async def drop(self, accounts: Sequence[int]) -> None:
        with self._locked():
            for account in accounts:
                self._index.remove(account)

    async def has(self, account: int) -> bool:
        return self._find(account)[0] >= 0

    async def close(self) -> None:
        self._file.close()

    # Finding.

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._file.lock()
        try:
            sequence, capacity, _, _ = self._file.head()
            if sequence & 1 or capacity != self._file.capacity:
                self._index.repair()
            yield
        finally:
            self._file.unlock()

    def _find(self, account: int) -> tuple[int, _Row]:
        """The slot of an account's sound ring with its row; slot -1 where there is none."""
        for _ in range(_TRIES):
            sequence, capacity = HEAD.unpack_from(self._file.map, HEAD_AT)[:2]
            if sequence & 1:
                continue
            if capacity != self._file.capacity:
                self._file.remap()
                continue
            slot = self._index.find(account)
            row = ROW.unpack_from(self._file.map, ROWS_AT + slot * ROW_BYTES) if slot >= 0 else ()
            if HEAD.unpack_from(self._file.map, HEAD_AT)[0] == sequence and not (row and row[VERSION] & 1):
                return slot, row
        with self._locked():
            return self._find_locked(account)

    def _find_locked(self, account: int) -> tuple[int, _Row]:
        """The same under the lock. Nobody is changing anything: what looks so was left by a killed writer."""
        slot = self._index.find(account)
        if slot < 0:
            return -1, ()
        row = ROW.unpack_from(self._file.map, ROWS_AT + slot * ROW_BYTES)
        if row[VERSION] & 1:
            self._index.remove(account)
            return -1, ()
        return slot, row

    def _holds(self, slot: int, row: _Row) -> bool:
        """Whether what was read of a ring after its row was read belongs together."""
        account, _, _, count, version = ROW.unpack_from(self._file.map, ROWS_AT + slot * ROW_BYTES)
        same = (account, version) == (row[ACCOUNT], row[VERSION])
        return same and count - row[COUNT] < _SPARE  # fewer entries came than there are places not read

    def _floor(self, slot: int) -> int:
        return self._file.rows.item(slot, FLOOR)

    # Reading.

    def _page(self, slot: int, row: _Row, *, below: int | None, above: int | None, limit: int) -> Page:
        count = row[COUNT]
        if below is None and above is None:
            ids, reasons = self._newest(slot, count, min(count, RING_LENGTH, max(limit, 0)))
        else:
            ids, reasons = self._newest(slot, count, min(count, RING_LENGTH))
            last = len(ids) if below is None else int(ids.searchsorted(below, "left"))
            first = 0 if above is None else int(ids.searchsorted(above, "right"))
            first = max(first, last - max(limit, 0))
            ids, reasons = ids[first:last], reasons[first:last]
        return Page(ids[::-1].tolist(), reasons[::-1].tolist(), row[FLOOR])

    def _newest(self, slot: int, count: int, length: int) -> tuple[Ids, Reasons]:
        """The newest `length` entries, in rising order."""
        ids_at, reasons_at, end = slot * BLOCK_IDS, slot * BLOCK_BYTES + REASONS_AT, count % ENTRIES
        file, start = self._file, end - length
        if start >= 0:
            return file.ids[ids_at + start : ids_at + end], file.reasons[reasons_at + start : reasons_at + end]
        start += ENTRIES
        return (
            np.concatenate((file.ids[ids_at + start : ids_at + ENTRIES], file.ids[ids_at : ids_at + end])),
            np.concatenate(
                (file.reasons[reasons_at + start : reasons_at + ENTRIES], file.reasons[reasons_at : reasons_at + end])
            ),
        )

    # Writing, under the lock.

    def _append(self, slots: Ids, rows: Ids, status_id: int, reason: int) -> None:
        """Add at the newer end: the entries first, then the rows that make them seen."""
        file = self._file
        count = rows[:, COUNT]
        at = _place_of(count)
        ids_at = slots * BLOCK_IDS
        file.ids[ids_at + at] = status_id
        at += slots * BLOCK_BYTES
        at += REASONS_AT
        file.reasons[at] = reason
        self._raise_floors(rows, ids_at)
        rows[:, NEWEST] = status_id
        rows[:, COUNT] += 1
        file.rows[slots] = rows

    def _raise_floors(self, rows: Ids, ids_at: Ids) -> None:
        """What the next entry pushes out of the 800 becomes the floor. (Places never written hold 0.)"""
        out = _place_of(rows[:, COUNT] + _SPARE)
        out += ids_at
        np.maximum(rows[:, FLOOR], self._file.ids.take(out), out=rows[:, FLOOR])

    def _put_in_place(self, slots: Ids, status_id: int, reason: int) -> None:
        """Add an id that is not the newest to many rings: those near the newer end at once, the rest one by one."""
        rows = self._file.rows.take(slots, axis=0)
        broken = (rows[:, VERSION] & 1) == 1
        for account in rows[broken, ACCOUNT].tolist():
            self._index.remove(account)
        wanted = ~broken & (rows[:, FLOOR] < status_id)
        slots, rows = slots[wanted], rows[wanted]
        # Column 0 is the newest entry.
        places = _place_of(rows[:, COUNT, None] + (ENTRIES * 2 - 1) - np.arange(_WINDOW))
        window = self._file.ids.take(places + (slots * BLOCK_IDS)[:, None])
        above = (window > status_id).sum(axis=1)
        new = ~(window == status_id).any(axis=1)
        near = new & (above < _WINDOW)
        if near.any():
            self._shift(slots[near], rows[near], above[near], status_id=status_id, reason=reason)
        ids, reasons = np.array([status_id], np.int64), np.array([reason], np.uint8)
        for slot in slots[new & ~near].tolist():
            self._merge(slot, ids, reasons, floor=self._floor(slot))

    def _shift(self, slots: Ids, rows: Ids, above: Ids, *, status_id: int, reason: int) -> None:
        """Move the `above` newest entries of each ring one on and write the id into the gap."""
        file, columns = self._file, np.arange(int(above.max()) + 1)
        moved = columns < above[:, None]
        written = columns <= above[:, None]
        to = _place_of(rows[:, COUNT, None] + ENTRIES - columns)
        source = _place_of(rows[:, COUNT, None] + (ENTRIES - 1) - columns)
        ids_at, reasons_at = (slots * BLOCK_IDS)[:, None], (slots * BLOCK_BYTES + REASONS_AT)[:, None]
        ids = np.where(moved, file.ids.take(source + ids_at), status_id)
        reasons = np.where(moved, file.reasons.take(source + reasons_at), reason)
        file.rows[slots, VERSION] = rows[:, VERSION] + 1
        self._raise_floors(rows, slots * BLOCK_IDS)
        file.ids[(to + ids_at)[written]] = ids[written]
        file.reasons[(to + reasons_at)[written]] = reasons[written]
        rows[:, COUNT] += 1
        rows[:, VERSION] += 1
        file.rows[slots] = rows
        file.rows[slots, VERSION] = rows[:, VERSION] + 1

    def _merge(self, slot: int, ids: Ids, reasons: Reasons, *, floor: int) -> None:
        """Add entries to a ring wherever they belong; those it has keep their reason."""
        count = self._file.rows.item(slot, COUNT)
        own_ids, own_reasons = self._newest(slot, count, min(count, RING_LENGTH))
        self._write(slot, np.concatenate((own_ids, ids)), np.concatenate((own_reasons, reasons)), floor=floor)

    def _write(self, slot: int, ids: Ids, reasons: Reasons, *, floor: int) -> None:
        """The whole ring anew; of two entries with one id the first stays."""
        ids, first = np.unique(ids, return_index=True)
        reasons = reasons[first]
        start = int(ids.searchsorted(floor, "right"))
        if len(ids) - start > RING_LENGTH:
            start = len(ids) - RING_LENGTH
            floor = int(ids[start - 1])
        ids, reasons = ids[start:], reasons[start:]
        file, row, length = self._file, self._file.rows[slot], len(ids)
        version = row.item(VERSION) | 1
        # No id is newer than this: a push that meets the ring half written does not take it for a sound one.
        row[NEWEST] = _LAST
        row[VERSION] = version
        ids_at, reasons_at = slot * BLOCK_IDS, slot * BLOCK_BYTES + REASONS_AT
        file.ids[ids_at : ids_at + length] = ids
        file.ids[ids_at + length : ids_at + ENTRIES] = 0
        file.reasons[reasons_at : reasons_at + length] = reasons
        row[FLOOR], row[COUNT] = floor, length
        row[NEWEST] = max(int(ids[-1]), floor) if length else floor
        row[VERSION] = version + 1


def _place_of(count: Ids) -> Ids:
    """`count % ENTRIES`, in half the time."""
    whole = count // ENTRIES
    whole *= -ENTRIES
    whole += count
    return whole
