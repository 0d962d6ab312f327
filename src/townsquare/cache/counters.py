"""Counters by key and window, in this process or shared by the processes of one machine.

Box: cache. File: 16 bytes of header (magic, secret), then slots of ten i64: key hash, end of window in seconds, and
eight parts of the sum. A process adds to a part that is its own, so counting takes no lock.
"""

import contextlib
import fcntl
import mmap
import os
import secrets
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from townsquare.kit.file_locks import lock_byte

_SLOTS = 1 << 16
_PROBES = 16
_HASH, _END, _PARTS_AT = range(3)  # cells of a slot; the parts follow
_OWN_PARTS = 7  # for so many processes; all others share the last part, under the lock
_CELLS = _PARTS_AT + _OWN_PARTS + 1
_HEAD_CELLS = 2
_MAGIC = b"TSQCNT2\0"
_FILE_BYTES = (_HEAD_CELLS + (_SLOTS + _PROBES) * _CELLS) * 8
_MAX_SUM = (1 << 53) - 1
_SWEEP_AT = 100_000
_KNOWN_PLACES = 10_000


class Counters(Protocol):
    """Sums that start anew with each window."""

    def add(self, key: str, amount: int, *, window_s: int, now_s: int) -> int:
        """The sum, after adding `amount`, of the key's window of `window_s` that `now_s` lies in."""

    def close(self) -> None:
        """Let go of the file."""


class MemoryCounters:
    """Counters of one process."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int, int], int] = {}

    def add(self, key: str, amount: int, *, window_s: int, now_s: int) -> int:
        name = (key, window_s, now_s // window_s)
        total = max(self._sums.get(name, 0) + amount, 0)
        if amount:
            self._sums[name] = total
            if len(self._sums) > _SWEEP_AT:
                # Past windows go; under a flood of keys in open ones all go, rather than the memory.
                self._sums = {k: v for k, v in self._sums.items() if k[1] * (k[2] + 1) > now_s}
                if len(self._sums) > _SWEEP_AT // 2:
                    self._sums = {name: total}
        return total

    def close(self) -> None:
        """Nothing to let go of."""


class SharedCounters:
    """Counters in one mapped file. A lock of the kernel guards the finding of slots, so a killed holder blocks nobody.

    A sum is never seen smaller than it is: of two processes that count at once, both may see what both added.
    """

    def __init__(self, path: Path) -> None:
        """Raises: OSError where the file cannot be made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if os.fstat(self._file).st_size != _FILE_BYTES or os.pread(self._file, 8, 0) != _MAGIC:
                # In place, not by a new file: others may have this one open, and all must count in the same.
                os.ftruncate(self._file, _FILE_BYTES)
                os.pwrite(self._file, _MAGIC + secrets.token_bytes(8) + bytes(_FILE_BYTES - 8 * _HEAD_CELLS), 0)
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._map = mmap.mmap(self._file, _FILE_BYTES)
        except BaseException:
            os.close(self._file)
            raise
        self._cells = memoryview(self._map).cast("q")
        # Keyed, so that nobody outside can choose keys that share slots.
        self._secret = self._map[8:16]
        self._part = _PARTS_AT + _free_part(self._file)
        self._is_alone = self._part < _PARTS_AT + _OWN_PARTS
        self._places: dict[tuple[str, int], tuple[int, int, int]] = {}  # of keys just counted: window's end, hash, cell

    def add(self, key: str, amount: int, *, window_s: int, now_s: int) -> int:
        known = self._places.get((key, window_s))
        if known is None or not self._is_alone:
            return self._add_locked(key, amount, window_s, now_s)
        end_s, hashed, at = known
        cells = self._cells
        if end_s - window_s <= now_s < end_s and cells[at] == hashed:
            if amount:
                cells[at + self._part] += amount
            total: int = sum(cells[at + _PARTS_AT : at + _CELLS])
            return total if total > 0 else 0
        return self._add_locked(key, amount, window_s, now_s)

    def close(self) -> None:
        self._cells.release()
        with contextlib.suppress(ValueError):
            self._map.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _add_locked(self, key: str, amount: int, window_s: int, now_s: int) -> int:
        end_s = now_s - now_s % window_s + window_s
        hashed = self._hash(key, window_s, end_s)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            at = self._slot(hashed, now_s)
            cells, part = self._cells, at + self._part
            if cells[at] != hashed and amount:
                cells[at] = 0  # first, so that whoever remembers the slot's last key does not add to it
                cells[at + _PARTS_AT : at + _CELLS] = _NOTHING
                cells[at + _END] = end_s
                cells[at] = hashed
            if amount:
                cells[part] = min(cells[part] + amount, _MAX_SUM)
            total = max(sum(cells[at + _PARTS_AT : at + _CELLS]), 0) if cells[at] == hashed else 0
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        if len(self._places) >= _KNOWN_PLACES:
            self._places.clear()
        self._places[key, window_s] = end_s, hashed, at
        return total

    def _hash(self, key: str, window_s: int, end_s: int) -> int:
        name = f"{end_s}:{window_s}:{key}".encode(errors="surrogatepass")
        return int.from_bytes(blake2b(name, digest_size=8, key=self._secret).digest(), "little", signed=True) or 1

    def _slot(self, hashed: int, now_s: int) -> int:
        """The first cell of the key's slot; a new key is given a free or past one, else that which ends first."""
        cells, at = self._cells, _HEAD_CELLS + (hashed % _SLOTS) * _CELLS
        best, best_end = at, _MAX_SUM
        for _ in range(_PROBES):
            there, end_s = cells[at], cells[at + _END]
            if there == hashed:
                return at
            if end_s <= now_s:
                end_s = 0
            if end_s < best_end:
                best, best_end = at, end_s
            if not there:
                break
            at += _CELLS
        return best


_NOTHING = memoryview(bytes((_CELLS - _PARTS_AT) * 8)).cast("q")


def _free_part(file: int) -> int:
    """A part of the sums that no living process has, until this one ends; the last where all are taken.

    Which are taken is told by locks on the bytes behind the file's end.
    """
    for part in range(_OWN_PARTS):
        if lock_byte(file, _FILE_BYTES + part):
            return part
    return _OWN_PARTS
