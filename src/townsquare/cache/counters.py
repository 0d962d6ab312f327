"""Counters by key and window, in this process or shared by the processes of one machine.

Box: cache. File: 16 bytes of header (magic, secret), then slots of three u64 (key hash, end of window in seconds, sum).
"""

import contextlib
import fcntl
import mmap
import os
import secrets
import struct
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

_SLOTS = 1 << 16
_PROBES = 16
_SLOT = struct.Struct("<QQQ")
_HASH = struct.Struct("<Q")
_HEAD_BYTES = 16
_MAGIC = b"TSQCNT1\0"
_FILE_BYTES = _HEAD_BYTES + (_SLOTS + _PROBES) * _SLOT.size
_MAX_SUM = (1 << 63) - 1
_SWEEP_AT = 100_000
_KNOWN_HASHES = 10_000


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
    """Counters in one mapped file. A lock of the kernel guards each change, so a killed holder blocks nobody."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError where the file cannot be made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if os.fstat(self._file).st_size != _FILE_BYTES or os.pread(self._file, 8, 0) != _MAGIC:
                # In place, not by a new file: others may have this one open, and all must count in the same.
                os.ftruncate(self._file, _FILE_BYTES)
                os.pwrite(self._file, _MAGIC + secrets.token_bytes(8) + bytes(_FILE_BYTES - _HEAD_BYTES), 0)
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._map = mmap.mmap(self._file, _FILE_BYTES)
        except BaseException:
            os.close(self._file)
            raise
        # Keyed, so that nobody outside can choose keys that share slots.
        self._secret = self._map[8:16]
        self._hashes: dict[tuple[str, int], tuple[int, int]] = {}  # of keys that were just counted: window's end, hash

    def add(self, key: str, amount: int, *, window_s: int, now_s: int) -> int:
        window_end_s = now_s - now_s % window_s + window_s
        known = self._hashes.get((key, window_s))
        hashed = known[1] if known and known[0] == window_end_s else self._hash(key, window_s, window_end_s)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            at, total = self._slot(hashed, now_s)
            total = min(max(total + amount, 0), _MAX_SUM)
            if amount:
                _SLOT.pack_into(self._map, at, hashed, window_end_s, total)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return total

    def close(self) -> None:
        with contextlib.suppress(ValueError):
            self._map.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _hash(self, key: str, window_s: int, window_end_s: int) -> int:
        if len(self._hashes) >= _KNOWN_HASHES:
            self._hashes.clear()
        name = f"{window_end_s}:{window_s}:{key}".encode(errors="surrogatepass")
        hashed: int = _HASH.unpack(blake2b(name, digest_size=8, key=self._secret).digest())[0] or 1
        self._hashes[key, window_s] = window_end_s, hashed
        return hashed

    def _slot(self, hashed: int, now_s: int) -> tuple[int, int]:
        """Where the key is and its sum; a new key takes a free or past one, else that which ends first."""
        at = _HEAD_BYTES + (hashed % _SLOTS) * _SLOT.size
        best, best_end = at, _MAX_SUM
        for _ in range(_PROBES):
            there, end_s, total = _SLOT.unpack_from(self._map, at)
            if there == hashed:
                return at, total
            if end_s <= now_s:
                end_s = 0
            if end_s < best_end:
                best, best_end = at, end_s
            if not there:
                break
            at += _SLOT.size
        return best, 0
