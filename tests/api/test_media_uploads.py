"""Uploading media by the API: limits, owners, states, and what is served of them in the end."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.conftest import Person, Server
from tests.unit.media.made import SECRET, animation, scene, still, with_metadata
from townsquare.media.picture import Use
from townsquare.model.errors import Invalid
from townsquare.model.status import Media, Status
from townsquare.model.tasks import DeleteMedia, ProcessMedia
from townsquare.social import attachments
from townsquare.social.media import UNATTACHED_MS, store_profile_picture, work_on
from townsquare.store.port import Put
from townsquare.store.tables import MEDIA, STATUSES
from townsquare.workers.media import delete_media, process_media


async def send(server: Server, person: Person, data: bytes, *, version: int = 1, **fields: Any) -> httpx.Response:
    return await server.client.post(
        f"/api/v{version}/media",
        headers=person.headers,
        files={"file": ("../../x.svg", data, "text/html")},
        data=fields,
    )


async def ready(server: Server, person: Person, **fields: Any) -> Media:
    """A row as if the upload had been worked on, with its files."""
    row = Media(
        media_id=server.ports.new_id(),
        account_id=person.account.account_id,
        **{"state": "ready", "original": "aa/bb/o.jpg", "preview": "aa/bb/p.jpg", **fields},
    )
    for key in (row.original, row.preview):
        await server.ports.media.put(key, b"x", content_type="image/jpeg")
    await server.ports.store.write([Put(MEDIA, row)])
    return row


async def row_of(server: Server, media_id: str | int) -> Media | None:
    return await server.ports.store.get(MEDIA, (int(media_id),))


@pytest.mark.slow
async def test_a_picture_is_ready_when_version_one_answers(server: Server) -> None:
    ann = await server.sign_in("ann")
    answer = await send(server, ann, still("jpeg", scene(800, 600)), description="A scene", focus="0.5,-0.25")
    assert answer.status_code == 200, answer.text
    entity = answer.json()
    assert entity["type"] == "image"
    assert entity["description"] == "A scene"
    assert entity["meta"]["focus"] == {"x": 0.5, "y": -0.25}
    assert entity["meta"]["original"] == {"width": 800, "height": 600, "size": "800x600", "aspect": 800 / 600}
    assert entity["meta"]["small"]["width"] == 554
    assert len(entity["blurhash"]) == 28
    assert entity["url"].startswith("http://localhost:3000/media/")
    assert entity["url"].endswith(".jpg")
    again = await server.client.get(f"/api/v1/media/{entity['id']}", headers=ann.headers)
    assert (again.status_code, again.json()) == (200, entity)


@pytest.mark.slow
async def test_g25_what_is_kept_holds_nothing_of_the_metadata(server: Server) -> None:
    ann = await server.sign_in("ann")
    for kind in ("jpeg", "png", "webp"):
        entity = (await send(server, ann, with_metadata(kind))).json()
        row = await row_of(server, entity["id"])
        assert row is not None
        for key in (row.original, row.preview):
            kept = await server.ports.media.get(key)
            assert kept is not None
            assert SECRET not in kept
        assert row.raw == ""
    assert all(SECRET not in data for data in server.ports.media._files.values())


@pytest.mark.slow
async def test_version_two_waits_for_a_worker_a_moment(server: Server) -> None:
    ann = await server.sign_in("ann")
    slow = await send(server, ann, still("jpeg"), version=2)
    entity = slow.json()
    assert (slow.status_code, entity["url"], entity["preview_url"]) == (202, None, None)
    path = f"/api/v1/media/{entity['id']}"
    assert (await server.client.get(path, headers=ann.headers)).status_code == 206
    for _ in range(2):
        await process_media(ProcessMedia(int(entity["id"])), server.ports)
    done = await server.client.get(path, headers=ann.headers)
    assert done.status_code == 200
    assert done.json()["url"]
    assert len(server.ports.media._files) == 2

    async def work() -> None:
        while True:
            rows = [row for row in (await server.ports.store.scan(MEDIA, limit=9))[0] if row.raw]
            if rows:
                break
            await asyncio.sleep(0.01)
        await work_on(server.ports, rows[0].media_id)

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        fast = await send(server, ann, still("jpeg"), version=2)
    assert fast.status_code == 200
    assert fast.json()["url"]


REFUSED = {
    "must be a JPEG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "This kind of video or sound cannot be used here": b"RIFF\x24\0\0\0AVI LIST",
    "less than 16 MB": still("jpeg") + bytes(16 << 20),
}


@pytest.mark.parametrize("reason", REFUSED)
@pytest.mark.parametrize("version", [1, 2])
async def test_cve_2024_53863_what_is_no_picture_is_refused_and_not_kept(
    server: Server, reason: str, version: int
) -> None:
    ann = await server.sign_in("ann")
    answer = await send(server, ann, REFUSED[reason], version=version)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    assert not server.ports.media._files
    assert await server.ports.store.scan(MEDIA, limit=9) == ([], b"")


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 2])
async def test_a_broken_picture_is_refused_and_not_kept(server: Server, version: int) -> None:
    ann = await server.sign_in("ann")
    whole = still("jpeg", scene(400, 300))
    answer = await send(server, ann, whole[: len(whole) // 2], version=version)
    if version == 2:
        assert answer.status_code == 202
        await process_media(ProcessMedia(int(answer.json()["id"])), server.ports)
        answer = await server.client.get(f"/api/v1/media/{answer.json()['id']}", headers=ann.headers)
    assert answer.status_code == 422
    assert "not a picture that can be read" in answer.json()["error"]
    assert not server.ports.media._files


@pytest.mark.parametrize(
    "fields",
    [
        {"description": "x" * 10_001},
        {"focus": "2,0"},
        {"focus": "0"},
        {"focus": "nan,0"},
        {"focus": "a,b"},
        {"focus": "0,0,0"},
        {"focus": "1e999,0"},
    ],
)
async def test_wrong_words_are_refused(server: Server, fields: dict[str, str]) -> None:
    ann = await server.sign_in("ann")
    assert (await send(server, ann, still("png"), version=2, **fields)).status_code == 422
    row = await ready(server, ann)
    changed = await server.client.put(f"/api/v1/media/{row.media_id}", headers=ann.headers, json=fields)
    assert changed.status_code == 422
    assert await row_of(server, row.media_id) == row


async def test_an_upload_needs_a_file(server: Server) -> None:
    ann = await server.sign_in("ann")
    for body in (
        {"data": {"description": "x"}},
        {"files": {"file": ("a.jpg", b"", "image/jpeg")}},
        {"json": {"file": 3}},
    ):
        answer = await server.client.post("/api/v2/media", headers=ann.headers, **body)
        assert answer.status_code == 422
        assert "File can't be blank" in answer.json()["error"]


async def test_description_and_focus_are_changed_apart(server: Server) -> None:
    ann = await server.sign_in("ann")
    row = await ready(server, ann)
    path = f"/api/v1/media/{row.media_id}"
    await server.client.put(path, headers=ann.headers, data={"description": "Two <b> words"})
    entity = (await server.client.put(path, headers=ann.headers, data={"focus": "0,1"})).json()
    assert (entity["description"], entity["meta"]["focus"]) == ("Two <b> words", {"x": 0, "y": 1})
    entity = (await server.client.put(path, headers=ann.headers, data={"description": ""})).json()
    assert entity["description"] is None


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_media_of_others_is_not_there(server: Server, method: str) -> None:
    ann, ben = await server.sign_in("ann"), await server.sign_in("ben")
    row = await ready(server, ann)
    for path in (f"/api/v1/media/{row.media_id}", "/api/v1/media/1", "/api/v1/media/x"):
        assert (await server.client.request(method, path, headers=ben.headers)).status_code == 404
    assert await row_of(server, row.media_id) == row


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v2/media"), ("DELETE", "/api/v1/media/1")])
async def test_ghsa_58x8_only_the_scope_of_media_will_do(server: Server, method: str, path: str) -> None:
    ann = await server.sign_in("ann", ("read", "write:statuses"))
    assert (await server.client.request(method, path, headers=ann.headers)).status_code == 403
    assert (await server.client.request(method, path)).status_code == 401


async def test_deleting_removes_the_files(server: Server) -> None:
    ann = await server.sign_in("ann")
    row = await ready(server, ann)
    path = f"/api/v1/media/{row.media_id}"
    answer = await server.client.delete(path, headers=ann.headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert (await server.client.get(path, headers=ann.headers)).status_code == 404
    for _ in range(2):
        await delete_media(DeleteMedia((row.media_id,)), server.ports)
    assert not server.ports.media._files
    assert await row_of(server, row.media_id) is None


async def test_what_a_status_holds_is_not_deleted(server: Server) -> None:
    ann = await server.sign_in("ann")
    row = await ready(server, ann, status_id=7)
    await server.ports.store.write(
        [Put(STATUSES, Status(status_id=7, author=ann.account.account_id, media=(row.media_id,)))]
    )
    answer = await server.client.delete(f"/api/v1/media/{row.media_id}", headers=ann.headers)
    assert (answer.status_code, answer.json()["error"]) == (422, "Media attachment is currently used by a status")
    server.clock.advance(seconds=UNATTACHED_MS)
    await delete_media(DeleteMedia((row.media_id,)), server.ports)
    assert await row_of(server, row.media_id) == row
    await server.ports.store.write(
        [Put(STATUSES, Status(status_id=7, author=ann.account.account_id, deleted=True, version=1))]
    )
    await delete_media(DeleteMedia((row.media_id,)), server.ports)
    assert await row_of(server, row.media_id) is None
    assert not server.ports.media._files


async def test_uploads_without_a_status_go_after_a_day(server: Server) -> None:
    ann = await server.sign_in("ann")
    row = await ready(server, ann)
    server.clock.advance(seconds=UNATTACHED_MS / 1000 - 60)
    await delete_media(DeleteMedia((row.media_id,)), server.ports)
    assert await row_of(server, row.media_id) == row
    server.clock.advance(seconds=61)
    await delete_media(DeleteMedia((row.media_id,)), server.ports)
    assert await row_of(server, row.media_id) is None
    assert not server.ports.media._files


@pytest.mark.slow
async def test_an_upload_that_is_deleted_while_it_is_worked_on_leaves_no_files(server: Server) -> None:
    ann = await server.sign_in("ann")
    entity = (await send(server, ann, still("jpeg", scene(2000, 2000)), version=2)).json()
    work = asyncio.create_task(work_on(server.ports, int(entity["id"])))
    await asyncio.sleep(0)
    await server.client.delete(f"/api/v1/media/{entity['id']}", headers=ann.headers)
    await work
    await delete_media(DeleteMedia((int(entity["id"]),)), server.ports)
    assert not server.ports.media._files
    assert await row_of(server, entity["id"]) is None


async def test_akkoma_2024_04_1_media_of_others_used_failed_or_twice_cannot_be_attached(server: Server) -> None:
    ann, ben = await server.sign_in("ann"), await server.sign_in("ben")
    own, other = await ready(server, ann), await ready(server, ben)
    used = await ready(server, ann, status_id=7)
    pending = await ready(server, ann, state="pending")
    failed = await ready(server, ann, state="failed")
    gone = await ready(server, ann, state="deleted")
    for ids in (
        [own.media_id, other.media_id],
        [used.media_id],
        [own.media_id, own.media_id],
        [own.media_id, 12345],
        [pending.media_id],
        [failed.media_id],
        [gone.media_id],
    ):
        with pytest.raises(Invalid):
            await attachments.claim(server.ports, ann.account.account_id, ids, status_id=9)
    assert await row_of(server, own.media_id) == own


@pytest.mark.slow
async def test_profile_pictures_have_a_still_one_beside_them(server: Server) -> None:
    stored = await store_profile_picture(server.ports, still("jpeg", scene(900, 600)), kind=Use.AVATAR)
    assert stored.key == stored.static_key
    assert await server.ports.media.get(stored.key)


# Pictures of profiles, and files as they are served -----------------------------------------------------------------


@pytest.mark.slow
async def test_an_avatar_is_cut_shown_and_replaced(server: Server) -> None:
    ann = await server.sign_in("ann")
    path = "/api/v1/accounts/update_credentials"
    files = {"avatar": ("a.jpg", with_metadata("jpeg"), "image/jpeg"), "header": ("h.png", still("png"), "image/png")}
    account = (await server.client.patch(path, headers=ann.headers, files=files)).json()
    assert account["avatar"].startswith("http://localhost:3000/media/")
    assert account["avatar"] == account["avatar_static"]
    picture = await server.client.get(account["avatar"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert SECRET not in picture.content
    assert len(server.ports.media._files) == 2
    files = {"avatar": ("a.gif", animation("gif"), "image/gif")}
    moving = (await server.client.patch(path, headers=ann.headers, files=files)).json()
    assert moving["avatar"].endswith(".gif")
    assert moving["avatar_static"].endswith(".jpg")
    assert moving["header"] == account["header"]
    assert (await server.client.get(account["avatar"])).status_code == 404
    assert len(server.ports.media._files) == 3
    await server.client.delete("/api/v1/profile/avatar", headers=ann.headers)
    assert len(server.ports.media._files) == 1


async def test_a_profile_with_a_wrong_picture_or_a_wrong_field_does_not_change(server: Server) -> None:
    ann = await server.sign_in("ann")
    path = "/api/v1/accounts/update_credentials"
    svg = {"avatar": ("a.jpg", b"<svg/>", "image/jpeg")}
    answer = await server.client.patch(path, headers=ann.headers, files=svg, data={"display_name": "New"})
    assert answer.status_code == 422
    assert "Avatar must be a JPEG" in answer.json()["error"]
    good = {"avatar": ("a.jpg", still("jpeg"), "image/jpeg")}
    answer = await server.client.patch(path, headers=ann.headers, files=good, data={"display_name": "x" * 5000})
    assert answer.status_code == 422
    assert not server.ports.media._files
    account = (await server.client.get("/api/v1/accounts/verify_credentials", headers=ann.headers)).json()
    assert account["display_name"] != "New"


async def test_user_upload_headers_files_are_served_as_what_they_are(server: Server) -> None:
    key = f"ab/cd/{'0' * 28}.png"
    await server.ports.media.put(key, b"<script>alert(1)</script>", content_type="text/html")
    answer = await server.client.get(f"/media/{key}", headers={"Accept": "application/activity+json"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path",
    [
        "/media/..%2f..%2fconfig",
        "/media/../../etc/passwd",
        "/media//etc/passwd",
        "/media/ab/cd/..%5c..%5cpasswd",
        f"/media/raw/ab/cd/{'0' * 28}.bin",
        f"/media/ab/cd/{'0' * 28}.bin",
        f"/media/ab/cd/{'0' * 28}.svg",
        f"/media/ab/cd/{'0' * 28}.jpg%00.png",
        f"/media/ab/cd/{'1' * 28}.png",
        "/media/",
    ],
)
async def test_cve_2024_23334_nothing_else_is_served(server: Server, path: str) -> None:
    await server.ports.media.put(f"raw/ab/cd/{'0' * 28}.bin", b"raw", content_type="application/octet-stream")
    await server.ports.media.put(f"ab/cd/{'0' * 28}.bin", b"raw", content_type="application/octet-stream")
    assert (await server.client.get(path)).status_code == 404
