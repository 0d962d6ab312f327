"""Preview cards: what a linked page says of itself, fetched once for all who link to it.

Box: social. Source: Mastodon API, /entities/PreviewCard/. A card is text and a picture of our own; it never carries
HTML of the page (players of videos are not embedded). Pages that say nothing are remembered too, for a day.
"""

import logging
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import msgspec

from townsquare.kit.page import Page, decode_page, plain, read_page
from townsquare.kit.urls import url_hash
from townsquare.media.headers import MAX_BYTES
from townsquare.model.errors import Invalid
from townsquare.model.status import Card
from townsquare.social.media import store_card_picture
from townsquare.social.outbound import MAX_URL, FetchFailed, read_place
from townsquare.social.ports import Ports
from townsquare.store.port import Put
from townsquare.store.tables import CARDS

PAGE_MAX_BYTES = 1 << 20
PAGE_DEADLINE_S = 10.0
PICTURE_MAX_BYTES = MAX_BYTES // 2
PICTURE_DEADLINE_S = 15.0
FRESH_MS = 14 * 86_400_000
FAILED_FRESH_MS = 86_400_000
MAX_TITLE, MAX_DESCRIPTION, MAX_NAME, MAX_ALT = 255, 500, 100, 1500  # characters
_PAGES = ("text/html", "application/xhtml+xml")
_PICTURES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")

log = logging.getLogger(__name__)


async def refresh(ports: Ports, url: str) -> bool:
    """Fetch the card of a link, unless the one we have is fresh. Whether anything changed.

    Raises: Busy, Unavailable; then a repeat may help.
    """
    old = await ports.store.get(CARDS, (url_hash(url),))
    now_ms = ports.clock.now_ms()
    if old is not None and now_ms - old.fetched_ms < (FAILED_FRESH_MS if old.failed else FRESH_MS):
        return False
    try:
        page = await ports.outbound.fetch(
            url,
            server=ports.settings.url,
            accept=_PAGES,
            max_bytes=PAGE_MAX_BYTES,
            deadline_s=PAGE_DEADLINE_S,
            cut=True,
        )
    except FetchFailed as exc:
        log.info("no card: %s", exc)
        failed = old is None or old.failed
        kept = old or Card(url_hash=url_hash(url), url=url)  # a page that is away for a while keeps its card
        await ports.store.write([Put(CARDS, msgspec.structs.replace(kept, failed=failed, fetched_ms=now_ms))])
        return False
    said = read_page(decode_page(page.body, page.charset))
    card = read_card(url, page.url, said, fetched_ms=now_ms)
    if old is not None and old.image:
        # The picture stays as first fetched, because pages that were made before name it.
        card = msgspec.structs.replace(card, image=old.image, width=old.width, height=old.height, blurhash=old.blurhash)
    elif not card.failed:
        card = await _with_picture(ports, card, _picture_link(said, page.url))
    await ports.store.write([Put(CARDS, card)])
    return True


def read_card(url: str, found_at: str, page: Page, *, fetched_ms: int) -> Card:
    """The card of a page; `failed` where the page has no title. All fields are plain text within their caps."""
    title = plain(page.first("og:title", "twitter:title") or page.title, MAX_TITLE)
    if not title:
        return Card(url_hash=url_hash(url), url=url, failed=True, fetched_ms=fetched_ms)
    author = page.first("author", "article:author", "twitter:creator")
    author_url = _link(author, found_at) if "://" in author else ""
    return Card(
        url_hash=url_hash(url),
        url=url,
        title=title,
        description=plain(page.first("og:description", "twitter:description", "description"), MAX_DESCRIPTION),
        author_name="" if "://" in author else plain(author, MAX_NAME),
        author_url=author_url,
        provider_name=plain(page.first("og:site_name", "application-name"), MAX_NAME)
        or (urlsplit(found_at).hostname or "").removeprefix("www.")[:MAX_NAME],
        image_description=plain(page.first("og:image:alt", "twitter:image:alt"), MAX_ALT),
        language=_language(page),
        published_ms=_published_ms(page.first("article:published_time", "og:article:published_time", "date")),
        fetched_ms=fetched_ms,
    )


def _picture_link(page: Page, found_at: str) -> str:
    names = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
    return _link(page.first(*names), found_at)


async def _with_picture(ports: Ports, card: Card, link: str) -> Card:
    """The card with the page's picture, fetched by the same rules as the page. Without one if anything is amiss."""
    if not link:
        return card
    try:
        picture = await ports.outbound.fetch(
            link,
            server=ports.settings.url,
            accept=_PICTURES,
            max_bytes=PICTURE_MAX_BYTES,
            deadline_s=PICTURE_DEADLINE_S,
        )
        key, made, blurhash = await store_card_picture(ports, picture.body)
    except (FetchFailed, Invalid) as exc:
        log.info("a card without its picture: %s", exc)
        return card
    return msgspec.structs.replace(card, image=key, width=made.width, height=made.height, blurhash=blurhash)


def _link(text: str, base: str) -> str:
    """The link if it is one to a web page, else nothing."""
    if not text or len(text) > MAX_URL:
        return ""
    try:
        link = urljoin(base, text)
        read_place(link)
    except (ValueError, FetchFailed):
        return ""
    return link


def _language(page: Page) -> str:
    said = (page.language or page.meta.get("og:locale", "")).replace("_", "-").split("-")[0].lower()
    return said if said.isascii() and said.isalpha() and 2 <= len(said) <= 3 else ""


def _published_ms(said: str) -> int:
    """Unix milliseconds of a time as pages write it; 0 where it is none, or none of this age."""
    try:
        when = datetime.fromisoformat(said[:40])
        ms = int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
    return ms if 0 < ms < 4_102_444_800_000 else 0  # up to 2100
