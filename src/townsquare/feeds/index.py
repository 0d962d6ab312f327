"""From account ids to slots in the file of rings: open addressing, for one account or thousands at once.

Box: feeds. Changes are made under the writers' lock with the head's sequence odd; readers look again when it moved.
"""

import weakref

import numpy as np
import numpy.typing as npt

from townsquare.feeds.layout import ACCOUNT, BLOCK, COUNT, GUARD, NEXT_FREE, ROOM_RINGS, ROW_CELLS, VERSION, RingMap
from townsquare.feeds.port import Ids
from townsquare.model.errors import Unavailable

_EMPTY = 0
_END_SPREAD = 63  # places
_MIX = 0x9E3779B97F4A7C15
_MIX_U64 = np.uint64(_MIX)
_ALL_64 = (1 << 64) - 1
_KNOWN_ARRAYS = 4096
_KNOWN_SLOTS = 4_000_000
_NO_SLOTS = np.empty(0, np.int64)


class Places:
    """Where the rings of some accounts are, as indices into the file's arrays."""

    __slots__ = ("blocks", "counts", "ends", "slots")

    def __init__(self, slots: Ids) -> None:
        self.slots = slots
        self.blocks = slots * BLOCK  # of the guards in `entries`
        self.counts = slots * ROW_CELLS + COUNT  # of the counts in `cells`
        # Where a ring goes on at the beginning of its block: not all at the same entry, or one more status of an author
        # with 100,000 followers, whose rings were made together, would move 600 MB at once.
        self.ends = BLOCK - 1 - (slots & _END_SPREAD)

    def pick(self, chosen: npt.NDArray[np.bool_]) -> "Places":
        """Some of them."""
        return Places(self.slots[chosen])


class RingIndex:
    """Where each account's ring is."""

    def __init__(self, file: RingMap) -> None:
        self._file = file
        # Slots of arrays that are likely to come again: followers of one author, a chunk at a time.
        self._known: dict[int, tuple[weakref.ref[Ids], int, Places]] = {}
        self._known_slots = 0

    def find(self, account: int) -> int:
        """The account's slot or -1; a reader without the lock checks the sequence before and after."""
        at = self._at(account)
        return -1 if at < 0 else self._file.slots.item(at)

    def find_many(self, accounts: Ids) -> Places:
        """The places of those that have a ring, each once; under the lock."""
        sequence = self._file.head()[0]
        known = self._known.get(id(accounts))
        if known is not None and known[1] == sequence and known[0]() is accounts:
            return known[2]
        places = Places(self._look_up(accounts))
        self._note(accounts, sequence, places)
        return places

    def insert(self, account: int) -> int:
        """A slot for an account that has none. Its ring counts as broken until it is written.

        Raises: Unavailable where no ring can be added.
        """
        sequence, capacity, used, free = self._file.head()
        self._file.set_head(sequence + 1, used, free)
        if not free:
            try:
                self._have_room(used, capacity)
            except Unavailable:
                self._file.set_head(sequence + 2, used, free)
                raise
        if free:
            slot, free = free - 1, self._file.rows.item(free - 1, NEXT_FREE)
        else:
            slot, used = used, used + 1
        row = self._file.rows[slot]
        # Before it is the account's: what the last owner left is nobody's.
        self._file.entries[slot * BLOCK] = GUARD
        row[COUNT] = 0
        row[ACCOUNT] = account
        self._place(account, slot)
        self._file.set_head(sequence + 2, used, free)
        return slot

    def _have_room(self, used: int, capacity: int) -> None:
        """Room for a ring in a slot that was never used. Raises: Unavailable."""
        if used == capacity:
            self._file.grow()
            self._rebuild()
        if used % ROOM_RINGS == 0:
            self._file.make_room(used)

    def remove(self, account: int) -> None:
        """Free the account's slot, if it has one."""
        at = self._at(account)
        if at < 0:
            return
        slot = self._file.slots.item(at)
        sequence, _, used, free = self._file.head()
        self._file.set_head(sequence + 1, used, free)
        row = self._file.rows[slot]
        row[COUNT] = 0
        row[ACCOUNT] = 0
        row[VERSION] += 1
        row[NEXT_FREE] = free
        self._close_gap(at)
        self._file.set_head(sequence + 2, used, slot + 1)

    def repair(self) -> None:
        """Put right what a writer left that was killed half way; under the lock, before anything else."""
        sequence, capacity, used, _ = self._file.head()
        if capacity != self._file.capacity:
            self._file.remap()
        if sequence & 1:
            rows = self._file.rows
            # The row at `used` may have been taken without being counted.
            used = min(used + 1, self._file.capacity)
            if used:  # nor may there be room for it and those after it
                self._file.make_room((used - 1) // ROOM_RINGS * ROOM_RINGS)
            free = 0
            for slot in np.flatnonzero(rows[:used, ACCOUNT] == 0).tolist():
                rows[slot, NEXT_FREE] = free
                free = slot + 1
            self._rebuild()
            self._file.set_head(sequence + 1, used, free)

    def _at(self, account: int) -> int:
        """Where the account is in the index, or -1."""
        if account <= 0:
            return -1
        keys = self._file.keys
        mask = len(keys) - 1
        at = _place(account, mask)
        for _ in range(mask):
            key = keys.item(at)
            if key == account:
                return at
            if key == _EMPTY:
                break
            at = (at + 1) & mask
        return -1

    def _place(self, account: int, slot: int) -> None:
        keys = self._file.keys
        mask = len(keys) - 1
        at = _place(account, mask)
        while keys.item(at) != _EMPTY:
            at = (at + 1) & mask
        self._file.slots[at] = slot
        keys[at] = account

    def _close_gap(self, gap: int) -> None:
        """Empty a place and move those behind it up, so that no look-up ends too early."""
        keys, slots = self._file.keys, self._file.slots
        mask = len(keys) - 1
        at = gap
        while (key := keys.item(at := (at + 1) & mask)) != _EMPTY:
            if (at - _place(key, mask)) & mask >= (at - gap) & mask:
                keys[gap], slots[gap] = key, slots[at]
                gap = at
        keys[gap] = _EMPTY

    def _rebuild(self) -> None:
        """The whole index from the rows."""
        keys, slots = self._file.keys, self._file.slots
        keys[:] = _EMPTY
        live = np.flatnonzero(self._file.rows[:, ACCOUNT] > 0)
        accounts = self._file.rows[live, ACCOUNT]
        mask = len(keys) - 1
        at = _places(accounts, mask)
        for _ in range(mask):
            if not len(live):
                break
            # All that find their place empty take it; of several for one place the last wins, the others go on.
            free = keys[at] == _EMPTY
            keys[at[free]] = accounts[free]
            slots[at[free]] = live[free]
            left = keys[at] != accounts
            live, accounts, at = live[left], accounts[left], (at[left] + 1) & mask

    def _look_up(self, accounts: Ids) -> Ids:
        keys = self._file.keys
        mask = len(keys) - 1
        if len(accounts) and accounts.min() <= 0:
            accounts = accounts[accounts > 0]
        at = _places(accounts, mask)
        found = []
        for _ in range(mask):
            if not len(accounts):
                break
            seen = keys.take(at)
            here = seen == accounts
            found.append(at.compress(here))
            left = np.flatnonzero(~here & (seen != _EMPTY))
            accounts, at = accounts.take(left), (at.take(left) + 1) & mask
        if not found:
            return _NO_SLOTS
        slots: Ids = self._file.slots.take(np.concatenate(found)).astype(np.int64)
        slots.sort()
        if len(slots) > 1 and not (slots[1:] > slots[:-1]).all():
            slots = np.unique(slots)
        return slots

    def _note(self, accounts: Ids, sequence: int, places: Places) -> None:
        name = id(accounts)
        self._forget(name)
        if len(self._known) >= _KNOWN_ARRAYS or self._known_slots > _KNOWN_SLOTS:
            self._known.clear()
            self._known_slots = 0
        self._known[name] = (weakref.ref(accounts, lambda _: self._forget(name)), sequence, places)
        self._known_slots += len(places.slots)

    def _forget(self, name: int) -> None:
        known = self._known.pop(name, None)
        if known is not None:
            self._known_slots -= len(known[2].slots)


def _place(account: int, mask: int) -> int:
    """Where the search for an account begins."""
    return ((account * _MIX) & _ALL_64) >> (64 - mask.bit_length())


def _places(accounts: Ids, mask: int) -> Ids:
    shift = np.uint64(64 - mask.bit_length())
    places: Ids = ((accounts.astype(np.uint64) * _MIX_U64) >> shift).astype(np.int64)
    return places
