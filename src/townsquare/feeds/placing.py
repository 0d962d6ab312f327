"""Where the file of rings lies: in memory where there is room, as it is of no use after the machine's next start.

Each status is written into a page of every follower's ring. On disk the kernel writes all of these pages out every
30 s: 400 MB for 100,000 followers, and while it does, every durable write of the store waits, up to a second.

The name that the settings give becomes a link to a folder of ours in memory. Whoever opens the file follows the link,
so all processes see the same one, whatever room there is by then.

Box: feeds.
"""

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

MEMORY = Path("/dev/shm")  # Linux's own file system in memory
ROOM_BYTES = 2 << 30  # that must be free, else the file stays on disk: 250,000 rings
_PREFIX = "townsquare-"
_OWNER = "of"  # in a folder: a link to the name that leads to it
_NEW_S = 60.0  # a folder as young as this may not have got its name yet


def place(path: Path, memory: Path = MEMORY, *, room_bytes: int = ROOM_BYTES) -> Path:
    """Where the file of this name lies, decided here if it is new; under the writers' lock.

    Raises: OSError.
    """
    if path.is_symlink():
        target = Path(os.readlink(path))
        if target.parent.parent != memory or not target.parent.name.startswith(_PREFIX):
            return path.resolve()  # the operator's own link
        if _is_ours(target.parent):
            return target
        path.unlink()  # the machine was started again
    elif path.exists():
        return path
    sweep(memory)
    return path if _room(memory) < room_bytes else _place_in(memory, path)


def _place_in(memory: Path, path: Path) -> Path:
    """A folder of its own for the file; the name itself where there can be none."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=memory))
        (folder / _OWNER).symlink_to(path.absolute())
        path.symlink_to(folder / path.name)
    except OSError:
        return path
    return folder / path.name


def _is_ours(folder: Path) -> bool:
    """Whether it is a folder that nobody else can write to."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _room(memory: Path) -> int:
    if not memory.is_dir():
        return 0
    found = os.statvfs(memory)
    return found.f_bavail * found.f_frsize


def sweep(memory: Path = MEMORY, *, older_s: float = _NEW_S) -> None:
    """Remove folders of a certain age whose name is gone: nobody can find what is in them any more."""
    for folder in memory.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            owner = folder / _OWNER
            is_old = time.time() - folder.lstat().st_mtime >= older_s
            if is_old and _is_ours(folder) and not _leads_to(Path(os.readlink(owner)), folder):
                shutil.rmtree(folder)


def _leads_to(name: Path, folder: Path) -> bool:
    return name.is_symlink() and Path(os.readlink(name)).parent == folder
