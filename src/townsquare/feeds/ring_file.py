"""Home timelines in one mapped file, shared by the processes of one machine.

A ring is kept sorted by id. Writers hold one lock; readers hold none and read again when a ring changed meanwhile:
its `COUNT` grows with each entry at the newer end, which overwrites nothing; it is 0 during any other change, and
`VERSION` is another one after it. A ring found at 0 by one who holds the lock was left by a killed writer and is taken
away: it can be made again.
For the event loop's thread alone.

Box: feeds.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from townsquare.feeds.entries import MAX_ID, REASON_BITS, REASON_MASK, bound, checked, packed, sound
from townsquare.feeds.index import Places, RingIndex
from townsquare.feeds.layout import ACCOUNT, BLOCK, COUNT, GUARD, HEAD, HEAD_AT, ROW, ROWS_AT, VERSION, RingMap
from townsquare.feeds.port import RING_LENGTH, Ids, Page, Reason

_FLOOR = 1  # its place in a block
_KNOWN_SLOTS = 20_000
_FEW = 60  # entries of a page
_WINDOWS = (8, 64)  # how far from the newest end an id is put in its place for many rings at once, tried in turn
_TRIES = 1000  # of a reader, before it takes the lock: far longer than any change takes
_Row = tuple[int, ...]


class RingFile:
    """Feeds in a file. What a power cut leaves is not used: rings are made again."""

    def __init__(self, file: RingMap) -> None:
        self._file, self._index = file, RingIndex(file)
        self._slots: dict[int, int] = {}  # where rings were found last; a row says itself whose it is
        self._locked = _Lock(self._file, self._index)

    @classmethod
    def open(cls, path: Path) -> "RingFile":
        """The file at `path`; a missing or damaged one is begun anew.

        Raises: Unavailable.
        """
        return cls(RingMap(path))

    async def push(self, accounts: Ids, status_id: int, reason: Reason) -> int:
        checked(status_id)
        with self._locked:
            places = self._index.find_many(accounts)
            if not len(places.slots):
                return 0
            file = self._file
            entry = status_id << REASON_BITS
            counts = file.cells.take(places.counts)
            at = counts + places.blocks
            newest = file.entries.take(at)
            if newest.max() < entry:
                self._append(places, counts, at, entry=entry | reason)
            else:
                newer = newest < entry
                if newer.any():
                    self._append(places.pick(newer), counts[newer], at[newer], entry=entry | reason)
                self._put_in_place(places.pick(~newer), entry=entry | reason)
            return len(places.slots)

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
        with self._locked:
            slot, row = self._find_locked(account)
            return None if slot < 0 else self._page(slot, row, below=below, above=above, limit=limit)

    async def fill(self, account: int, ids: Sequence[int], reasons: Sequence[int], *, floor: int) -> None:
        if account <= 0:
            raise ValueError(f"no account has the id {account}")
        entries = packed(ids) | np.array(reasons, np.int64)
        with self._locked:
            slot, row = self._find_locked(account)
            if slot < 0:
                slot = self._index.insert(account)
                self._write(slot, entries, floor=floor)
                return
            # A full ring may have lost what came after `ids` were read: then its own floor stands.
            full = row[COUNT] - _FLOOR >= RING_LENGTH
            self._merge(slot, entries, floor=max(floor, self._floor(slot, row[COUNT])) if full else floor)

    async def merge(self, account: int, ids: Sequence[int], reason: Reason) -> None:
        entries = packed(ids) | int(reason)
        with self._locked:
            slot, row = self._find_locked(account)
            if slot >= 0:
                self._merge(slot, entries, floor=self._floor(slot, row[COUNT]))

    async def drop(self, accounts: Sequence[int]) -> None:
        with self._locked:
            for account in accounts:
                self._index.remove(account)

    async def has(self, account: int) -> bool:
        return self._find(account)[0] >= 0

    async def close(self) -> None:
        self._file.close()

    # Finding.

    def _find(self, account: int) -> tuple[int, _Row]:
        """The slot of an account's sound ring with its row; slot -1 where there is none."""
        slot = self._slots.get(account, -1)
        if slot >= 0:
            row = ROW.unpack_from(self._file.map, ROWS_AT + slot * ROW.size)
            if row[ACCOUNT] == account and row[COUNT]:
                return slot, row
        return self._find_anew(account)

    def _find_anew(self, account: int) -> tuple[int, _Row]:
        for _ in range(_TRIES):
            sequence, capacity = HEAD.unpack_from(self._file.map, HEAD_AT)[:2]
            if sequence & 1:
                continue
            if capacity != self._file.capacity:
                self._file.remap()
                continue
            slot = self._index.find(account)
            if slot >= 0:
                row = ROW.unpack_from(self._file.map, ROWS_AT + slot * ROW.size)
                if row[COUNT] and row[ACCOUNT] == account:
                    if len(self._slots) >= _KNOWN_SLOTS:
                        self._slots.clear()
                    self._slots[account] = slot
                    return slot, row
            elif HEAD.unpack_from(self._file.map, HEAD_AT)[0] == sequence:
                return -1, ()
        with self._locked:
            return self._find_locked(account)

    def _find_locked(self, account: int) -> tuple[int, _Row]:
        """The same under the lock. Nobody is changing anything: what looks so was left by a killed writer."""
        slot = self._index.find(account)
        if slot < 0:
            return -1, ()
        row = ROW.unpack_from(self._file.map, ROWS_AT + slot * ROW.size)
        if not row[COUNT]:
            self._index.remove(account)
            return -1, ()
        return slot, row

    def _holds(self, slot: int, row: _Row) -> bool:
        """Whether what was read of a ring after its row was read belongs together."""
        account, version, count, _ = ROW.unpack_from(self._file.map, ROWS_AT + slot * ROW.size)
        return bool(count) and version == row[VERSION] and account == row[ACCOUNT]

    def _floor(self, slot: int, count: int) -> int:
        """The id below the newest 800."""
        return self._file.entries.item(slot * BLOCK + max(count - RING_LENGTH, _FLOOR)) >> REASON_BITS

    # Reading.

    def _page(self, slot: int, row: _Row, *, below: int | None, above: int | None, limit: int) -> Page:
        count, block = row[COUNT], slot * BLOCK
        last, first = block + count + 1, block + max(count - RING_LENGTH, _FLOOR) + 1
        entries = self._file.entries
        floor = entries.item(first - 1) >> REASON_BITS
        if below is not None and last > first:
            last = first + int(entries[first:last].searchsorted(bound(below), "left"))
        if above is not None and last > first:
            first += int(entries[first:last].searchsorted(bound(above + 1), "left"))
        first = max(first, last - max(limit, 0))
        page = entries[last - 1 : first - 1 : -1]  # a block's guard and floor lie before it
        if last - first > _FEW:
            return Page((page >> REASON_BITS).tolist(), (page & REASON_MASK).tolist(), floor)
        few = page.tolist()  # arrays begin to pay beyond this
        return Page([each >> REASON_BITS for each in few], [each & REASON_MASK for each in few], floor)

    # Writing, under the lock.

    def _append(self, places: Places, counts: Ids, at: Ids, *, entry: int) -> None:
        """Add at the newer end: the entries first, then the counts that make them seen."""
        at += 1
        self._file.entries[at] = entry
        counts += 1
        self._file.cells[places.counts] = counts
        self._move_down(places.slots[counts >= places.ends])

    def _move_down(self, slots: Ids) -> None:
        """Rings at the end of their block go on at its beginning. Below their 800 is their floor."""
        rows, blocks = self._file.rows, self._file.entries.reshape(-1, BLOCK)
        for slot in slots.tolist():
            row, block, count = rows[slot], blocks[slot], rows.item(slot, COUNT)
            row[COUNT] = 0
            block[_FLOOR : _FLOOR + RING_LENGTH + 1] = block[count - RING_LENGTH : count + 1]
            row[VERSION] += 1
            row[COUNT] = _FLOOR + RING_LENGTH

    def _put_in_place(self, places: Places, *, entry: int) -> None:
        """Add an entry that is not the newest to many rings: those near the newer end at once, the rest one by one."""
        for window in _WINDOWS:
            if not len(places.slots):
                return
            places = self._put_within(places, window, entry=entry)
        for slot in places.slots.tolist():
            floor = self._floor(slot, self._file.rows.item(slot, COUNT))
            if entry >> REASON_BITS > floor:
                self._merge(slot, np.array([entry]), floor=floor)

    def _put_within(self, places: Places, length: int, *, entry: int) -> Places:
        """Add an entry where it belongs among the newest `length`; the places where it belongs further down."""
        file, cells, status = self._file, self._file.cells, entry & ~REASON_MASK
        counts = cells.take(places.counts)
        for slot in places.slots[counts == 0].tolist():
            self._index.remove(file.rows.item(slot, ACCOUNT))
        # Column 0 is the newest entry; the floor is the last, and what would lie below it is 0.
        behind = counts[:, None] - np.arange(length)
        window = file.entries.take(places.blocks[:, None] + np.maximum(behind, 0))
        window *= behind >= _FLOOR
        above = (window > (status | REASON_MASK)).sum(axis=1)
        # What is in a ring or is its floor is not new; neither is what even the floor is above of.
        new = ~((window & ~REASON_MASK) == status).any(axis=1) & (above < counts)
        near = new & (above < length)
        if near.any():
            self._shift(places.pick(near), counts[near], above[near], entry=entry)
        return places.pick(new & ~near)

    def _shift(self, places: Places, counts: Ids, above: Ids, *, entry: int) -> None:
        """Move the `above` newest entries of each ring one on and write the entry into the gap."""
        file, columns = self._file, np.arange(int(above.max()) + 1)
        source = (places.blocks + counts)[:, None] - columns
        values = np.where(columns < above[:, None], file.entries.take(source), entry)
        written = columns <= above[:, None]
        file.cells[places.counts] = 0
        file.entries[source[written] + 1] = values[written]
        counts += 1
        file.rows[places.slots, VERSION] += 1
        file.cells[places.counts] = counts
        self._move_down(places.slots[counts >= places.ends])

    def _merge(self, slot: int, entries: Ids, *, floor: int) -> None:
        """Add entries to a ring wherever they belong; those it has keep their reason."""
        count, block = self._file.rows.item(slot, COUNT), slot * BLOCK
        own = self._file.entries[block + max(count - RING_LENGTH, _FLOOR) + 1 : block + count + 1]
        self._write(slot, np.concatenate((own, entries)), floor=floor)

    def _write(self, slot: int, entries: Ids, *, floor: int) -> None:
        """The whole ring anew; of two entries with one id the first stays."""
        entries, floor = sound(entries, floor=floor)
        file, row, block = self._file, self._file.rows[slot], slot * BLOCK
        row[COUNT] = 0
        file.entries[block] = GUARD
        file.entries[block + _FLOOR] = min(floor, MAX_ID) << REASON_BITS | REASON_MASK
        file.entries[block + _FLOOR + 1 : block + _FLOOR + 1 + len(entries)] = entries
        row[VERSION] += 1
        row[COUNT] = _FLOOR + len(entries)


class _Lock:
    """The writers' lock, with what a killed one left put right."""

    __slots__ = ("_file", "_index")

    def __init__(self, file: RingMap, index: RingIndex) -> None:
        self._file, self._index = file, index

    def __enter__(self) -> None:
        self._file.lock()
        sequence, capacity, _, _ = self._file.head()
        if sequence & 1 or capacity != self._file.capacity:
            try:
                self._index.repair()
            except BaseException:
                self._file.unlock()
                raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.unlock()
