"""The files of people into another media store: those that rows name, so that any two engines will do.

Box: social.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from townsquare.media.port import MediaStore
from townsquare.media.types import FILE_TYPES
from townsquare.store.port import Store
from townsquare.store.tables import ACCOUNTS, CARDS, MEDIA
from townsquare.store.together import all_of
from townsquare.store.walk import pages

_AT_ONCE = 16  # files
_UNKNOWN = "application/octet-stream"


async def copy_media(store: Store, source: MediaStore, target: MediaStore, *, say: Callable[[str, int], None]) -> int:
    """Copy the files that the target has not got in their size; how many. Safe to repeat, also while people upload."""
    copied = 0
    async for keys in _keys(store):
        for start in range(0, len(keys), _AT_ONCE):
            done = await all_of(_copy(key, source, target) for key in keys[start : start + _AT_ONCE])
            copied += sum(done)
            say("files", copied)
    return copied


async def _copy(key: str, source: MediaStore, target: MediaStore) -> bool:
    """Whether there was something to copy."""
    size = await source.size(key)
    if size is None or await target.size(key) == size:
        return False
    kind = FILE_TYPES.get(key.rpartition(".")[2], _UNKNOWN)
    path = source.path_of(key)
    if path is not None:
        with Path(path).open("rb") as file:  # noqa: ASYNC230 - a local file; the target reads it in its own thread
            await target.put_file(key, file, content_type=kind)
        return True
    data = await source.get(key)
    if data is None:
        return False
    await target.put(key, data, content_type=kind)
    return True


async def _keys(store: Store) -> AsyncIterator[list[str]]:
    """The keys that rows name, some at a time."""
    async for media in pages(store, MEDIA):
        yield _known(key for row in media for key in (row.original, row.preview, row.raw))
    async for accounts in pages(store, ACCOUNTS):
        yield _known(key for row in accounts for key in (row.avatar, row.avatar_static, row.header, row.header_static))
    async for cards in pages(store, CARDS):
        yield _known(row.image for row in cards)


def _known(keys: Iterable[str]) -> list[str]:
    return sorted({key for key in keys if key})
