"""What the S3 engine does besides the suite: links, media types, and what goes wrong on the way.

Suite: media.
"""

import asyncio
import contextlib
import dataclasses
import zlib
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.api.conftest import memory_ports
from tests.contract.servers import servers
from tests.live import free_port
from tests.unit.media.clips import film
from townsquare.kit.clock import SetClock
from townsquare.media.s3 import S3Address, S3Media
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Level
from townsquare.social import media as social_media

pytestmark = pytest.mark.slow  # starts servers

KEY = "ab/cd/0f3a9c.mp4"


def address_of(folder: Path, **fields: object) -> S3Address:
    """The server's bucket, with a prefix of the test's own."""
    address = S3Address.of(servers().url("s3", needs="obstore"))
    return msgspec.structs.replace(address, prefix=f"{zlib.crc32(bytes(folder)):08x}", **fields)


def opened(folder: Path, **fields: object) -> S3Media:
    return S3Media(address_of(folder, **fields))


async def test_a_signed_link_leads_to_the_file_and_to_nothing_else(tmp_path: Path) -> None:
    address = address_of(tmp_path)
    media = opened(tmp_path, delivery="signed")
    await media.put(KEY, b"0123456789", content_type="video/mp4")
    await media.put("ab/cd/other.mp4", b"other", content_type="video/mp4")
    link = await media.link_of(KEY)
    assert media.origin == address.endpoint
    assert link.startswith(f"{media.origin}/")
    async with httpx.AsyncClient() as client:
        answer = await client.get(link)
        assert (answer.status_code, answer.content) == (200, b"0123456789")
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        part = await client.get(link, headers={"Range": "bytes=3-5"})
        assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"345", "bytes 3-5/10")
        past = await client.get(link, headers={"Range": "bytes=30-"})
        assert past.status_code == 416
        assert (await client.get(link.replace("0f3a9c", "other"))).status_code == 403
        assert (await client.get(link.partition("?")[0])).status_code == 403


async def test_a_public_link_is_below_the_given_address(tmp_path: Path) -> None:
    media = opened(tmp_path, delivery="public", public="https://cdn.example.org/m/")
    prefix = f"{zlib.crc32(bytes(tmp_path)):08x}"
    assert await media.link_of(KEY) == f"https://cdn.example.org/m/{prefix}/{KEY}"
    assert media.origin == "https://cdn.example.org"


async def test_a_wrong_secret_or_bucket_is_told_at_the_start(tmp_path: Path) -> None:
    url = servers().url("s3", needs="obstore")
    await (await S3Media.open(url)).close()
    with pytest.raises(Unavailable, match="bucket townsquare cannot be read"):
        await S3Media.open(url.replace("only-for-tests", "wrong"))
    with pytest.raises(Unavailable, match="no bucket nowhere"):
        await S3Media.open(url.replace("@townsquare", "@nowhere"))
    with pytest.raises(Unavailable, match="no bucket nowhere"):
        await opened(tmp_path, bucket="nowhere").put(KEY, b"x", content_type="image/png")


async def test_the_doctor_tries_the_bucket(tmp_path: Path) -> None:
    (found,) = await opened(tmp_path).examine()
    assert (found.check, found.level) == ("bucket", Level.OK)
    with pytest.raises(Unavailable):
        await opened(tmp_path, secret="wrong").examine()


async def test_a_store_that_is_away_or_silent_is_unavailable_in_time(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(15):
        for where in (port, free_port()):
            media = opened(tmp_path, endpoint=f"http://127.0.0.1:{where}", timeout_s=0.5)
            for attempt in (media.get(KEY), media.size(KEY), media.put(KEY, b"x", content_type="image/png")):
                with pytest.raises(Unavailable):
                    await attempt
            with pytest.raises(Unavailable):
                await media.delete([KEY])


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:bucket",
        "s3://UPPER/..",
        "s3://bucket/a/../b",
        "s3://bucket?delivery=mail",
        "s3://bucket?delivery=public",
        "s3://bucket?delivery=public&public=javascript:x",
        "s3://bucket?endpoint=ftp://x",
        "s3://bucket?unknown=1",
        "s3://bucket?timeout_s=soon",
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match="The setting media"):
        S3Address.of(url)


async def test_cve_2018_25091_a_store_that_leads_elsewhere_gets_no_signature_there(tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLast-Modified: Tue, 24 Nov 2026 10:00:00 GMT\r\n\r\n")
        writer.close()

    async def leads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert b"authorization: AWS4-HMAC-SHA256" in asked
        writer.write(b"HTTP/1.1 307 Go on\r\nContent-Length: 0\r\nLocation: http://localhost:%d/x\r\n\r\n" % port)
        writer.close()

    other = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    server = await asyncio.start_server(leads, "127.0.0.1", 0)
    own = server.sockets[0].getsockname()[1]
    async with other, server, asyncio.timeout(20):
        media = opened(tmp_path, endpoint=f"http://127.0.0.1:{own}", timeout_s=2)
        with contextlib.suppress(Unavailable):
            await media.get(KEY)
    assert not any(b"authorization" in each.lower() or b"x-amz-security-token" in each.lower() for each in heard)


async def test_a_film_goes_through_the_bucket(tmp_path: Path) -> None:
    source = film(tmp_path)
    media = opened(tmp_path, delivery="signed")
    ports = dataclasses.replace(memory_ports(SetClock(1_793_000_000_000), data=str(tmp_path / "data")), media=media)
    with source.open("rb") as file:
        row = await social_media.upload(ports, account_id=1, file=file)
    assert await media.size(row.raw) == source.stat().st_size
    made = await social_media.work_on(ports, row.media_id)
    assert (made.state, made.kind, made.error) == ("ready", "video", "")
    assert await media.size(row.raw) is None
    link = await media.link_of(made.original)
    async with httpx.AsyncClient() as client:
        answer = await client.get(str(link), headers={"Range": "bytes=4-7"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (206, b"ftyp", "video/mp4")
