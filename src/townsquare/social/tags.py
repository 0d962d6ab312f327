"""Hashtags: what is known of one.

Box: social. Source: Mastodon API, /methods/tags/
"""

from collections.abc import Sequence

import msgspec

from townsquare.cache.port import Kind
from townsquare.kit.snowflake import day_of, first_id_at, month_at
from townsquare.kit.tags import normal_tag, tag_id
from townsquare.model.errors import NotFound
from townsquare.render.tag import TagDay
from townsquare.social.ports import Ports
from townsquare.store.tables import TAGS, TIMELINES, TagRow

DAYS = 7
_MOST = 5_000  # rows of one tag that are counted; busier ones show at least so many
_DAY_MS = 86_400_000


class TagHistory(msgspec.Struct, frozen=True, array_like=True):
    """How much a tag was used on each of the last days, today first."""

    days: tuple[TagDay, ...]


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag with what its page needs. `tag_id` 0: nobody used it."""

    name: str
    tag_id: int
    history: tuple[TagDay, ...]


HISTORY: Kind[TagHistory] = Kind(
    name="th",
    encode=msgspec.msgpack.Encoder().encode,
    decode=msgspec.msgpack.Decoder(TagHistory).decode,
    ttl_s=300,
    capacity=5_000,
)


async def tag_of(ports: Ports, text: str) -> Tag:
    """A tag by name, any case, also one that nobody used yet.

    Raises: NotFound where the text is no tag.
    """
    name = normal_tag(text)
    if name is None:
        raise NotFound
    (found,) = await tags_of(ports, [name])
    return found


async def tags_of(ports: Ports, names: Sequence[str]) -> list[Tag]:
    """Tags by the form in which they are compared. Cost: one round trip and, for each not kept, two reads."""
    rows = await ports.store.get_many(TAGS, [(tag_id(name),) for name in names])

    async def load(keys: Sequence[str]) -> list[TagHistory | None]:
        return [await _history(ports, key) for key in keys]

    histories = await ports.cache.get_many(HISTORY, list(names), load)
    return [
        Tag(name=row.shown if row else name, tag_id=row.tag_id if row else 0, history=kept.days if kept else ())
        for name, row, kept in zip(names, rows, histories, strict=True)
    ]


async def tag_rows(ports: Ports, ids: Sequence[int]) -> list[TagRow]:
    """The tags with these numbers, in their order, as far as they are there."""
    return [row for row in await ports.store.get_many(TAGS, [(each,) for each in ids]) if row is not None]


async def _history(ports: Ports, name: str) -> TagHistory:
    now_ms = ports.clock.now_ms()
    today = now_ms // _DAY_MS
    since_ms = (today - DAYS + 1) * _DAY_MS
    uses: dict[int, int] = {}
    authors: dict[int, set[int]] = {}
    for month in dict.fromkeys((month_at(now_ms), month_at(since_ms))):
        rows = await ports.store.range(TIMELINES, (f"#{name}", month, 0), above=first_id_at(since_ms) - 1, limit=_MOST)
        for row in rows:
            day = day_of(row.status_id)
            uses[day] = uses.get(day, 0) + 1
            authors.setdefault(day, set()).add(row.author)
    return TagHistory(
        tuple(TagDay(day, uses.get(day, 0), len(authors.get(day, ()))) for day in range(today, today - DAYS, -1))
    )
