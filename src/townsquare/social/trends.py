"""Trends: tags, links and statuses that many different people take up just now.

Counted from the facts, where each account counts once a day for a tag or link and once an act for a status. What was
taken up long ago weighs less: half of it after `half_life_h`. The scheduler makes the lists; a request only reads them.

Box: social. Source: Mastodon API, /methods/trends/
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from townsquare.analytics.port import MOST_ROWS, Field, Question
from townsquare.kit.urls import url_hash
from townsquare.model.account import Visibility
from townsquare.model.facts import DAY_MS
from townsquare.model.status import Card
from townsquare.render.status import StatusView
from townsquare.render.tag import TagDay
from townsquare.social.hydrate import statuses
from townsquare.social.ports import Ports
from townsquare.social.server_values import read_value, write_value
from townsquare.social.tags import Tag, tags_of
from townsquare.social.viewer import Viewer
from townsquare.store.port import Put
from townsquare.store.tables import CARDS, TREND_REVIEWS, TrendReviewRow

LEAST = 3  # different people before anything is a trend
KEPT = 100  # of each list
_CANDIDATES = 300
_WINDOW_MS, _STEP_S = 3 * DAY_MS, 3 * 3_600
_HISTORY_DAYS = 7

Noun = Literal["tags", "links", "statuses"]


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """Which facts speak for a trend."""

    kinds: tuple[str, ...]
    field: Field
    half_life_h: float
    where: tuple[tuple[Field, tuple[int | str, ...]], ...] = ()


_SOURCES: dict[Noun, _Source] = {
    "tags": _Source(kinds=("tag_account",), field="label", half_life_h=12),
    "links": _Source(kinds=("link_account",), field="label", half_life_h=12),
    "statuses": _Source(
        kinds=("favourite", "boost", "reply"),
        field="object",
        half_life_h=6,
        where=(("visibility", (Visibility.PUBLIC.value,)),),
    ),
}


class Trend(msgspec.Struct, frozen=True, array_like=True):
    """One of a list. `days`: of a link, how much it was shared, today first."""

    key: str  # the tag in lower case, the URL, the status's id
    score: float
    days: tuple[TagDay, ...] = ()


class LinkTrend(msgspec.Struct, frozen=True, kw_only=True):
    """A link with what its page says of itself."""

    card: Card
    days: tuple[TagDay, ...]


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What the staff said of a trend. `approved` None: nothing yet."""

    approved: bool | None
    shown: bool


_LIST_DECODER = msgspec.msgpack.Decoder(tuple[Trend, ...])


# Made by the scheduler ------------------------------------------------------------------------------------------------


async def refresh(ports: Ports) -> None:
    """Make the three lists anew. Cost: two questions each, and one for the links' days."""
    for noun, source in _SOURCES.items():
        trends = await _ranked(ports, source)
        if noun == "links":
            trends = await _with_days(ports, trends)
        await write_value(ports, _name(noun), msgspec.msgpack.encode(trends))


async def _ranked(ports: Ports, source: _Source) -> list[Trend]:
    now_ms = ports.clock.now_ms()
    whole = Question(
        kinds=source.kinds,
        since_ms=now_ms - _WINDOW_MS,
        until_ms=now_ms + 1,
        by=(source.field,),
        where=source.where,
        limit=_CANDIDATES,
    )
    (most,) = await ports.analytics.ask([whole])
    known = tuple(row.by[0] for row in most if row.n >= LEAST)
    if not known:
        return []
    where = (*source.where, (source.field, known))
    steps = msgspec.structs.replace(whole, step_s=_STEP_S, where=where, limit=MOST_ROWS)
    (rows,) = await ports.analytics.ask([steps])
    scores: dict[int | str, float] = {}
    for row in rows:
        age_h = max(0.0, (now_ms - row.at_ms) / 3_600_000 - _STEP_S / 7_200)  # of the middle of its bucket
        scores[row.by[0]] = scores.get(row.by[0], 0.0) + row.n * 0.5 ** (age_h / source.half_life_h)
    ranked = sorted(scores.items(), key=lambda item: (-item[1], str(item[0])))
    return [Trend(str(key), round(score, 3)) for key, score in ranked[:KEPT] if score > 0]


async def _with_days(ports: Ports, trends: Sequence[Trend]) -> list[Trend]:
    if not trends:
        return []
    today = ports.clock.now_ms() // DAY_MS
    days = Question(
        kinds=("link", "link_account"),
        since_ms=(today - _HISTORY_DAYS + 1) * DAY_MS,
        until_ms=(today + 1) * DAY_MS,
        step_s=DAY_MS // 1_000,
        by=("label", "kind"),
        where=(("label", tuple(trend.key for trend in trends)),),
    )
    (rows,) = await ports.analytics.ask([days])
    counts = {(row.by[0], row.by[1], row.at_ms // DAY_MS): row.n for row in rows}
    return [
        Trend(
            trend.key,
            trend.score,
            tuple(
                TagDay(day, counts.get((trend.key, "link", day), 0), counts.get((trend.key, "link_account", day), 0))
                for day in range(today, today - _HISTORY_DAYS, -1)
            ),
        )
        for trend in trends
    ]


# Read -----------------------------------------------------------------------------------------------------------------


async def trends_of(ports: Ports, noun: Noun) -> Sequence[Trend]:
    """The whole list, the strongest first, whatever the staff says. Cost: none where this process knows it."""
    value = await read_value(ports, _name(noun))
    return _LIST_DECODER.decode(value) if value else ()


async def tag_trends(ports: Ports, *, offset: int, limit: int) -> list[Tag]:
    """Tags for everybody. Cost: one round trip, and the tags'."""
    shown = await _shown(ports, "tags")
    return await tags_of(ports, [trend.key for trend in shown[offset : offset + limit]])


async def link_trends(ports: Ports, *, offset: int, limit: int, all_of_them: bool = False) -> list[LinkTrend]:
    """Links whose pages say what they are, for everybody; `all_of_them` for the staff. Cost: two round trips."""
    trends = await trends_of(ports, "links") if all_of_them else await _shown(ports, "links")
    cards = await ports.store.get_many(CARDS, [(url_hash(trend.key),) for trend in trends])
    there = [
        LinkTrend(card=card, days=trend.days)
        for trend, card in zip(trends, cards, strict=True)
        if card is not None and not card.failed
    ]
    return there[offset : offset + limit]


async def status_trends(
    ports: Ports, viewer: Viewer, *, offset: int, limit: int, all_of_them: bool = False
) -> list[StatusView]:
    """Statuses of people who want to be found, which this viewer may see; `all_of_them` for the staff."""
    trends = await trends_of(ports, "statuses") if all_of_them else await _shown(ports, "statuses")
    views = await statuses(ports, [int(trend.key) for trend in trends], viewer)
    return [view for view in views if _may_trend(view)][offset : offset + limit]


def _may_trend(view: StatusView) -> bool:
    status = view.status
    hidden = status.sensitive or status.spoiler_text or status.boost_of or view.author.account.limited
    return status.visibility == Visibility.PUBLIC and not hidden and bool(view.author.account.discoverable)


async def _shown(ports: Ports, noun: Noun) -> list[Trend]:
    trends = await trends_of(ports, noun)
    reviews = await reviews_of(ports, noun, [trend.key for trend in trends])
    return [trend for trend, review in zip(trends, reviews, strict=True) if review.shown]


# The staff's word -----------------------------------------------------------------------------------------------------


async def reviews_of(ports: Ports, noun: Noun, keys: Sequence[str]) -> list[Review]:
    """What the staff said of each of these, and whether it is shown. Cost: one round trip."""
    rows = await ports.store.get_many(TREND_REVIEWS, [(noun, key) for key in keys]) if keys else []
    free = not ports.settings.trends_reviewed
    return [
        Review(approved=row.approved if row else None, shown=row.approved if row is not None else free) for row in rows
    ]


async def review(ports: Ports, noun: Noun, key: str, *, approved: bool, by: int) -> None:
    """Let a trend be shown, or never. Whoever says it last is right."""
    row = TrendReviewRow(noun=noun, key=key, approved=approved, by=by, at_ms=ports.clock.now_ms())
    await ports.store.write([Put(TREND_REVIEWS, row)])


async def link_by_id(ports: Ports, number: int) -> LinkTrend | None:
    """The link of the list that has this number. Cost: two round trips."""
    links = await link_trends(ports, offset=0, limit=KEPT, all_of_them=True)
    return next((link for link in links if card_id(link.card.url) == number), None)


def card_id(url: str) -> int:
    """The number under which the API names a link: the same on each process."""
    return int.from_bytes(url_hash(url)[:8]) >> 1


def _name(noun: Noun) -> str:
    return f"trends:{noun}"
