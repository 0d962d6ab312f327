"""Files that are gone are purged from the CDN: what it is told, when, and what happens when it does not listen."""

import asyncio
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest

from tests.live import eventually, free_port
from tests.social.conftest import Town
from tests.work import LANES, do_all
from townsquare.media.memory import MemoryMedia
from townsquare.model.status import Media
from townsquare.model.tasks import DeleteMedia
from townsquare.social import accounts, cdn
from townsquare.social.outbound import FetchFailed
from townsquare.social.ports import Ports
from townsquare.store.port import Put
from townsquare.store.tables import MEDIA
from townsquare.workers.schedule import bring_timers

KEYS = ("aa/bb/" + "c" * 28 + ".webp", "aa/bb/" + "d" * 28 + ".webp")
FILES = "https://cdn.example.net"


@dataclass
class Hook:
    """Takes POSTs; what came stands in `told`, as headers and body."""

    url: str = ""
    status: str = "204 No Content"
    told: list[tuple[dict[str, str], Any]] = field(default_factory=list)


@asynccontextmanager
async def hook_server() -> AsyncIterator[Hook]:
    """A webhook on this machine: an address that no request for other people would reach."""
    hook = Hook()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if value}
        body = await reader.readexactly(int(headers["content-length"]))
        hook.told.append(({"first": first, **headers}, json.loads(body)))
        writer.write(f"HTTP/1.1 {hook.status}\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    hook.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/purge?zone=1"
    try:
        yield hook
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with hook_server() as server:
        yield server


def with_cdn(town: Town, address: str, **settings: Any) -> Ports:
    """The town's engines, with a CDN that is told at that address."""
    given = msgspec.structs.asdict(town.ports.settings) | {"cdn": address, "media_url": FILES, **settings}
    return dataclasses.replace(town.ports, media=MemoryMedia(), settings=type(town.ports.settings)(**given))


async def work(town: Town, ports: Ports) -> int:
    """Do what waits, for the CDN too."""
    done = await do_all(ports, lanes=(*LANES, "cdn"))
    town.clock.advance(seconds=cdn.FORGOTTEN_MS / 1000)
    await bring_timers(ports)
    return done + await do_all(ports, lanes=(*LANES, "cdn"))


async def test_the_hook_is_told_the_addresses_with_the_secret(town: Town, hook: Hook) -> None:
    ports = with_cdn(town, hook.url, cdn_secret="hush")
    for _ in range(2):
        await cdn.purge(ports, KEYS)
    (headers, body), again = hook.told
    assert headers["first"] == "POST /purge?zone=1 HTTP/1.1"
    assert headers["authorization"] == "Bearer hush"
    assert headers["content-type"] == "application/json"
    assert body["urls"] == [f"{FILES}/media/{key}" for key in KEYS]
    assert headers["idempotency-key"] == body["id"] == again[1]["id"]
    await cdn.purge(ports, KEYS[:1])
    assert hook.told[-1][1]["id"] != body["id"]


async def test_without_a_secret_none_is_sent_and_without_a_cdn_nothing(town: Town, hook: Hook) -> None:
    await cdn.purge(with_cdn(town, hook.url), KEYS)
    assert "authorization" not in hook.told[0][0]
    await cdn.purge(with_cdn(town, ""), KEYS)
    assert len(hook.told) == 1


@pytest.mark.parametrize("status", ["500 Internal Server Error", "401 Unauthorized", "302 Found"])
async def test_what_the_hook_refuses_is_told_again_later(town: Town, hook: Hook, status: str) -> None:
    ports = with_cdn(town, hook.url)
    hook.status = status
    with pytest.raises(FetchFailed, match=status[:3]):
        await cdn.purge(ports, KEYS)
    assert len(hook.told) == 1  # a redirect is not followed
    hook.status = "200 OK"
    await cdn.purge(ports, KEYS)


async def test_a_hook_that_is_away_fails_in_words(town: Town) -> None:
    with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 cannot be reached"):
        await cdn.purge(with_cdn(town, f"http://127.0.0.1:{free_port()}/"), KEYS)


async def test_deleted_media_is_gone_here_before_the_cdn_is_told(town: Town, hook: Hook) -> None:
    ports = with_cdn(town, hook.url)
    ann = await town.person("ann")
    media_id = ports.new_id()
    row = Media(
        media_id=media_id, account_id=ann.account_id, state="deleted", original=KEYS[0], preview=KEYS[1], raw="raw/x"
    )
    for key in (*KEYS, "raw/x"):
        await ports.media.put(key, b"x", content_type="image/webp")
    await ports.store.write([Put(MEDIA, row)])
    for _ in range(2):  # the second finds nothing to do
        await ports.outbox.commit(tasks=[DeleteMedia((media_id,))])
        await work(town, ports)
    assert [await ports.media.get(key) for key in (*KEYS, "raw/x")] == [None] * 3
    assert [body["urls"] for _, body in hook.told] == [[f"{FILES}/media/{key}" for key in KEYS]]


async def test_the_pictures_of_a_deleted_account_are_deleted_and_purged(town: Town, hook: Hook) -> None:
    ports = with_cdn(town, hook.url)
    ann = await town.person("ann", avatar=KEYS[0], avatar_static=KEYS[0], header=KEYS[1], header_static=KEYS[1])
    for key in KEYS:
        await ports.media.put(key, b"x", content_type="image/webp")
    await accounts.delete(ports, ann.account_id)
    await do_all(ports, lanes=(*LANES, "cdn"))
    assert await ports.media.get(KEYS[0]) is None
    assert hook.told == []  # NGINX in front may still have it
    await work(town, ports)
    assert [await ports.media.get(key) for key in KEYS] == [None, None]
    assert [body["urls"] for _, body in hook.told] == [[f"{FILES}/media/{key}" for key in KEYS]]


async def test_without_a_cdn_no_task_is_left(town: Town) -> None:
    ports = with_cdn(town, "")
    await ports.media.put(KEYS[0], b"x", content_type="image/webp")
    await cdn.delete_files(ports, KEYS)
    assert await work(town, ports) == 0
    assert await ports.media.get(KEYS[0]) is None


# CloudFront -----------------------------------------------------------------------------------------------------------

_MOTO_S = 30.0


@pytest.fixture(scope="module")
def cloudfront() -> Iterator[str]:
    """The address of moto, which stands for AWS."""
    pytest.importorskip("moto")
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-p", str(port), "-H", "127.0.0.1"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/moto-api/").status_code < 500
        except httpx.TransportError:
            return False

    try:
        eventually(answers, within_s=_MOTO_S)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def aws(endpoint: str) -> Any:
    """Amazon's own client, to look from the other side."""
    from botocore.session import Session  # noqa: PLC0415  # may not be here

    return Session().create_client("cloudfront", region_name="us-east-1", endpoint_url=endpoint)


def distribution_in(client: Any) -> str:
    """A new distribution's id."""
    config = {
        "CallerReference": "x",
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "example.org"}]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "https-only"},
    }
    made: str = client.create_distribution(DistributionConfig=config)["Distribution"]["Id"]
    return made


@pytest.mark.slow
@pytest.mark.usefixtures("_credentials")
async def test_cloudfront_is_asked_to_drop_the_files(town: Town, cloudfront: str) -> None:
    client = await asyncio.to_thread(aws, cloudfront)
    distribution = await asyncio.to_thread(distribution_in, client)
    await cdn.purge(with_cdn(town, f"cloudfront:{distribution}?endpoint={cloudfront}"), KEYS)
    listed = await asyncio.to_thread(lambda: client.list_invalidations(DistributionId=distribution))
    (made,) = listed["InvalidationList"]["Items"]
    found = await asyncio.to_thread(lambda: client.get_invalidation(DistributionId=distribution, Id=made["Id"]))
    batch = found["Invalidation"]["InvalidationBatch"]
    assert batch["Paths"]["Items"] == [f"/media/{key}" for key in KEYS]
    with pytest.raises(FetchFailed, match="404"):
        await cdn.purge(with_cdn(town, f"cloudfront:E404?endpoint={cloudfront}"), KEYS)


@pytest.mark.usefixtures("_credentials")
async def test_the_request_is_signed_as_amazons_own_client_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("botocore")
    from townsquare.social.cloudfront import invalidation  # noqa: PLC0415  # needs it

    url, headers, body = invalidation("cloudfront:E1", ["/media/a.webp"], name="n1")
    assert url == "https://cloudfront.amazonaws.com/2020-05-31/distribution/E1/invalidation"
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
    assert "/us-east-1/cloudfront/aws4_request" in headers["Authorization"]
    assert "SignedHeaders=content-type;host;x-amz-date" in headers["Authorization"]
    assert b"<CallerReference>n1</CallerReference>" in body
    assert b"<Quantity>1</Quantity><Items><Path>/media/a.webp</Path></Items>" in body
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(FetchFailed, match="AWS_ACCESS_KEY_ID"):
        invalidation("cloudfront:E1", ["/media/a.webp"], name="n1")
