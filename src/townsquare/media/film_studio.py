"""Makes films and sounds fit to be played, by ffmpeg in limited processes.

Box: media. ffmpeg is a program of the system: where it is not found, films are refused with a sentence.
"""

import asyncio
import contextlib
import functools
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from townsquare.media.containers import MP4, Container, container_of
from townsquare.media.ffmpeg import GIFV_S, make_words, poster_words, probe_words
from townsquare.media.film import Film, Limits
from townsquare.media.probe import BROKEN, Found, check_found, read_probe, too_long
from townsquare.model.errors import Invalid, Unavailable

NO_FFMPEG = "Validation failed: Video and sound cannot be uploaded here, since ffmpeg is not installed on this server"
TOO_LARGE = "Validation failed: Video becomes too large when it is made fit to be played"
TOO_SLOW = "Validation failed: Video takes too long to work on"
MEMORY_BYTES = 2 << 30  # of address space
MAKE_S, LOOK_S = 1_200.0, 30.0  # in all; a core may be busy as long
_HEAD_BYTES = 64
_MAX_WORDS_BYTES = 1 << 20  # of what ffprobe prints
_OLD_S = 7_200  # folders that killed processes left behind
_LIMITED = str(Path(__file__).with_name("limited.py"))
_OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGKILL)

log = logging.getLogger(__name__)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a process may: read one file, write to one folder, for so long."""

    read: str
    write: str
    within_s: float
    file_bytes: int


@functools.cache
def programs() -> tuple[str, str] | None:
    """Where ffmpeg and ffprobe are; None where one is missing. Looked for once a process."""
    found = shutil.which("ffmpeg"), shutil.which("ffprobe")
    return None if found[0] is None or found[1] is None else (found[0], found[1])


class FilmStudio:
    """Makes films, one at a time."""

    def __init__(self, *, make_s: float = MAKE_S) -> None:
        self._slot, self._make_s = asyncio.Semaphore(1), make_s

    @property
    def is_open(self) -> bool:
        """Whether films can be made here at all."""
        return programs() is not None

    @asynccontextmanager
    async def make(self, source: Path, limits: Limits, *, folder: Path) -> AsyncIterator[Film]:
        """A film made of the file, in a folder inside `folder` that is gone afterwards.

        Raises: Invalid where it cannot be used, Unavailable where no process can be started.
        """
        if not self.is_open:
            raise Invalid(NO_FFMPEG)
        async with self._slot, _room(folder) as room:
            yield await self._make(source, limits, room)

    async def _make(self, source: Path, limits: Limits, room: str) -> Film:
        path = str(source.resolve())
        container = container_of(await asyncio.to_thread(_head, source))
        if container is None:
            raise Invalid(BROKEN)
        found = await _look(path, container, room)
        check_found(found, longest_s=limits.longest_s)
        output = f"{room}/made"
        words, extension = make_words(path, container, found, limits, output)
        order = Order(read=path, write=room, within_s=self._make_s, file_bytes=limits.file_bytes)
        await _run("ffmpeg", order, words)
        made = await _look(output, Container("mp3", may_move=False) if extension == "mp3" else MP4, room)
        if made.duration_s > limits.longest_s:
            raise Invalid(too_long(limits.longest_s))
        poster = await _poster(output, made, room) if made.film else b""
        return _film(made, output, extension, poster)


def _film(made: Found, path: str, extension: str, poster: bytes) -> Film:
    kind = "audio"
    if made.film is not None:
        kind = "gifv" if made.sound is None and made.duration_s <= GIFV_S else "video"
    rate = made.frame_rate
    return Film(
        kind=kind,
        path=path,
        extension=extension,
        width=made.width,
        height=made.height,
        duration_s=made.duration_s,
        frame_rate=f"{rate.numerator}/{rate.denominator}" if made.film else "",
        bitrate=made.bitrate,
        poster=poster,
    )


async def _look(path: str, container: Container, room: str) -> Found:
    order = Order(read=path, write=room, within_s=LOOK_S, file_bytes=0)
    return read_probe(await _run("ffprobe", order, probe_words(path, container)), container)


async def _poster(path: str, made: Found, room: str) -> bytes:
    output = Path(room) / "poster"
    order = Order(read=path, write=room, within_s=LOOK_S, file_bytes=16 << 20)
    await _run("ffmpeg", order, poster_words(path, made, str(output)))
    return await asyncio.to_thread(output.read_bytes)


async def _run(program: str, order: Order, words: Sequence[str]) -> bytes:
    """What a program printed.

    Raises: Invalid where it failed, Unavailable where it cannot be started.
    """
    found = programs()
    assert found is not None
    path = found[0] if program == "ffmpeg" else found[1]
    limits = {
        "cpu_s": int(order.within_s),
        "memory_bytes": MEMORY_BYTES,
        "file_bytes": order.file_bytes,
        "read": order.read,
        "write": order.write,
    }
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", _LIMITED, json.dumps(limits), path, *words,
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd="/", env={"LC_ALL": "C", "HOME": "/"}, start_new_session=True,
            limit=_MAX_WORDS_BYTES,
        )  # fmt: skip
    except OSError as exc:
        raise Unavailable("Videos cannot be worked on just now") from exc
    said = errors = b""
    try:
        async with asyncio.timeout(order.within_s):
            said, errors = await process.communicate()
        code = process.returncode or 0
    except TimeoutError:
        code = -signal.SIGXCPU
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    _check_end(program, code, errors)
    return said


def _check_end(program: str, code: int, errors: bytes) -> None:
    """Raises: Invalid where the program did not do its work."""
    if code == 0:
        return
    log.info("%s ended with code %d: %s", program, code, ascii(errors[-300:].decode("latin-1")))
    if code in _OUT_OF_TIME:
        raise Invalid(TOO_SLOW)
    raise Invalid(TOO_LARGE if code == -signal.SIGXFSZ else BROKEN)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


@asynccontextmanager
async def _room(folder: Path) -> AsyncIterator[str]:
    """A folder of one work's own. Those that were left behind by killed processes go."""
    room = await asyncio.to_thread(_open_room, folder)
    try:
        yield room
    finally:
        await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)


def _open_room(folder: Path) -> str:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.lstat().st_mtime < time.time() - _OLD_S:
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(dir=folder.resolve())
