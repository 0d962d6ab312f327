"""Turns among the processes that write to one SQLite file, so that a busy one does not keep the others waiting.

SQLite lets in whoever asks at the right moment, and a process that commits one group after the other leaves few such
moments. Here who waits holds the place at the door, and who comes out goes behind him. It is a courtesy: that only
one writes at a time is still SQLite's own promise.

Box: store.
"""

import fcntl
import os
import time
from pathlib import Path

_DOOR, _ROOM = 0, 1  # bytes of the file
_LOOK_EVERY_S = 0.0001


class Turn:
    """A process's place among the writers. Use from one thread."""

    def __init__(self, path: Path) -> None:
        """`path`: an empty file that all of them share, made if it is missing. Raises: OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, *, patience_s: float) -> bool:
        """Wait for our turn, at most `patience_s`; whether it came."""
        until = time.monotonic() + patience_s
        if not self._lock(_DOOR, until):
            return False
        came = self._lock(_ROOM, until)
        self._unlock(_DOOR)
        return came

    def give(self) -> None:
        """Let the next one in; nothing if it is not our turn."""
        self._unlock(_ROOM)

    def close(self) -> None:
        """Leave."""
        os.close(self._file)

    def _lock(self, byte: int, until: float) -> bool:
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except (BlockingIOError, PermissionError):
                if time.monotonic() >= until:
                    return False
                time.sleep(_LOOK_EVERY_S)
            else:
                return True

    def _unlock(self, byte: int) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, byte)
