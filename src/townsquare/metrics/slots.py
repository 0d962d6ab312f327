"""The processes of one data folder that can be read: each has a number of its own for its role, and a socket.

Box: metrics. A number is a lock on a file, gone with its process: the next one of the role takes the same, so that
Prometheus sees one process that began anew, not another one.
"""

import fcntl
import os
import socket
from contextlib import suppress
from itertools import count
from pathlib import Path

_LONGEST_PATH = 100  # bytes; the system's limit for the address of a Unix socket is 107


class Slots:
    """The folder of the sockets."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._fd = folder, os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._lock = -1
        self.name = ""

    def take(self, role: str) -> str:
        """The first free number of the role, ours until this process ends."""
        for number in count(1):
            lock = os.open(self._folder / f"{role}-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self._lock, self.name = lock, f"{role}-{number}"
            break
        return self.name

    def listen(self) -> socket.socket:
        """The socket of our own number."""
        with suppress(FileNotFoundError):
            (self._folder / f"{self.name}.sock").unlink()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.bind(self.address(self.name))
        sock.listen()
        return sock

    def address(self, name: str) -> str:
        """Where the process of this name listens."""
        path = str(self._folder / f"{name}.sock")
        return path if len(os.fsencode(path)) <= _LONGEST_PATH else f"/proc/self/fd/{self._fd}/{name}.sock"

    def others(self) -> list[str]:
        """The names of the other processes that have a socket; it may be a dead one's, which refuses connections."""
        return sorted(path.stem for path in self._folder.glob("*.sock") if path.stem != self.name)

    def close(self) -> None:
        """Give the number back."""
        if self._lock >= 0:
            with suppress(FileNotFoundError):
                (self._folder / f"{self.name}.sock").unlink()
            os.close(self._lock)
            self._lock = -1
        os.close(self._fd)
