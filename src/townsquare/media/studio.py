"""Starts a limited process for each picture and ends it, whatever happens inside.

Box: media. A fresh process per picture: nothing of one picture can reach the next, nothing runs while nobody uploads,
and the start costs 60 ms.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import msgspec

import townsquare
from townsquare.media.headers import BROKEN, read_header
from townsquare.media.picture import Answer, Made, Order, Use
from townsquare.model.errors import Invalid, Unavailable

AT_ONCE = 2  # processes of one studio
TIMEOUT_S = 20.0
TOO_LONG = "Validation failed: File takes too long to work on"
_OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGKILL)
_MAX_ANSWER_BYTES = 64 << 20
_DECODER = msgspec.msgpack.Decoder(Answer)

log = logging.getLogger(__name__)


class Studio:
    """Makes pictures fit to be shown, in processes of its own."""

    def __init__(self, *, at_once: int = AT_ONCE, timeout_s: float = TIMEOUT_S) -> None:
        self._slots, self._timeout_s = asyncio.Semaphore(at_once), timeout_s

    async def make(self, data: bytes, use: Use) -> Made:
        """The files for this use. Waits for a slot, then at most `timeout_s`.

        Raises: Invalid where the file cannot be used, Unavailable where no process can be started.
        """
        read_header(data)  # what is refused here costs no process
        async with self._slots:
            output, code = await self._run(msgspec.msgpack.encode(Order(use, data)))
        if code:
            log.warning("the process for a picture ended with code %d", code)
        if code in _OUT_OF_TIME:
            raise Invalid(TOO_LONG)
        try:
            answer = _DECODER.decode(output)
        except (msgspec.DecodeError, msgspec.ValidationError) as exc:
            raise Invalid(BROKEN) from exc  # it died: over a limit, or crashed by the file
        if answer.made is None:
            raise Invalid(answer.refused.message if answer.refused else BROKEN)
        return answer.made

    async def _run(self, order: bytes) -> tuple[bytes, int]:
        """What the process said, and its exit code (less than zero: the signal that ended it)."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-s", "-m", "townsquare.media.child",
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd="/", env=_environment(), start_new_session=True,
            )  # fmt: skip
        except OSError as exc:
            raise Unavailable("Pictures cannot be worked on just now") from exc
        try:
            async with asyncio.timeout(self._timeout_s):
                output = await _talk(process, order)
                return output, await process.wait()
        except TimeoutError:
            return b"", -signal.SIGXCPU
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _talk(process: Process, order: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):  # it may die before it has read all
        process.stdin.write(order)
        await process.stdin.drain()
        process.stdin.close()
    output = bytearray()
    while chunk := await process.stdout.read(1 << 18):
        output += chunk
        if len(output) > _MAX_ANSWER_BYTES:
            return b""
    return bytes(output)


def _environment() -> dict[str, str]:
    """All the child knows: where our code is, and libvips' own limits. No secret, no proxy, no folder."""
    return {
        "PYTHONPATH": str(Path(townsquare.__file__).parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "VIPS_BLOCK_UNTRUSTED": "1",
        "VIPS_CONCURRENCY": "1",
        "VIPS_DISC_THRESHOLD": "4g",  # never through a file
    }
