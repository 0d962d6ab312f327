"""Media and the statuses that hold them: each belongs to one status at most, and to its uploader's.

Box: social. Source: Mastodon API, /methods/statuses/#create (media_ids)
"""

from collections.abc import Sequence

import msgspec

from townsquare.model.errors import Invalid
from townsquare.model.status import Media
from townsquare.social.ports import Ports
from townsquare.store.tables import MEDIA

_TRIES = 5  # the media worker may change the row between our look and our write


async def claim(ports: Ports, account_id: int, media_ids: Sequence[int], *, status_id: int) -> None:
    """Attach the account's uploads to a status; a repeat changes nothing.

    Raises: Invalid where one is another's, unknown, named twice, on another status, or not ready.
    """
    if len(set(media_ids)) < len(media_ids):
        raise Invalid(_not_found([str(each) for each in media_ids if media_ids.count(each) > 1][:1]))
    found = await _read(ports, media_ids)
    bad = [
        str(each)
        for each, row in zip(media_ids, found, strict=True)
        if row is None or row.account_id != account_id or row.status_id not in (0, status_id)
    ]
    if bad:
        raise Invalid(_not_found(bad))
    rows = [row for row in found if row is not None]
    if len(rows) > 1 and any(row.kind in ("video", "gifv", "audio") for row in rows):
        raise Invalid("Validation failed: Cannot attach a video to a post that already contains images")
    if any(row.state == "failed" for row in rows):
        raise Invalid("Validation failed: File could not be processed")
    if any(row.state != "ready" for row in rows):
        raise Invalid(
            "Validation failed: Cannot attach files that have not finished processing. Try again in a moment!"
        )
    done: list[int] = []
    for row in rows:
        if not await _move(ports, row, from_status=0, to_status=status_id):
            await release(ports, done, status_id=status_id)
            raise Invalid(_not_found([str(row.media_id)]))
        done.append(row.media_id)


async def release(ports: Ports, media_ids: Sequence[int], *, status_id: int) -> None:
    """Take media off a status; those that are not on it stay as they are."""
    for row in await _read(ports, media_ids):
        if row is not None:
            await _move(ports, row, from_status=status_id, to_status=0)


async def describe(ports: Ports, row: Media, *, description: str, focus: tuple[float, float] | None) -> None:
    """Change what is said of an upload."""
    for _ in range(_TRIES):
        if await ports.store.slow_compare_and_set(
            MEDIA, row, msgspec.structs.replace(row, description=description, focus=focus)
        ):
            return
        (again,) = await _read(ports, [row.media_id])
        if again is None:
            return
        row = again


async def _read(ports: Ports, media_ids: Sequence[int]) -> list[Media | None]:
    return await ports.store.get_many(MEDIA, [(each,) for each in media_ids]) if media_ids else []


async def _move(ports: Ports, row: Media, *, from_status: int, to_status: int) -> bool:
    for _ in range(_TRIES):
        if row.status_id == to_status:
            return True
        if row.status_id != from_status:
            return False
        if await ports.store.slow_compare_and_set(MEDIA, row, msgspec.structs.replace(row, status_id=to_status)):
            return True
        (again,) = await _read(ports, [row.media_id])
        if again is None:
            return False
        row = again
    return False


def _not_found(ids: Sequence[str]) -> str:
    return f"Validation failed: Media {', '.join(ids)} not found or already attached to another post"
