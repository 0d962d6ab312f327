"""Films and sounds by the API: uploaded to a disk, made by a worker, served in parts."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.conftest import Person, Server
from tests.unit.media.clips import HEIGHT, SECRET, WIDTH, film, tone
from tests.unit.media.made import still
from tests.work import do_all
from townsquare.media import film_studio
from townsquare.media.disk import DiskMedia
from townsquare.model.errors import Invalid
from townsquare.model.status import Media
from townsquare.model.tasks import ProcessFilm
from townsquare.social import attachments
from townsquare.store.port import Put
from townsquare.store.tables import MEDIA
from townsquare.web.server.table import ALL_ROUTES
from townsquare.workers.media import process_film

HEAD = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2mp41"
KEY = f"ab/cd/{'0' * 28}.mp4"


async def send(server: Server, person: Person, data: bytes, *, version: int = 2, **fields: Any) -> httpx.Response:
    files = {"file": ("../../x.mp4", data, "text/html")}
    return await server.client.post(f"/api/v{version}/media", headers=person.headers, files=files, data=fields)


@asynccontextmanager
async def worker(server: Server) -> AsyncIterator[None]:
    """Films are made while the block runs."""

    async def work() -> None:
        while True:
            for row in (await server.ports.store.scan(MEDIA, limit=9))[0]:
                if row.state == "pending":
                    await process_film(ProcessFilm(row.media_id), server.ports)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
async def test_a_film_is_202_then_206_then_there(server: Server, tmp_path: Path) -> None:
    ann = await server.sign_in("ann")
    answer = await send(server, ann, film(tmp_path).read_bytes(), description="A test card")
    entity = answer.json()
    assert (answer.status_code, entity["type"], entity["url"]) == (202, "video", None)
    path = f"/api/v1/media/{entity['id']}"
    assert (await server.client.get(path, headers=ann.headers)).status_code == 206
    await do_all(server.ports, lanes=("film",))
    done = await server.client.get(path, headers=ann.headers)
    assert done.status_code == 200
    entity = done.json()
    assert entity["url"].endswith(".mp4")
    assert entity["preview_url"].endswith(".jpg")
    assert len(entity["blurhash"]) == 28
    original = entity["meta"]["original"]
    assert (original["width"], original["height"], original["frame_rate"]) == (WIDTH, HEIGHT, "25/1")
    assert original["duration"] == pytest.approx(1.0, abs=0.1)
    assert original["bitrate"] > 1_000
    assert entity["meta"]["small"] == {"width": 64, "height": 48, "size": "64x48", "aspect": 64 / 48}
    assert entity["meta"]["length"].startswith("0:00:01.")
    assert entity["description"] == "A test card"
    assert len(server.ports.media._files) == 2
    assert all(SECRET.encode() not in data for data in server.ports.media._files.values())
    posted = await server.client.post(
        "/api/v1/statuses", headers=ann.headers, json={"status": "Look", "media_ids": [entity["id"]]}
    )
    assert posted.json()["media_attachments"][0] == entity


@pytest.mark.slow
async def test_version_one_waits_for_the_film_and_large_ones_go_by_the_disk(server: Server, tmp_path: Path) -> None:
    ann = await server.sign_in("ann")
    server.ports = dataclasses.replace(server.ports, media=DiskMedia(tmp_path / "media"))
    whole = film(tmp_path, sound=False).read_bytes()
    whole += (2_000_000 + 8).to_bytes(4, "big") + b"free" + bytes(2_000_000)
    async with server.with_routes(ALL_ROUTES) as client, worker(server):
        files = {"file": ("x.mp4", whole, "video/mp4")}
        answer = await client.post("/api/v1/media", headers=ann.headers, files=files)
    assert answer.status_code == 200, answer.text
    entity = answer.json()
    assert entity["type"] == "gifv"
    assert entity["meta"]["original"]["duration"] == pytest.approx(1.0, abs=0.1)
    assert len([path for path in (tmp_path / "media").rglob("*") if path.is_file()]) == 2
    assert not list((tmp_path / "films").iterdir())


@pytest.mark.slow
async def test_a_sound_has_no_picture(server: Server, tmp_path: Path) -> None:
    ann = await server.sign_in("ann")
    async with worker(server):
        entity = (await send(server, ann, tone(tmp_path, "mp3").read_bytes(), version=1)).json()
    assert (entity["type"], entity["preview_url"], entity["blurhash"]) == ("audio", None, None)
    assert entity["url"].endswith(".mp3")
    assert set(entity["meta"]["original"]) == {"duration", "bitrate"}


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 2])
async def test_cve_2023_36460_what_only_looks_like_a_film_is_refused_and_not_kept(
    server: Server, tmp_path: Path, version: int
) -> None:
    film(tmp_path)  # skipped where there is no ffmpeg
    ann = await server.sign_in("ann")
    async with worker(server):
        answer = await send(server, ann, HEAD + b"#EXTM3U\nfile:///etc/passwd\n", version=version)
    if answer.status_code == 202:
        path = f"/api/v1/media/{answer.json()['id']}"
        await do_all(server.ports, lanes=("film",))
        answer = await server.client.get(path, headers=ann.headers)
    assert answer.status_code == 422
    assert "not a video or sound that can be played" in answer.json()["error"]
    assert not server.ports.media._files


async def test_without_ffmpeg_a_film_is_refused_in_words(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_studio, "programs", lambda: None)
    ann = await server.sign_in("ann")
    answer = await send(server, ann, HEAD)
    assert answer.status_code == 422
    assert "ffmpeg is not installed" in answer.json()["error"]
    assert not server.ports.media._files
    told = (await server.client.get("/api/v2/instance")).json()["configuration"]["media_attachments"]
    assert "video/mp4" not in told["supported_mime_types"]
    monkeypatch.setattr(film_studio, "programs", lambda: ("ffmpeg", "ffprobe"))
    told = (await server.client.get("/api/v2/instance")).json()["configuration"]["media_attachments"]
    assert {"video/mp4", "video/webm", "audio/mpeg"} <= set(told["supported_mime_types"])
    assert told["video_size_limit"] == 99 << 20


async def test_settings_bound_a_films_size_or_refuse_all(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_studio, "programs", lambda: ("ffmpeg", "ffprobe"))
    ann = await server.sign_in("ann")
    for megabytes, words in ((1, "less than 1 MB"), (0, "Video and sound cannot be uploaded here")):
        settings = msgspec.structs.replace(server.ports.settings, video_mb=megabytes)
        server.ports = dataclasses.replace(server.ports, settings=settings)
        async with server.with_routes(ALL_ROUTES) as client:
            files = {"file": ("x.mp4", HEAD + bytes(2 << 20), "video/mp4")}
            answer = await client.post("/api/v2/media", headers=ann.headers, files=files)
        assert answer.status_code == 422
        assert words in answer.json()["error"]


async def test_a_body_over_the_limit_is_413_and_one_that_is_cut_off_400(server: Server, tmp_path: Path) -> None:
    ann = await server.sign_in("ann")
    answer = await send(server, ann, HEAD + bytes(102 << 20))
    assert answer.status_code == 413
    for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
        headers = {**ann.headers, "content-type": kind}
        answer = await server.client.post("/api/v2/media", headers=headers, content=b"x" * (2 << 20))
        assert answer.status_code == 413
    for body in (
        b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n" + bytes(2 << 20),
        bytes(2 << 20),
    ):
        headers = {**ann.headers, "content-type": "multipart/form-data; boundary=x"}
        answer = await server.client.post("/api/v2/media", headers=headers, content=body)
        assert answer.status_code == 400
    assert not server.ports.media._files


async def test_fields_and_files_of_a_large_body_are_read_like_those_of_a_small_one(server: Server) -> None:
    ann = await server.sign_in("ann")
    files = {"file": ("x.jpg", still("jpeg") + bytes(2 << 20), "image/jpeg")}
    for fields, words in (({"focus": "9,9"}, "two numbers from -1 to 1"), ({"description": "x" * 10_001}, "too long")):
        answer = await server.client.post("/api/v2/media", headers=ann.headers, files=files, data=fields)
        assert answer.status_code == 422
        assert words in answer.json()["error"]
    avatar = {"avatar": ("x.jpg", still("jpeg") + bytes(17 << 20), "image/jpeg")}
    answer = await server.client.patch("/api/v1/accounts/update_credentials", headers=ann.headers, files=avatar)
    assert answer.status_code == 422
    assert "less than 16 MB" in answer.json()["error"]


async def test_a_film_stands_alone(server: Server) -> None:
    ann = await server.sign_in("ann")
    rows = [
        Media(media_id=server.ports.new_id(), account_id=ann.account.account_id, state="ready", kind=kind)
        for kind in ("image", "video")
    ]
    await server.ports.store.write([Put(MEDIA, row) for row in rows])
    with pytest.raises(Invalid, match="Cannot attach a video to a post that already contains images"):
        await attachments.claim(server.ports, ann.account.account_id, [row.media_id for row in rows], status_id=9)
    await attachments.claim(server.ports, ann.account.account_id, [rows[1].media_id], status_id=9)


# As films are served ------------------------------------------------------------------------------------------------

DATA = bytes(range(256)) * 5_000  # more than two parts


@pytest.fixture(params=["memory", "disk"])
async def files(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    if request.param == "disk":
        server.ports = dataclasses.replace(server.ports, media=DiskMedia(tmp_path / "media"))
    await server.ports.media.put(KEY, DATA, content_type="video/mp4")
    async with server.with_routes(ALL_ROUTES) as client:
        yield client


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-", 0, len(DATA)),
        ("bytes=0-0", 0, 1),
        ("bytes=100-600099", 100, 600_100),
        ("bytes=1000000-99999999", 1_000_000, len(DATA)),
        ("bytes=-5", len(DATA) - 5, len(DATA)),
    ],
)
async def test_a_part_of_a_film_is_206(files: httpx.AsyncClient, wanted: str, start: int, end: int) -> None:
    answer = await files.get(f"/media/{KEY}", headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == DATA[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["accept-ranges"] == "bytes"


async def test_a_film_is_served_whole_and_may_be_kept(files: httpx.AsyncClient) -> None:
    answer = await files.get(f"/media/{KEY}")
    assert (answer.status_code, answer.content) == (200, DATA)
    told = answer.headers
    assert (told["content-type"], told["accept-ranges"]) == ("video/mp4", "bytes")
    assert told["cache-control"] == "public, max-age=31536000, immutable"
    assert told["content-security-policy"] == "default-src 'none'; sandbox"
    assert told["x-content-type-options"] == "nosniff"
    head = await files.head(f"/media/{KEY}")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(DATA)), b"")
    again = await files.get(f"/media/{KEY}", headers={"If-None-Match": told["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await files.get(f"/media/{KEY}", headers={"Range": "bytes=5-9", "If-Range": '"another"'})
    assert (other.status_code, len(other.content)) == (200, len(DATA))
    same = await files.get(f"/media/{KEY}", headers={"Range": "bytes=5-9", "If-Range": told["etag"]})
    assert (same.status_code, same.content) == (206, DATA[5:10])


@pytest.mark.parametrize("wanted", [f"bytes={len(DATA)}-", "bytes=9-5", "bytes=-0"])
async def test_a_part_outside_is_416(files: httpx.AsyncClient, wanted: str) -> None:
    answer = await files.get(f"/media/{KEY}", headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=-", "bytes=" + "9" * 40 + "-"])
async def test_what_is_no_single_range_gets_the_whole(files: httpx.AsyncClient, wanted: str) -> None:
    answer = await files.get(f"/media/{KEY}", headers={"Range": wanted})
    assert (answer.status_code, len(answer.content)) == (200, len(DATA))


async def test_a_film_that_is_not_there_is_404(files: httpx.AsyncClient) -> None:
    assert (await files.get(f"/media/{KEY.replace('0', '1')}", headers={"Range": "bytes=0-"})).status_code == 404


class _Elsewhere(DiskMedia):
    """A media store that serves files itself."""

    origin = "https://cdn.example.org"

    async def link_of(self, key: str) -> str | None:
        return f"{self.origin}/{key}"


async def test_a_store_that_serves_files_itself_is_named_in_the_pages_policy(server: Server, tmp_path: Path) -> None:
    server.ports = dataclasses.replace(server.ports, media=_Elsewhere(tmp_path))
    async with server.with_routes(ALL_ROUTES) as client:
        answer = await client.get(f"/media/{KEY}")
        page = await client.get("/about")
    assert (answer.status_code, answer.headers["location"]) == (302, f"https://cdn.example.org/{KEY}")
    assert answer.headers["cache-control"] == "public, max-age=1800"
    policy = page.headers["content-security-policy"]
    assert "media-src 'self' https://cdn.example.org;" in policy
    assert "img-src 'self' https://cdn.example.org data: blob:;" in policy
    assert "script-src 'self';" in policy
