"""The one client to the outside: where it does not go, and when it stops."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest

from tests.social.far_server import PUBLIC, FarServer, answer, far_server, redirect
from townsquare.social.outbound import Busy, Fetched, FetchFailed, Outbound, Policy, read_place

SERVER = "https://square.example"
HTML = ("text/html",)
_LONG_S = 30.0


@pytest.fixture
async def far() -> AsyncIterator[FarServer]:
    async with far_server() as server:
        yield server


async def get(client: Outbound, url: str, *, max_bytes: int = 1 << 20, deadline_s: float = 5.0, cut=False) -> Fetched:
    return await client.fetch(url, server=SERVER, accept=HTML, max_bytes=max_bytes, deadline_s=deadline_s, cut=cut)


async def test_a_page_comes_as_it_is(far: FarServer) -> None:
    far.pages["/a?b=c"] = answer(b"<p>hello", 'Text/HTML; charset="utf-8"')
    page = await get(far.outbound(), far.url("/a?b=c#part"))
    assert page == Fetched(url=far.url("/a?b=c#part"), content_type="text/html", charset="utf-8", body=b"<p>hello")


async def test_pleroma_230_it_says_who_we_are_and_nothing_else(far: FarServer) -> None:
    far.pages["/"] = answer(b"")
    await get(far.outbound(), far.url("/"))
    names = {line.split(b":")[0].lower() for line in far.asked[0].split(b"\r\n")[1:] if line}
    assert names == {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}
    assert b"(+https://square.example)" in far.asked[0]


async def test_chunks_and_gzip_are_understood(far: FarServer) -> None:
    packed = gzip.compress(b"<p>hello")
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    far.pages["/"] = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head + chunks
    assert (await get(far.outbound(), far.url("/"))).body == b"<p>hello"


async def test_a_body_without_a_length_ends_with_the_connection(far: FarServer) -> None:
    far.pages["/"] = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>hello"
    assert (await get(far.outbound(), far.url("/"))).body == b"<p>hello"


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        answer(b"{}", "application/json"),
        answer(b"no", status="404 Not Found"),
        answer(b"no", status="500 Oops"),
    ],
)
async def test_answers_that_are_not_a_page(far: FarServer, reply: bytes) -> None:
    far.pages["/"] = reply
    with pytest.raises(FetchFailed):
        await get(far.outbound(), far.url("/"))


# Where it does not go -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/hook",
        "http://[::1]/",
        "http://[::7f00:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://localhost/",
        "http://user@far.example/",
        "http://far.example:22/",
        "http://far.example:8080/",
        "http://far.example\\@127.0.0.1/",
        "http://far.example /",
        "http://far.example/\r\nHost: other",
        "http:///x",
        "http://.example/",
        "http://far..example/",
        "http://far.example:99999/",
        "file:///etc/passwd",
        "ftp://far.example/",
        "gopher://far.example/",
        "data:text/html,x",
        "javascript:alert(1)",
        "//far.example/",
        "",
        "http://far.example/" + "x" * 3000,
        "http://" + "x" * 300 + ".example/",
    ],
)
async def test_cve_2026_42180_addresses_that_are_never_asked(url: str) -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return [host] if host[0].isdigit() or ":" in host else [PUBLIC]

    with pytest.raises(FetchFailed, match="may not be asked"):
        await get(Outbound(Policy(look_up=look_up)), url)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.0.0.8"], ["::1"], [PUBLIC, "192.168.0.1"], []])
async def test_cve_2026_33693_names_that_lead_inside_are_never_asked(addresses: list[str]) -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return addresses

    with pytest.raises(FetchFailed, match="may not be asked"):
        await get(Outbound(Policy(look_up=look_up)), "http://inside.example/")


async def test_the_real_resolver_is_judged_too() -> None:
    with pytest.raises(FetchFailed):
        await get(Outbound(), "http://localhost.localdomain/")


async def test_dns_rebinding_one_look_up_and_its_address_is_connected_to(far: FarServer) -> None:
    far.pages["/"] = answer(b"ok")
    await get(far.outbound(), far.url("/"))
    assert far.looked_up == ["far.example"]


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1:1/",
        "http://inside.example/",
        "http://[::1]/",
        "file:///etc/passwd",
        "gopher://x.example/",
        "//inside.example/",
        "https://square.example/api/v1/instance",
        "",
    ],
)
async def test_cve_2026_77632_each_hop_is_checked(far: FarServer, to: str) -> None:
    far.names["inside.example"] = ["10.1.2.3"]
    far.pages["/"] = redirect(to)
    with pytest.raises(FetchFailed):
        await get(far.outbound(), far.url("/"))
    assert len(far.asked) == 1


async def test_cve_2025_23221_redirects_end(far: FarServer) -> None:
    for n in range(9):
        far.pages[f"/{n}"] = redirect(f"/{n + 1}")
    with pytest.raises(FetchFailed, match="Too many redirects"):
        await get(far.outbound(), far.url("/0"))
    assert len(far.asked) == 4
    far.pages["/9"] = answer(b"end")
    page = await get(far.outbound(), far.url("/6"))
    assert (page.body, page.url) == (b"end", far.url("/9"))


async def test_cve_2024_49363_our_own_host_is_never_asked(far: FarServer) -> None:
    for url in (SERVER, "http://square.example/media/x", "https://SQUARE.example./"):
        with pytest.raises(FetchFailed, match="may not be asked"):
            await get(far.outbound(), url)
    assert not far.looked_up


async def test_cve_2023_32683_refused_hosts_are_refused_at_every_hop(far: FarServer) -> None:
    far.pages["/"] = redirect(far.url("/x", "sub.bad.example"))
    client = far.outbound(refused_hosts=frozenset({"bad.example"}))
    with pytest.raises(FetchFailed, match="may not be asked"):
        await get(client, far.url("/"))
    assert len(far.asked) == 1


def test_names_of_other_alphabets_are_written_in_ascii() -> None:
    place = read_place("https://bücher.example/ä?ö=%20")
    assert (place.host, place.port, place.path) == ("xn--bcher-kva.example", 443, b"/%C3%A4?%C3%B6=%20")


# When it stops --------------------------------------------------------------------------------------------------------


async def test_cve_2023_36461_a_slow_server_is_left_at_the_deadline(far: FarServer) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    far.pages["/"] = drip
    with pytest.raises(FetchFailed, match="too long"):
        async with asyncio.timeout(_LONG_S):  # without a deadline of its own it would go on for ever
            await get(far.outbound(), far.url("/"), deadline_s=0.2)


@pytest.mark.parametrize("form", ["length", "chunked", "endless"])
async def test_cve_2021_21274_reading_stops_at_the_cap(far: FarServer, form: str) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        line = {"length": "Content-Length: 2147483648\r\n", "chunked": "Transfer-Encoding: chunked\r\n", "endless": ""}
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{line[form]}\r\n".encode())
        part = bytes(65_536)
        while not writer.is_closing():
            writer.write(b"10000\r\n" + part + b"\r\n" if form == "chunked" else part)
            sent += len(part)
            await writer.drain()

    far.pages["/"] = flood
    with pytest.raises(FetchFailed, match="too large"):
        await get(far.outbound(), far.url("/"), max_bytes=100_000)
    assert sent < 20 << 20
    page = await get(far.outbound(), far.url("/"), max_bytes=100_000, cut=True)
    assert len(page.body) == 100_000


@pytest.mark.slow
async def test_cve_2021_21274_a_gzip_bomb_is_inflated_to_the_cap_only(far: FarServer) -> None:
    squeeze = zlib.compressobj(9, wbits=31)
    body = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(200)) + squeeze.flush()
    far.pages["/"] = answer(body, "text/html", "Content-Encoding: gzip")
    tracemalloc.start()
    try:
        with pytest.raises(FetchFailed, match="too large"):
            await get(far.outbound(), far.url("/"))
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


async def test_few_requests_at_once_to_one_site(far: FarServer) -> None:
    may_end, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(writer: asyncio.StreamWriter) -> None:
        begun.release()
        await may_end.wait()
        writer.write(answer(b"ok"))

    far.pages["/"] = wait
    client = far.outbound()
    async with asyncio.TaskGroup() as group:
        for host in ("a.far.example", "b.far.example"):
            group.create_task(get(client, far.url("/", host)))
        for _ in range(2):
            await begun.acquire()
        with pytest.raises(Busy):
            await get(client, far.url("/", "c.far.example"))
        may_end.set()
    assert (await get(client, far.url("/"))).body == b"ok"


async def test_cve_2018_25091_nothing_secret_goes_along_to_another_host(far: FarServer) -> None:
    """CVE-2018-25091, CVE-2023-43804, atproto #2854: a request carries no credentials at all, neither its own nor what
    an answer sets, and each has a connection of its own to the address that was checked."""
    there = f"Location: {far.url('/b', 'other.example')}"
    far.pages["/a"] = answer(b"", "text/html", there, "Set-Cookie: a=b", status="302 Found")
    far.pages["/b"] = answer(b"there")
    outbound = far.outbound()
    await get(outbound, far.url("/a"))
    await get(outbound, far.url("/b"))
    for head in far.asked:
        names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}
        assert names.isdisjoint({b"authorization", b"cookie", b"signature", b"referer", b"proxy-authorization"})
        assert b"Connection: close" in head
    assert len(far.asked) == 3
    assert far.looked_up == ["far.example", "other.example", "far.example"]
