"""Preview cards: what is kept of a page, and what is never fetched."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.api.conftest import NOW_MS, memory_ports
from tests.social.far_server import FarServer, answer, far_server, redirect
from tests.unit.media.made import SECRET, scene, still, with_metadata
from townsquare.kit.clock import SetClock
from townsquare.model.status import Card, Status
from townsquare.model.tasks import FetchCard
from townsquare.render.card import card_json
from townsquare.social import cards
from townsquare.social.ports import Ports
from townsquare.store.port import Put
from townsquare.store.tables import CARDS, STATUSES
from townsquare.workers.cards import fetch_card

PAGE = """<!doctype html><html lang="en-GB"><head><meta charset="utf-8">
<title>Plain title</title>
<meta property="og:title" content="A &lt;b&gt;title&lt;/b&gt;">
<meta property="og:description" content="What it is
about">
<meta property="og:site_name" content="The Far Side">
<meta property="og:image" content="/picture.jpg">
<meta property="og:image:alt" content="A view">
<meta name="author" content="Ann">
<meta property="article:published_time" content="2026-05-04T10:00:00+02:00">
</head><body></body></html>"""


@pytest.fixture
async def far() -> AsyncIterator[FarServer]:
    async with far_server() as server:
        yield server


@pytest.fixture
async def ports(far: FarServer) -> AsyncIterator[Ports]:
    ports = memory_ports(SetClock(NOW_MS))
    yield replace(ports, outbound=far.outbound())
    await ports.store.close()


def clock_of(ports: Ports) -> SetClock:
    assert isinstance(ports.clock, SetClock)
    return ports.clock


async def card_of(ports: Ports, url: str) -> Card:
    """The card after a status with the link was worked on."""
    status_id = ports.new_id()
    await ports.store.write([Put(STATUSES, Status(status_id=status_id, author=1, text=url, card=url))])
    await fetch_card(FetchCard(status_id), ports)
    card = await ports.store.get(CARDS, (hashlib.sha256(url.encode()).digest()[:16],))
    assert card is not None
    return card


@pytest.mark.slow
async def test_a_page_becomes_a_card_with_its_picture(far: FarServer, ports: Ports) -> None:
    far.pages["/a"] = answer(PAGE.encode())
    far.pages["/picture.jpg"] = answer(with_metadata("jpeg"), "image/jpeg")
    card = await card_of(ports, far.url("/a"))
    assert (card.url, card.title, card.description) == (far.url("/a"), "A <b>title</b>", "What it is about")
    assert (card.author_name, card.provider_name, card.language) == ("Ann", "The Far Side", "en")
    assert (card.image_description, card.width, card.height) == ("A view", 64, 48)
    assert card.published_ms == 1_777_881_600_000
    assert card.blurhash
    picture = await ports.media.get(card.image)
    assert picture is not None
    assert SECRET not in picture


@pytest.mark.slow
async def test_the_picture_stays_when_the_text_is_fetched_again(far: FarServer, ports: Ports) -> None:
    far.pages["/a"] = answer(PAGE.encode())
    far.pages["/picture.jpg"] = answer(still("jpeg", scene()), "image/jpeg")
    first = await card_of(ports, far.url("/a"))
    assert await card_of(ports, far.url("/a")) == first
    assert len(far.asked) == 2
    clock_of(ports).advance(seconds=15 * 86_400)
    far.pages["/a"] = answer(b"<title>New</title>")
    second = await card_of(ports, far.url("/a"))
    assert (second.title, second.image) == ("New", first.image)


@pytest.mark.parametrize(
    "page",
    [answer(b"{}", "application/json"), answer(b"<p>no title"), answer(b"", status="404 Not Found"), redirect("/a")],
)
async def test_pages_without_a_card_are_remembered_for_a_day(far: FarServer, ports: Ports, page: bytes) -> None:
    far.pages["/a"] = page
    assert (await card_of(ports, far.url("/a"))).failed
    asked = len(far.asked)
    await card_of(ports, far.url("/a"))
    assert len(far.asked) == asked
    clock_of(ports).advance(seconds=90_000)
    far.pages["/a"] = answer(b"<title>Here</title>")
    assert (await card_of(ports, far.url("/a"))).title == "Here"


async def test_a_page_that_is_away_for_a_while_keeps_its_card(far: FarServer, ports: Ports) -> None:
    far.pages["/a"] = answer(b"<title>Here</title>")
    await card_of(ports, far.url("/a"))
    clock_of(ports).advance(seconds=15 * 86_400)
    far.pages.clear()
    card = await card_of(ports, far.url("/a"))
    assert (card.title, card.failed) == ("Here", False)


async def test_ghsa_h6hf_9846_xwrq_no_second_address_on_a_private_host_is_fetched(far: FarServer, ports: Ports) -> None:
    far.names["inside.example"] = ["10.0.0.1"]
    for where in ("http://127.0.0.2/x.png", "http://inside.example/x.png", "file:///etc/passwd", "data:image/png,x"):
        path = f"/{len(far.asked)}"
        far.pages[path] = answer(
            f'<title>t</title><meta property="og:image" content="{where}"><link rel="icon" href="{where}">'
            f'<link rel="alternate" type="application/json+oembed" href="{where}">'.encode()
        )
        card = await card_of(ports, far.url(path))
        assert (card.title, card.image) == ("t", "")
    assert len(far.asked) == 4


async def test_cve_2023_36459_a_card_holds_no_html_of_the_page(far: FarServer, ports: Ports) -> None:
    """CVE-2023-36459, Pleroma 0.9: content warning. What a page offers to embed is never asked for; its words are
    text."""
    bad = '&lt;iframe srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;"&gt;'
    far.pages["/a"] = answer(
        f'<title>{bad}</title><meta property="og:description" content="{bad}"><meta name="author" content="{bad}">'
        f'<link rel="alternate" type="application/json+oembed" href="{far.url("/o")}">'
        f'<meta property="og:video" content="javascript:alert(1)">'
        f'<meta property="og:url" content="javascript:alert(1)">'.encode()
    )
    far.pages["/o"] = answer(b'{"type":"rich","html":"<script>alert(1)</script>"}', "application/json")
    shown = json.loads(card_json(await card_of(ports, far.url("/a")), "http://x"))
    assert shown["html"] == shown["embed_url"] == ""
    assert shown["url"] == far.url("/a")
    assert "javascript:" not in str(shown)
    assert len(far.asked) == 1


async def test_ghsa_gg8q_rcg7_p79g_everything_is_cut(far: FarServer, ports: Ports) -> None:
    names = ("og:title", "og:description", "og:site_name", "og:image", "og:image:alt", "author", "og:locale")
    head = "".join(f'<meta property="{name}" content="{"x" * 8000}">' for name in names)
    far.pages["/a"] = answer(f'<html lang="{"x" * 5000}"><meta name="date" content="9999-12-31">{head}'.encode())
    card = await card_of(ports, far.url("/a"))
    assert (len(card.title), len(card.description)) == (cards.MAX_TITLE, cards.MAX_DESCRIPTION)
    assert (len(card.provider_name), len(card.author_name)) == (cards.MAX_NAME, cards.MAX_NAME)
    assert (card.language, card.published_ms, card.image) == ("", 0, "")


async def test_a_page_of_many_megabytes_is_read_from_its_beginning(far: FarServer, ports: Ports) -> None:
    far.pages["/a"] = answer(b"<title>Long</title>" + b"<p>" * 1_000_000)
    assert (await card_of(ports, far.url("/a"))).title == "Long"


async def test_statuses_without_a_link_or_gone_cost_no_request(far: FarServer, ports: Ports) -> None:
    await ports.store.write(
        [
            Put(STATUSES, Status(status_id=1, author=1)),
            Put(STATUSES, Status(status_id=2, author=1, card=far.url("/"), deleted=True)),
        ]
    )
    for status_id in (1, 2, 3):
        await fetch_card(FetchCard(status_id), ports)
    assert not far.asked
