"""Large multipart bodies, taken apart while they come: what is large goes to a disk, never into memory as a whole.

Box: web.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import falcon
from falcon.asgi.reader import BufferedReader
from falcon.media import MultipartFormHandler
from falcon.media.multipart import MultipartParseOptions

from townsquare.model.errors import BadRequest, TooLarge
from townsquare.web.bodies import (
    BODY_WITHIN_S,
    MAX_FILES,
    MAX_PARTS,
    PART_HEADERS_BYTES,
    Disconnected,
    Receive,
    checked_text,
)
from townsquare.web.forms import nest
from townsquare.web.routes import Upload

IN_MEMORY_BYTES = 1 << 20  # of one file
_FIELD_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 18
_SLOWEST = 64 << 10  # bytes a second; a body that comes slower is given up


async def take_multipart(
    receive: Receive, content_type: str, params: dict[str, Any], *, limit: int, folder: Path
) -> dict[str, Upload]:
    """Read a multipart body as it comes: its fields into `params`; its files, of which large ones lie without a name in
    `folder` until they are closed.

    Raises: TooLarge, BadRequest, Disconnected.
    """
    options = MultipartParseOptions()
    options.max_body_part_count = MAX_PARTS
    options.max_body_part_buffer_size = _FIELD_BYTES
    options.max_body_part_headers_size = PART_HEADERS_BYTES
    files: dict[str, Upload] = {}
    try:
        async with asyncio.timeout(BODY_WITHIN_S + limit / _SLOWEST):
            reader = BufferedReader(_chunks(receive, limit), chunk_size=_CHUNK_BYTES)
            form = await MultipartFormHandler(options).deserialize_async(reader, content_type, None)
            await _take_parts(form, params, files, folder)
            async for _ in reader:  # what may follow the last part
                continue
    except BaseException as exc:
        close_files(files)
        if isinstance(exc, TimeoutError):
            raise BadRequest("The body did not come in time") from exc
        if isinstance(exc, falcon.HTTPError | ValueError | LookupError):
            raise BadRequest("Invalid request: the multipart body cannot be read") from exc
        raise
    return files


def close_files(files: Mapping[str, Upload]) -> None:
    """Let go of what lies on the disk."""
    for upload in files.values():
        upload.file.close()


async def _take_parts(form: Any, params: dict[str, Any], files: dict[str, Upload], folder: Path) -> None:
    pairs: list[tuple[str, Any]] = []
    async for part in form:
        name = checked_text(part.name or "")
        if part.filename is None:
            pairs.append((name, checked_text(await part.get_data())))
            continue
        if len(files) >= MAX_FILES:
            raise BadRequest("Too many files")
        file: Any = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder) if folder.is_dir() else None)  # noqa: SIM115
        files[name] = Upload(filename=checked_text(part.filename), content_type=part.content_type, file=file)
        await _fill(file, part.stream)
    nest(pairs, params)


async def _fill(file: BinaryIO, stream: AsyncIterator[bytes]) -> None:
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size <= IN_MEMORY_BYTES:
            file.write(chunk)
        else:
            await asyncio.to_thread(file.write, chunk)


async def _chunks(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    size, more = 0, True
    while more:
        async with asyncio.timeout(BODY_WITHIN_S):
            event = await receive()
        if event["type"] != "http.request":
            raise Disconnected
        chunk = event.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge("The request is too large")
        more = event.get("more_body", False)
        yield chunk
