"""Files on a host of their own: links, pages and policy; tags and parts of what never changes."""

import dataclasses
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.conftest import Person, Server, client_of
from tests.unit.media.made import still
from townsquare.kit.urls import Base, with_files
from townsquare.web.pages.assets import STYLE, address
from townsquare.web.server.app import make_app
from townsquare.web.server.table import ALL_ROUTES

CDN = "https://cdn.example.net"


@pytest.fixture
async def elsewhere(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same engines, whose files are on a host of their own."""
    settings = server.ports.settings
    moved = type(settings)(
        **{name: getattr(settings, name) for name in settings.__struct_fields__} | {"media_url": CDN}
    )
    async with client_of(make_app(dataclasses.replace(server.ports, settings=moved), ALL_ROUTES)) as client:
        yield client


@pytest.fixture
async def ann(server: Server) -> Person:
    return await server.sign_in("ann")


async def posted(client: httpx.AsyncClient, ann: Person) -> dict:
    """A post with a picture."""
    file = {"file": ("a.png", still("png"))}
    media = (await client.post("/api/v1/media", files=file, headers=ann.headers)).json()
    said = {"status": 'a picture ="/media/not/a/file', "media_ids[]": media["id"]}
    return (await client.post("/api/v1/statuses", data=said, headers=ann.headers)).json()


async def test_links_lead_to_the_files_own_host(elsewhere: httpx.AsyncClient, ann: Person) -> None:
    status = await posted(elsewhere, ann)
    attachment = status["media_attachments"][0]
    for url in (attachment["url"], attachment["preview_url"]):
        assert url.startswith(f"{CDN}/media/")
    assert status["account"]["avatar"].startswith(f"{CDN}/avatars/")
    assert not status["url"].startswith(CDN)
    path = attachment["url"].removeprefix(CDN)
    assert (await elsewhere.get(path)).status_code == 200  # where the host of files fetches it


async def test_pages_show_files_from_there_and_allow_it(elsewhere: httpx.AsyncClient, ann: Person) -> None:
    status = await posted(elsewhere, ann)
    page = await elsewhere.get(f"/@ann/{status['id']}")
    assert f'src="{CDN}/media/' in page.text
    assert f'content="{CDN}/media/' in page.text
    assert 'src="/media/' not in page.text
    assert 'src="/avatars/' not in page.text
    assert "=&quot;/media/not/a/file" in page.text  # what people type is no attribute
    policy = page.headers["content-security-policy"]
    assert f"img-src 'self' {CDN} data: blob:; media-src 'self' {CDN};" in policy
    assert "script-src 'self';" in policy
    assert CDN not in (await elsewhere.get("/api/v2/instance")).headers["content-security-policy"]


async def test_without_the_setting_all_is_at_home(server: Server, ann: Person) -> None:
    status = await posted(server.client, ann)
    page = await server.client.get(f"/@ann/{status['id']}")
    assert 'src="/media/' in page.text
    assert "img-src 'self' data: blob:" in page.headers["content-security-policy"]
    assert with_files('<img src="/media/x">', Base("https://a.example")) == '<img src="/media/x">'


async def test_tags_and_parts_of_files(server: Server, ann: Person) -> None:
    url = (await posted(server.client, ann))["media_attachments"][0]["url"]
    whole = await server.client.get(url)
    tag = whole.headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]+-[0-9a-f]+"', tag)
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        assert (await server.client.get(url, headers={"If-None-Match": known})).status_code == 304
    assert (await server.client.get(url, headers={"If-None-Match": '"x"'})).status_code == 200
    part = {"Range": "bytes=2-5"}
    for condition in ({}, {"If-Range": tag}):
        answer = await server.client.get(url, headers={**part, **condition})
        assert (answer.status_code, answer.content) == (206, whole.content[2:6])
        assert answer.headers["content-range"] == f"bytes 2-5/{len(whole.content)}"
    for other in ('"x"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        answer = await server.client.get(url, headers={**part, "If-Range": other})
        assert (answer.status_code, answer.content) == (200, whole.content)


async def test_an_asset_of_another_version_is_kept_by_nobody(server: Server) -> None:
    now = await server.client.get(address(STYLE))
    assert now.headers["cache-control"].endswith("immutable")
    other = await server.client.get(f"/assets/{STYLE}?v=00000000")
    assert other.headers["cache-control"] == "no-cache"
