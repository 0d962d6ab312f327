"""What every media store promises.

Suite: media.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.engines import MEDIA, open_media
from townsquare.media.disk import DiskMedia
from townsquare.media.port import MediaStore
from townsquare.model.errors import Unavailable

KEY = "media/original/0f3a9c.webp"
BAD_KEYS = [
    "",
    "/etc/passwd",
    "../secret",
    "media/../../secret",
    "a/..",
    "a//b",
    "a/./b",
    ".hidden",
    "a/.passing/x",
    "a..b",
    "A.webp",
    "a b",
    "a\\b",
    "a\0b",
    "a\n",
    "a%2fb",
    "ä.webp",
    "a/",
    "a/b/c/d/e/f/g/h/i",
    "x" * 201,
]


@pytest.fixture(params=MEDIA)
async def media(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MediaStore]:
    store = open_media(request.param, tmp_path)
    yield store
    await store.close()


async def test_a_file_comes_back_whole_and_can_be_replaced(media: MediaStore) -> None:
    assert await media.get(KEY) is None
    await media.put(KEY, b"\x00first", content_type="image/webp")
    assert await media.get(KEY) == b"\x00first"
    await media.put(KEY, b"second" * 100_000, content_type="image/webp")
    assert await media.get(KEY) == b"second" * 100_000
    await media.put("empty", b"", content_type="image/png")
    assert await media.get("empty") == b""


async def test_a_large_file_goes_in_and_comes_out_in_parts(media: MediaStore, tmp_path: Path) -> None:
    assert (await media.size(KEY), await media.part(KEY, 0, 10)) == (None, None)
    whole = bytes(range(251)) * 100_000  # more than one part of an upload
    (tmp_path / "large").write_bytes(whole)
    with (tmp_path / "large").open("rb") as file:
        file.read(7)  # it is put from its beginning all the same
        await media.put_file(KEY, file, content_type="video/mp4")
    assert await media.size(KEY) == len(whole)
    assert await media.part(KEY, 0, 5) == whole[:5]
    assert await media.part(KEY, 20_000_000, 300_000) == whole[20_000_000:20_300_000]
    assert await media.part(KEY, len(whole) - 3, 100) == whole[-3:]
    assert await media.get(KEY) == whole


async def test_clients_come_to_us_unless_a_setting_says_otherwise(media: MediaStore) -> None:
    await media.put(KEY, b"x", content_type="image/webp")
    assert (media.origin, await media.link_of(KEY)) == (None, None)


async def test_deleting_is_repeatable(media: MediaStore) -> None:
    await media.put(KEY, b"x", content_type="image/webp")
    await media.put("b", b"y", content_type="image/webp")
    await media.delete([KEY, "never/there.png"])
    await media.delete([KEY])
    assert await media.get(KEY) is None
    assert await media.get("b") == b"y"


async def test_a_path_holds_what_was_put(media: MediaStore) -> None:
    assert media.path_of(KEY) is None
    await media.put(KEY, b"x", content_type="image/webp")
    path = media.path_of(KEY)
    assert path is None or read(path) == b"x"


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_keys_that_lead_elsewhere_are_refused(media: MediaStore, key: str) -> None:
    with pytest.raises(ValueError):
        await media.put(key, b"x", content_type="image/webp")
    with pytest.raises(ValueError):
        await media.get(key)
    with pytest.raises(ValueError):
        media.path_of(key)
    with pytest.raises(ValueError):
        await media.part(key, 0, 1)
    with pytest.raises(ValueError):
        await media.size(key)
    with pytest.raises(ValueError):
        await media.link_of(key)
    with pytest.raises(ValueError):
        await media.delete(["fine", key])


def read(path: str | Path) -> bytes:
    return Path(path).read_bytes()


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that is none of ours, and a folder of ours in which links lead to it."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder = tmp_path / "media"
    (folder / "se" / "cr").mkdir(parents=True)
    (folder / "se" / "cr" / "secret.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "elsewhere" / "ab" / "cd").mkdir(parents=True)
    (tmp_path / "elsewhere" / "ab" / "cd" / "abcd.png").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "ev" / "il").mkdir(parents=True)
    os.mkfifo(folder / "ev" / "il" / "evil")
    return folder


async def test_links_lead_nowhere(outside: Path) -> None:
    media = DiskMedia(outside)
    for key in ("secret.png", "link/abcd.png", "evil"):
        assert await media.get(key) is None
        assert media.path_of(key) is None
        await media.delete([key])
    with pytest.raises(Unavailable):
        await media.put("link/new.png", b"x", content_type="image/png")
    assert read(outside.parent / "elsewhere" / "ab" / "cd" / "abcd.png") == b"secret"
    # A link in the file's own place is replaced, not followed.
    await media.put("secret.png", b"mine", content_type="image/png")
    assert await media.get("secret.png") == b"mine"
    assert read(outside.parent / "secret.png") == b"secret"


async def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path, outside: Path) -> None:
    media = DiskMedia(outside)
    await media.put(KEY, b"old", content_type="image/webp")
    await media.put("ta/ke/n", b"file", content_type="image/webp")
    before = files_in(outside)
    with pytest.raises(Unavailable):
        await media.put("ta/ke/n_/__/n/x", b"new", content_type="image/webp")
    assert files_in(outside) == before
    assert await media.get(KEY) == b"old"


async def test_files_are_spread_over_folders(tmp_path: Path) -> None:
    media = DiskMedia(tmp_path)
    await media.put(KEY, b"x", content_type="image/webp")
    await media.put("a.b", b"x", content_type="image/webp")
    assert files_in(tmp_path) == ["a_/__/a.b", "media/original/0f/3a/0f3a9c.webp"]
