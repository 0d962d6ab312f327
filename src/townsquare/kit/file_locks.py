"""Locks on bytes of a file, gone with whoever has it open.

Box: kit.
"""

import fcntl
import os
import struct


def lock_byte(file: int, at: int) -> bool:
    """Lock one byte for this open file, or where the system cannot, for this process; False where another has it."""
    try:
        if hasattr(fcntl, "F_OFD_SETLK"):
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, at, 1, 0))
        else:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
    except (BlockingIOError, PermissionError):
        return False
    return True
