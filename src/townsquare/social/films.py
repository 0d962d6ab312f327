"""Films and sounds: the file to play, and a small picture of it.

Box: social.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from townsquare.media.film import Film, Limits
from townsquare.media.picture import Picture, Use
from townsquare.model.errors import Invalid
from townsquare.model.status import Media
from townsquare.social.media_files import new_key, store_picture
from townsquare.social.ports import Ports

LOST = "Validation failed: File was lost; please upload it again"
_PART_BYTES = 4 << 20


def limits_of(ports: Ports) -> Limits:
    """What the settings allow."""
    return Limits(file_bytes=ports.settings.video_mb << 20, longest_s=ports.settings.video_minutes * 60.0)


async def make_film(ports: Ports, row: Media) -> Media:
    """Make and keep the files of an upload; the row as it is then.

    Raises: Invalid where it cannot be used; Unavailable, then a repeat may help.
    """
    folder = Path(ports.settings.data).resolve() / "films"
    async with (
        _at_hand(ports, row.raw) as source,
        ports.film_studio.make(source, limits_of(ports), folder=folder) as film,
    ):
        small: Picture | None = None
        blurhash = ""
        if film.poster:
            made = await ports.studio.make(film.poster, Use.ATTACHMENT)
            small, blurhash = made.beside or made.main, made.blurhash
        original = await _store(ports, film)
        preview = await store_picture(ports, small) if small else ""
    return msgspec.structs.replace(
        row,
        state="ready",
        kind=film.kind,
        raw="",
        original=original,
        preview=preview,
        width=film.width,
        height=film.height,
        preview_width=small.width if small else 0,
        preview_height=small.height if small else 0,
        blurhash=blurhash,
        duration_ms=round(film.duration_s * 1000),
        frame_rate=film.frame_rate,
        bitrate=film.bitrate,
    )


async def _store(ports: Ports, film: Film) -> str:
    key = new_key(film.extension)
    with await asyncio.to_thread(open, film.path, "rb") as file:
        await ports.media.put_file(key, file, content_type=film.content_type)
    return key


@asynccontextmanager
async def _at_hand(ports: Ports, key: str) -> AsyncIterator[Path]:
    """The file on this machine, fetched where the media store is elsewhere."""
    path = ports.media.path_of(key)
    if path is not None:
        yield Path(path)
        return
    size = await ports.media.size(key)
    if size is None:
        raise Invalid(LOST)
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="townsquare-")
    try:
        copy = Path(folder) / "film"
        await _fetch(ports, key, size, copy)
        yield copy
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _fetch(ports: Ports, key: str, size: int, to: Path) -> None:
    with await asyncio.to_thread(open, to, "wb") as file:
        for start in range(0, size, _PART_BYTES):
            part = await ports.media.part(key, start, _PART_BYTES)
            if part is None:
                raise Invalid(LOST)
            await asyncio.to_thread(file.write, part)
