"""One `townsquare run` for each data folder.

Box: cli. The lock is the processes': whoever was forked while it was held holds it too, so it is free when the last of
them has ended, however that came.
"""

import fcntl
import os
import struct
import time
from pathlib import Path

import click

_FLOCK = "hhqqi"  # struct flock: type, whence, start, length, pid
_LOOK_EVERY_S = 0.05


def hold(folder: Path, *, patience_s: float) -> int:
    """Take the folder for this process and its children; the lock's file, to be kept open.

    Processes of a server that was killed may still end what they had begun: that is waited for.
    Raises: click.ClickException where another server runs there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(file, 20, 0).decode("ascii", "replace").strip()
            if (owner.isdecimal() and Path(f"/proc/{owner}").exists()) or time.monotonic() > deadline:
                os.close(file)
                raise click.ClickException(
                    f"Another `townsquare run` (process {owner}) uses the folder {folder}: stop it, or give this "
                    "server a folder of its own with --data DIR."
                ) from None
            time.sleep(_LOOK_EVERY_S)
        else:
            os.ftruncate(file, 0)
            os.pwrite(file, str(os.getpid()).encode(), 0)
            return file


def in_use(folder: Path) -> bool:
    """Whether a living process holds a number of this folder: each that has its engines open does."""
    try:
        file = os.open(folder / "numbers.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        found: int = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, wanted))[0]
        return found != fcntl.F_UNLCK
    finally:
        os.close(file)
