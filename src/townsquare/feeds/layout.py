"""The file of rings: how its bytes lie, and the lock of its writers.

Box: feeds. Regions, each sized for `MAX_RINGS` but only allocated as far as it is used:
head (one page) · index keys (i64, two a ring) · index slots (i32) · rows (4 x i64 a ring) · blocks (i64, one a ring).
Block: a guard, the floor, then the entries in rising order: the newest at `row[COUNT]`. An entry is `id << 2 | reason`.
"""

import fcntl
import mmap
import os
import struct
from pathlib import Path

import numpy as np

from townsquare.feeds.placing import place
from townsquare.model.errors import Unavailable

MAX_RINGS = 1 << 20
ROOM_RINGS = 64  # that get room at a time
BLOCK = 1016  # places: 800 for a ring and some to go on in before it is moved down; an odd number of cache lines
ROW = struct.Struct("4q")
ACCOUNT, VERSION, COUNT, NEXT_FREE = range(4)  # columns of a row
ROW_CELLS = ROW.size // 8
GUARD = (1 << 63) - 1  # above every entry. It is what a look at the newest of a ring with `COUNT` 0 finds

_FIRST_RINGS = 1024
_PAGE = 4096
_KEYS_AT = _PAGE
_SLOTS_AT = _KEYS_AT + 2 * MAX_RINGS * 8
ROWS_AT = _SLOTS_AT + 2 * MAX_RINGS * 4
_BLOCKS_AT = ROWS_AT + MAX_RINGS * ROW.size
_HEAD = struct.Struct("<8s40s")
HEAD = struct.Struct("4q")  # sequence (odd: being changed), capacity, rows ever used, first free row + 1
HEAD_AT = _HEAD.size
_MAGIC = b"TSQRING2"


class RingMap:
    """The mapped file. Views are made anew when the file has grown."""

    def __init__(self, path: Path) -> None:
        """Open the file, or begin an empty one where it is missing, damaged or from before the machine started.

        Raises: Unavailable.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_file = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.lock()
            try:
                self._file = _open_whole(place(path))
            finally:
                self.unlock()
        except OSError as exc:
            raise Unavailable("home timelines cannot be opened") from exc
        self.remap()

    def lock(self) -> None:
        """Be the only writer; ended by `unlock` or the end of the process."""
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)

    def unlock(self) -> None:
        """Let other writers in."""
        fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def remap(self) -> None:
        """See the file as long as it is now."""
        capacity = HEAD.unpack(os.pread(self._file, HEAD.size, HEAD_AT))[1]
        self.map = mmap.mmap(self._file, _size(capacity))
        self.capacity = capacity
        self._head = np.frombuffer(self.map, np.int64, 4, HEAD_AT)
        self.keys = np.frombuffer(self.map, np.int64, 2 * capacity, _KEYS_AT)
        self.slots = np.frombuffer(self.map, np.int32, 2 * capacity, _SLOTS_AT)
        self.cells = np.frombuffer(self.map, np.int64, capacity * ROW_CELLS, ROWS_AT)
        self.rows = self.cells.reshape(capacity, ROW_CELLS)
        self.entries = np.frombuffer(self.map, np.int64, capacity * BLOCK, _BLOCKS_AT)

    def head(self) -> tuple[int, int, int, int]:
        """Sequence, capacity, rows ever used, first free row + 1."""
        return HEAD.unpack_from(self.map, HEAD_AT)

    def set_head(self, sequence: int, used: int, free: int) -> None:
        """Write the head; only under the lock. Number by number, as others may look or we be killed in between: what an
        odd sequence covers is written after it, and before an even one."""
        head = self._head
        if sequence & 1:
            head[0] = sequence
        head[2] = used
        head[3] = free
        head[0] = sequence

    def make_room(self, slot: int) -> None:
        """Have the disk's blocks for some rings from this one on, before the first of them is used.

        Raises: Unavailable where the disk is full.
        """
        length = min(ROOM_RINGS, self.capacity - slot) * BLOCK * 8
        try:
            os.posix_fallocate(self._file, _BLOCKS_AT + slot * BLOCK * 8, length)
        except OSError as exc:
            raise Unavailable("there is no room for more home timelines") from exc

    def grow(self) -> None:
        """Twice the rings; under the lock, with the sequence odd. The index is then to be rebuilt.

        Raises: Unavailable where the disk is full or there are too many rings.
        """
        capacity = self.capacity * 2
        if capacity > MAX_RINGS:
            raise Unavailable("there are too many home timelines")
        try:
            _allocate(self._file, capacity)
        except OSError as exc:
            raise Unavailable("there is no room for more home timelines") from exc
        self._head[1] = capacity
        self.remap()

    def close(self) -> None:
        """Let go of the files. The map itself goes with its last view."""
        for file in (self._file, self._lock_file):
            os.close(file)
        self._file = self._lock_file = -1


def _open_whole(path: Path) -> int:
    file = _open_existing(path)
    if file is None:
        fresh = path.with_name(path.name + ".new")
        file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _allocate(file, _FIRST_RINGS)
            os.pwrite(file, _HEAD.pack(_MAGIC, _boot_id()) + HEAD.pack(0, _FIRST_RINGS, 0, 0), 0)
            # A new file in its place: shortening one that others have mapped would end them.
            fresh.rename(path)
        except BaseException:
            os.close(file)
            raise
    return file


def _open_existing(path: Path) -> int | None:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    head = os.pread(file, HEAD_AT + HEAD.size, 0)
    if len(head) == HEAD_AT + HEAD.size and head[:HEAD_AT] == _HEAD.pack(_MAGIC, _boot_id()):
        _, capacity, used, free = HEAD.unpack_from(head, HEAD_AT)
        whole = _FIRST_RINGS <= capacity <= MAX_RINGS and 0 <= used <= capacity and 0 <= free <= capacity
        if whole and os.fstat(file).st_size >= _size(capacity):
            return file
    os.close(file)
    return None


def _size(capacity: int) -> int:
    return _BLOCKS_AT + capacity * BLOCK * 8


def _allocate(file: int, capacity: int) -> None:
    """Have the disk's blocks at hand, those of the rings apart (see `make_room`): a full disk is an error here, and not
    the end of the process at a later write."""
    os.posix_fallocate(file, 0, _PAGE)
    os.posix_fallocate(file, _KEYS_AT, 2 * capacity * 8)
    os.posix_fallocate(file, _SLOTS_AT, 2 * capacity * 4)
    os.posix_fallocate(file, ROWS_AT, capacity * ROW.size)
    os.ftruncate(file, max(_size(capacity), os.fstat(file).st_size))


def _boot_id() -> bytes:
    """Which start of the machine this is. What a power cut left of a mapped file is not to be trusted."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except OSError:
        return b"unknown"
