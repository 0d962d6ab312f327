"""The process that decodes one picture and ends: no files, no network, little memory, little time.

Box: media. `studio.py` starts it. Before it reads a byte of the picture it gives up for good the right to open any
file or socket (no new descriptors) and to write any file (size 0); it talks through the pipes it was born with.
"""

import ctypes
import resource
import sys

import msgspec

from townsquare.media.images import make
from townsquare.media.picture import Answer, Order, Refused
from townsquare.model.errors import Invalid

MEMORY_BYTES = 768 << 20  # of address space; the largest pictures touch 300 MB
CPU_S = 10
_PR_SET_NO_NEW_PRIVS = 38


def lock_down() -> None:
    """Lower every limit for good."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))  # first a signal that tells why, then the end
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def main() -> None:
    """Read an order from standard input, write the answer to standard output."""
    encode, decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(Order).decode
    lock_down()
    order = decode(sys.stdin.buffer.read())
    try:
        answer = Answer(made=make(order.data, order.use))
    except Invalid as exc:
        answer = Answer(refused=Refused(str(exc)))
    except MemoryError:
        answer = Answer(refused=Refused("Validation failed: File needs too much memory"))
    sys.stdout.buffer.write(encode(answer))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
