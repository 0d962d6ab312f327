"""A CDN in front of the origin: hits, parts, revalidation, and what people delete is dropped there too."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.cluster.own_nginx import OwnNginx
from tests.cluster.purging import CONF, Receiver
from tests.cluster.town import Town, town
from tests.live import eventually, free_port
from tests.unit.media.made import still
from townsquare.media.picture import CONTENT_TYPES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("edge")]

SECRET = "hush"
_GONE_S = 40.0  # NGINX forgets, a timer comes due, and the receiver's first answer is no


@dataclass
class World:
    """The origin, the CDN before it and what purges the CDN."""

    town: Town
    cdn: OwnNginx
    receiver: Receiver
    token: str

    def client(self) -> httpx.Client:
        """Of one who posts."""
        return self.town.client(self.token)

    def posted(self) -> tuple[str, list[str]]:
        """A new post with a picture: its id, and the addresses of its files."""
        with self.client() as client:
            media = client.post("/api/v2/media", files={"file": ("a.png", still("png"))}).json()
            eventually(lambda: client.get(f"/api/v1/media/{media['id']}").json().get("url"))
            said = {"status": "a picture", "media_ids[]": media["id"]}
            status = client.post("/api/v1/statuses", data=said).json()
        attachment = status["media_attachments"][0]
        return status["id"], [attachment["url"], attachment["preview_url"]]


@contextmanager
def cdn_before(origin: str, folder: Path, port: int, more: str = "") -> Iterator[OwnNginx]:
    """A running CDN. `more`: further rules of its."""
    cdn = OwnNginx(folder)
    cdn.port = port
    user = "root" if os.geteuid() == 0 else "nobody"
    conf = folder / "cdn.conf"
    host = origin.removeprefix("http://")
    conf.write_text(CONF.format(user=user, folder=folder, port=port, origin=origin, origin_host=host, more=more))
    cdn.run(conf)
    try:
        yield cdn
    finally:
        cdn.close()


@pytest.fixture(scope="module", params=["files by the web", "files from the disk"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, port = tmp_path_factory.mktemp("cdn"), free_port()
    edge = {"edge_media": str(folder / "data" / "media")} if request.param == "files from the disk" else {}
    receiver = Receiver(folder / "cdn" / "cache", SECRET)
    more = {"media_url": f"http://127.0.0.1:{port}", "cdn": receiver.url, "cdn_secret": SECRET}
    with (
        town(folder, webs=1, more=more, media_url=more["media_url"], **edge) as made,
        cdn_before(made.url, folder / "cdn", port) as cdn,
    ):
        yield World(made, cdn, receiver, made.account("ann")["token"])
    receiver.shutdown()
    receiver.server_close()


def test_files_are_kept_by_the_cdn_and_come_in_parts(world: World) -> None:
    _, urls = world.posted()
    for url in urls:
        assert url.startswith(f"http://127.0.0.1:{world.cdn.port}/media/")
        first, second = httpx.get(url), httpx.get(url)
        assert [answer.headers["x-cdn"] for answer in (first, second)] == ["MISS", "HIT"]
        assert first.content == second.content
        assert second.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert second.headers["content-type"] == CONTENT_TYPES[url.rpartition(".")[2]]
        assert second.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert second.headers["x-content-type-options"] == "nosniff"
        assert second.headers["access-control-allow-origin"] == "*"
        tag = second.headers["etag"]
        assert not tag.startswith("W/")
        assert httpx.get(url, headers={"If-None-Match": tag}).status_code == 304
        for condition, status in (({}, 206), ({"If-Range": tag}, 206), ({"If-Range": '"other"'}, 200)):
            part = httpx.get(url, headers={"Range": "bytes=1-4", **condition})
            assert part.status_code == status
            assert part.content == (first.content[1:5] if status == 206 else first.content)


def test_the_origin_answers_in_the_same_way(world: World) -> None:
    _, (url, _) = world.posted()
    path = url.removeprefix(f"http://127.0.0.1:{world.cdn.port}")
    with world.town.client() as client:
        whole = client.get(path)
        assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
        tag = whole.headers["etag"]
        part = client.get(path, headers={"Range": "bytes=-3", "If-Range": tag})
        assert (part.status_code, part.content) == (206, whole.content[-3:])
        assert (
            part.headers["content-range"]
            == f"bytes {len(whole.content) - 3}-{len(whole.content) - 1}/{len(whole.content)}"
        )
        assert client.get(path, headers={"Range": "bytes=99999999-"}).status_code == 416
        assert client.get(path, headers={"If-None-Match": f"W/{tag}"}).status_code == 304
        if "last-modified" in whole.headers:  # from the disk
            since = {"If-Modified-Since": whole.headers["last-modified"]}
            assert client.get(path, headers=since).status_code == 304
        assert client.post(path).status_code in (404, 405)
        absent = client.get("/media/aa/bb/" + "c" * 28 + ".webp")
        assert (absent.status_code, absent.headers["cache-control"]) == (404, "private, no-store")
        assert absent.json() == {"error": "Record not found"}
        for odd in ("/media/raw/aa/bb/x.bin", "/media/aa/bb/../../../townsquare.db", "/media/aa/bb/%2e%2e/x.webp"):
            assert client.get(odd).status_code == 404


def test_the_host_of_files_has_nothing_else(world: World) -> None:
    """What answers to the name in `media_url`, for a CDN that fetches from there."""
    host = {"Host": "127.0.0.1"}
    with world.town.client() as client:
        assert client.get("/avatars/1.png", headers=host).status_code == 200
        for path in ("/", "/about", "/api/v2/instance", "/auth/sign_in"):
            assert client.get(path, headers=host).status_code == 404


def test_assets_are_kept_for_ever_under_their_mark(world: World) -> None:
    with world.town.client() as client:
        path = re.findall(r'href="(/assets/site\.css\?v=[0-9a-f]+)"', client.get("/about").text)[0]
        assert [client.get(path).headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]
        assert client.get(path).headers["cache-control"] == "public, max-age=31536000, immutable"
        other = path[:-8] + "00000000"
        assert [client.get(other).headers["x-cache"] for _ in range(2)] == ["MISS", "MISS"]
        assert client.get(other).headers["cache-control"] == "no-cache"


def test_a_cdn_that_asks_again_is_told_that_nothing_changed(world: World, tmp_path: Path) -> None:
    _, (url, _) = world.posted()
    path = url.removeprefix(f"http://127.0.0.1:{world.cdn.port}")
    rules = "proxy_ignore_headers Cache-Control; proxy_cache_valid 200 1s;"
    with cdn_before(world.town.url, tmp_path / "asking", free_port(), rules) as cdn:
        address = f"http://127.0.0.1:{cdn.port}{path}"
        assert httpx.get(address).headers["x-cdn"] == "MISS"
        eventually(lambda: httpx.get(address).headers["x-cdn"] == "REVALIDATED")


def test_what_is_deleted_is_dropped_by_the_cdn(world: World) -> None:
    status_id, urls = world.posted()
    _, kept_urls = world.posted()
    for url in (*urls, *kept_urls):
        assert [httpx.get(url).status_code for _ in range(2)] == [200, 200]
    world.receiver.refuse = 1
    with world.client() as client:
        client.delete(f"/api/v1/statuses/{status_id}?delete_media=true").raise_for_status()
    eventually(lambda: set(urls) <= set(world.receiver.purged), within_s=_GONE_S)
    assert [httpx.get(url).status_code for url in urls] == [404, 404]
    assert world.receiver.answered == [503, 204]
    assert [httpx.get(url).headers["x-cdn"] for url in kept_urls] == ["HIT", "HIT"]
    assert not set(kept_urls) & set(world.receiver.purged)
    world.receiver.answered.clear()
