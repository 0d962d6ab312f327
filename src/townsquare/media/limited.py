"""Starts a program that reads a foreign file, with as little power as the system lets us take from it.

Box: media. Run as a script, without our package: `limited.py ORDER PROGRAM WORDS...`, ORDER being JSON. Memory, time,
size of files and their number are limited everywhere. On Linux the program also gets a network of its own that leads
nowhere, may read only its libraries and the one file, and write only to the one folder (Landlock, from Linux 5.13).
"""

import ctypes
import json
import os
import resource
import signal
import struct
import sys

_NO_NEW_PRIVS = 38
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULES_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_FILE, _TRUNCATE = (
    1 << bit for bit in (0, 1, 2, 3, 5, 8, 14)
)
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_FILE | _MAKE_FILE | _TRUNCATE
_BITS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}  # kinds of access to files that are known; 16 from then on
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives", "/dev/null", "/dev/urandom")


def main() -> None:
    """Lower every limit for good, then become the program."""
    order = json.loads(sys.argv[1])
    program, words = sys.argv[2], sys.argv[3:]
    os.nice(10)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python has put it aside; the end by it tells why
    cpu_s = order["cpu_s"]
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))  # first a signal that tells why, then the end
    for limit, value in (
        (resource.RLIMIT_AS, order["memory_bytes"]),
        (resource.RLIMIT_FSIZE, order["file_bytes"]),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.unshare(_NEW_USER | _NEW_NET)  # where the system forbids it, what follows must do
        above = os.path.dirname(os.path.dirname(os.path.realpath(program)))
        readable = [*_SYSTEM, order["read"], *([above] if above.count("/") > 1 else [])]
        _see_only(libc, readable, order["write"])
    os.execv(program, [program, *words])


def _see_only(libc: ctypes.CDLL, readable: list[str], writable: str) -> None:
    """Give up all files but these, where the kernel can do that."""
    version = libc.syscall(_CREATE_RULESET, None, 0, _RULES_VERSION)
    if version < 1:
        return
    known = (1 << _BITS_BY_VERSION.get(version, 16)) - 1
    rules = struct.pack("=Q", known)
    ruleset = libc.syscall(_CREATE_RULESET, rules, len(rules), 0)
    if ruleset < 0:
        return
    for path, access in (*((path, _READ) for path in readable), (writable, _WRITE)):
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = access if os.path.isdir(path) else access & _OF_FILES
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed & known, opened), 0)
        os.close(opened)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


if __name__ == "__main__":
    main()
