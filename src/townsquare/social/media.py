"""Media attachments: upload, describe, remove; pictures of profiles and cards. Statuses take them by attachments.py.

Box: social. Source: Mastodon API, /methods/media/. A row is changed by compare-and-set while the worker may still be
at it, so that neither overwrites the other.
"""

import asyncio
import io
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO

import msgspec

from townsquare.media.containers import container_of
from townsquare.media.film_studio import NO_FFMPEG
from townsquare.media.headers import MAX_BYTES, read_header
from townsquare.media.picture import Picture, Use
from townsquare.model.errors import Invalid, NotFound, Unavailable
from townsquare.model.status import Media
from townsquare.model.tasks import AnyTask, DeleteMedia, ProcessFilm, ProcessMedia
from townsquare.social.cdn import delete_files
from townsquare.social.facts import media_fact, told
from townsquare.social.films import LOST, make_film
from townsquare.social.media_files import new_key, store_picture
from townsquare.social.ports import Ports
from townsquare.social.timers import timer
from townsquare.store.port import Put
from townsquare.store.standing import stand
from townsquare.store.tables import MEDIA, STATUSES

IMAGE = "image"
MAX_DESCRIPTION = 10_000  # characters
UNATTACHED_MS = 24 * 3_600_000  # how long an upload waits for its status
_COMMIT_GRACE_MS = 3_600_000  # a status that is named but absent may still be on its way this long
_TRIES = 5
_HEAD_BYTES = 64  # that tell a film's container
_FIRST_LOOK_S, _LOOK_S = 0.12, 0.06

log = logging.getLogger(__name__)


class StoredPicture(msgspec.Struct, frozen=True):
    """Keys of a profile's picture: as it is, and its still first frame (the same where nothing moves)."""

    key: str
    static_key: str


# Upload ---------------------------------------------------------------------------------------------------------------


def check_description(description: str) -> None:
    """Make sure that a description can be kept.

    Raises: Invalid.
    """
    if len(description) > MAX_DESCRIPTION:
        said = ("ERR_TOO_LONG", f"is too long (maximum is {MAX_DESCRIPTION} characters)")
        raise Invalid(f"Validation failed: Description {said[1]}", {"description": [said]})


async def upload(
    ports: Ports,
    *,
    account_id: int,
    file: BinaryIO,
    description: str = "",
    focus: tuple[float, float] | None = None,
    queue: bool = True,
) -> Media:
    """Keep an upload that is still to be worked on: by a worker, or with `queue` False by the caller (`work_on`) where
    it is a picture. Films always go to a worker.

    Raises: Invalid where it cannot become something to look at or listen to.
    """
    check_description(description)
    kind = _checked_kind(ports, file)
    media_id = ports.new_id()
    raw = f"raw/{new_key('bin')}"
    await ports.media.put_file(raw, file, content_type="application/octet-stream")
    row = Media(media_id=media_id, account_id=account_id, kind=kind, raw=raw, description=description, focus=focus)
    sweep = timer(ports, DeleteMedia((media_id,)), due_ms=ports.clock.now_ms() + UNATTACHED_MS)
    tasks: list[AnyTask] = []
    if kind != IMAGE:
        tasks.append(ProcessFilm(media_id))
    elif queue:
        tasks.append(ProcessMedia(media_id))
    await ports.outbox.commit([sweep], [Put(MEDIA, row)], tasks=tasks)
    return row


def _checked_kind(ports: Ports, file: BinaryIO) -> str:
    """What an upload will be, as far as its beginning tells.

    Raises: Invalid.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    container = container_of(file.read(_HEAD_BYTES))
    if container is None:
        file.seek(0)
        read_header(file.read(MAX_BYTES + 1))
        return IMAGE
    if not ports.settings.video_mb:
        raise Invalid("Validation failed: Video and sound cannot be uploaded here")
    if not ports.film_studio.is_open:
        raise Invalid(NO_FFMPEG)
    if size > ports.settings.video_mb << 20:
        raise Invalid(f"Validation failed: File must be less than {ports.settings.video_mb} MB")
    return "video" if container.may_move else "audio"


async def work_on(ports: Ports, media_id: int) -> Media:
    """Make the files of an upload. Safe to repeat: what is made already is left alone.

    Raises: NotFound; Unavailable, then a repeat may help.
    """
    row = await ports.store.get(MEDIA, (media_id,))
    if row is None:
        raise NotFound
    if row.state != "pending":
        return row
    size = await ports.media.size(row.raw) or 0
    made = await _make(ports, row)
    if made.state == "ready":
        await ports.outbox.leave(told([media_fact(made, size)]))  # a repeat finds the row made

    def finished(now: Media) -> Media:
        if now.state != "pending":
            return now
        return msgspec.structs.replace(made, description=now.description, focus=now.focus, status_id=now.status_id)

    try:
        after = await _change(ports, row, finished)
    except NotFound:
        after = row
    if after.original != made.original:  # deleted meanwhile, or another worker was first
        await ports.media.delete([key for key in (made.original, made.preview) if key])
    await ports.media.delete([row.raw])
    return after


async def _make(ports: Ports, row: Media) -> Media:
    try:
        return await (_make_picture(ports, row) if row.kind == IMAGE else make_film(ports, row))
    except Invalid as exc:
        return msgspec.structs.replace(row, state="failed", error=str(exc), raw="")


async def _make_picture(ports: Ports, row: Media) -> Media:
    data = await ports.media.get(row.raw)
    if data is None:
        raise Invalid(LOST)
    made = await ports.studio.make(data, Use.ATTACHMENT)
    small = made.beside or made.main
    return msgspec.structs.replace(
        row,
        state="ready",
        raw="",
        original=await store_picture(ports, made.main),
        preview=await store_picture(ports, small),
        width=made.main.width,
        height=made.main.height,
        preview_width=small.width,
        preview_height=small.height,
        blurhash=made.blurhash,
    )


async def wait_until_made(ports: Ports, row: Media, *, wait_s: float) -> Media:
    """The row when the worker has done with it, or as it is after `wait_s`."""
    try:
        async with asyncio.timeout(wait_s):
            await asyncio.sleep(_FIRST_LOOK_S)
            while row.state == "pending":
                row = await ports.store.get(MEDIA, (row.media_id,)) or row
                await asyncio.sleep(_LOOK_S if row.state == "pending" else 0)
    except TimeoutError:
        pass
    return row


# Look at, change, remove ----------------------------------------------------------------------------------------------


async def unattached(ports: Ports, media_id: int, *, account_id: int) -> Media:
    """The account's own media that no status holds yet.

    Raises: NotFound, also for the media of others.
    """
    row = await _own(ports, media_id, account_id)
    if row.status_id:
        raise NotFound
    return row


async def describe(
    ports: Ports,
    media_id: int,
    *,
    account_id: int,
    description: str | None = None,
    focus: tuple[float, float] | None = None,
) -> Media:
    """Set what is given of media that no status holds yet; None leaves it.

    Raises: Invalid, NotFound.
    """
    row = await unattached(ports, media_id, account_id=account_id)
    check_description(description or "")
    return await _change(
        ports,
        row,
        lambda now: msgspec.structs.replace(
            now,
            description=now.description if description is None else description,
            focus=now.focus if focus is None else focus,
        ),
    )


async def discard(ports: Ports, media_id: int, *, account_id: int) -> None:
    """Delete media that no status holds.

    Raises: NotFound; Invalid where a status holds it.
    """
    row = await _own(ports, media_id, account_id)
    if row.status_id:
        raise Invalid("Media attachment is currently used by a status")
    gone = msgspec.structs.replace(row, state="deleted")
    settle = partial(stand, ports.store, MEDIA, gone)  # over a post that takes it at the same time
    await ports.outbox.commit([Put(MEDIA, gone)], tasks=[DeleteMedia((media_id,))], settle=settle)


async def remove(ports: Ports, media_ids: Sequence[int]) -> None:
    """Remove the files and rows of those that nobody holds any more; leave the others. Safe to repeat.

    It looks at the rows, so a task whose act was never committed, or a timer of an upload that was posted since,
    removes nothing.
    """
    found = await ports.store.get_many(MEDIA, [(each,) for each in media_ids])
    rows = [row for row in found if row is not None]
    holders = await ports.store.get_many(STATUSES, [(row.status_id,) for row in rows])
    now_ms = ports.clock.now_ms()
    for row, status in zip(rows, holders, strict=True):
        if row.status_id:
            if status is None:
                held = now_ms - (row.status_id >> 16) < _COMMIT_GRACE_MS
            else:
                held = not status.deleted and row.media_id in status.media
        else:
            held = row.state != "deleted" and now_ms - (row.media_id >> 16) < UNATTACHED_MS
        if not held:
            await delete_files(ports, [key for key in (row.original, row.preview) if key])
            await ports.media.delete([row.raw] if row.raw else [])
            await ports.store.drop(MEDIA, (row.media_id,))


# For profiles and cards -----------------------------------------------------------------------------------------------


async def store_profile_picture(ports: Ports, data: bytes, *, kind: Use) -> StoredPicture:
    """Cut a picture to size for `Use.AVATAR` or `Use.HEADER` and keep it.

    Raises: Invalid where it is no picture.
    """
    made = await ports.studio.make(data, kind)
    key = await store_picture(ports, made.main)
    return StoredPicture(key, await store_picture(ports, made.beside) if made.beside else key)


async def store_card_picture(ports: Ports, data: bytes) -> tuple[str, Picture, str]:
    """Keep a linked page's picture: its key, the picture, its blurhash.

    Raises: Invalid where it is no picture.
    """
    made = await ports.studio.make(data, Use.CARD)
    return await store_picture(ports, made.main), made.main, made.blurhash


async def _own(ports: Ports, media_id: int, account_id: int) -> Media:
    row = await ports.store.get(MEDIA, (media_id,))
    if row is None or row.account_id != account_id or row.state == "deleted":
        raise NotFound
    return row


async def _change(ports: Ports, row: Media, change: Callable[[Media], Media]) -> Media:
    """Bring the row from what it is to what `change` makes of it, whoever else writes."""
    for _ in range(_TRIES):
        new = change(row)
        if new == row or await ports.store.slow_compare_and_set(MEDIA, row, new):
            return new
        found = await ports.store.get(MEDIA, (row.media_id,))
        if found is None:
            raise NotFound
        row = found
    raise Unavailable("This media is being changed just now")
