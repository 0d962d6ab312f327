"""Who gets an author's statuses into their home timeline: followers as sorted arrays, kept by each process.

Box: social. The arrays may be a little behind: what no longer holds is left out when the timeline is read.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from townsquare.cache.port import Kind
from townsquare.feeds.port import Ids
from townsquare.model.account import Visibility
from townsquare.model.status import Status
from townsquare.social.ports import Ports
from townsquare.store.follows import open_buckets
from townsquare.store.tables import FOLLOWERS

CHUNK = 10_000
_STEP = 5_000  # rows of a bucket that are read at once
_NOBODY = np.empty(0, np.int64)


class Audience(msgspec.Struct, frozen=True):
    """An author's followers, and those of them who do not want the boosts or only some languages. Sorted."""

    followers: Ids
    chunks: tuple[Ids, ...]  # the same, in parts of at most CHUNK; always the same objects, so that feeds know them
    no_reblogs: Ids
    languages: dict[int, tuple[str, ...]]


def _encode(audience: Audience) -> bytes:
    parts = (audience.followers.tobytes(), audience.no_reblogs.tobytes(), audience.languages)
    return msgspec.msgpack.encode(parts)


def _decode(data: bytes) -> Audience:
    followers, no_reblogs, languages = msgspec.msgpack.decode(
        data, type=tuple[bytes, bytes, dict[int, tuple[str, ...]]]
    )
    return _audience(np.frombuffer(followers, np.int64), np.frombuffer(no_reblogs, np.int64), languages)


def _audience(followers: Ids, no_reblogs: Ids, languages: dict[int, tuple[str, ...]]) -> Audience:
    return Audience(followers, chunks(followers), no_reblogs, languages)


def chunks(accounts: Ids) -> tuple[Ids, ...]:
    """Accounts in parts that the feeds take at once."""
    if len(accounts) <= CHUNK:
        return (accounts,) if len(accounts) else ()
    return tuple(accounts[start : start + CHUNK] for start in range(0, len(accounts), CHUNK))


AUDIENCE: Kind[Audience] = Kind(name="au", encode=_encode, decode=_decode, ttl_s=600, capacity=4_000)


async def audiences(ports: Ports, authors: Sequence[int]) -> dict[int, Audience]:
    """The audiences by author. Cost: none when kept, else a read a bucket of 10,000 followers."""
    wanted = list(dict.fromkeys(authors))

    async def load(ids: Sequence[int]) -> list[Audience]:
        buckets = await open_buckets(ports.store, ids)
        return [await _load(ports, author, buckets[author]) for author in ids]

    found = await ports.cache.get_many(AUDIENCE, wanted, load)
    return {author: audience for author, audience in zip(wanted, found, strict=True) if audience is not None}


async def drop_audiences(ports: Ports, authors: Sequence[int]) -> None:
    """Their followers changed."""
    await ports.cache.drop(AUDIENCE, authors)


async def _load(ports: Ports, author: int, open_bucket: int) -> Audience:
    followers: list[int] = []
    no_reblogs: list[int] = []
    languages: dict[int, tuple[str, ...]] = {}
    for bucket in range(open_bucket + 1):
        above: int | None = None
        while True:
            rows = await ports.store.range(FOLLOWERS, (author, bucket), above=above, limit=_STEP)
            standing = [row for row in rows if row.on]
            followers += [row.follower for row in standing]
            no_reblogs += [row.follower for row in standing if not row.reblogs]
            languages.update({row.follower: row.languages for row in standing if row.languages})
            if len(rows) < _STEP:
                break
            above = rows[-1].follower
    return _audience(_sorted(followers), _sorted(no_reblogs), languages)


def _sorted(ids: list[int]) -> Ids:
    return np.unique(np.array(ids, np.int64)) if ids else _NOBODY


def receivers(status: Status, audience: Audience, parent_audience: Audience | None, language: str) -> tuple[Ids, ...]:
    """Whose home timelines a status goes to, besides the author's, in parts. Sets of accounts are arrays, so the cost
    is not that of a step for each follower.

    `parent_audience`: of another one whom it answers; `language`: its own, or that of what it boosts.
    """
    found = audience.followers
    if status.visibility is Visibility.DIRECT:
        named = np.array([mention.account_id for mention in status.mentions], np.int64)
        return chunks(np.intersect1d(found, named))
    if parent_audience is not None:
        also = np.append(parent_audience.followers, status.reply_to_author)
        found = found[np.isin(found, also)]
    if status.boost_of and len(audience.no_reblogs):
        found = np.setdiff1d(found, audience.no_reblogs, assume_unique=True)
    if audience.languages and language:
        others = [who for who, wanted in audience.languages.items() if language not in wanted]
        found = np.setdiff1d(found, np.array(others, np.int64), assume_unique=True)
    return audience.chunks if found is audience.followers else chunks(found)
