"""Home timelines in Redis: one string a ring, that pushes only append to.

A ring is 8 bytes of floor, 8 of generation (another one each time that it is written anew), then entries of 8 bytes as
they came. Who reads puts them in order. A ring half as long again as it need be is written anew by whoever pushed to
it; what was appended meanwhile stays behind what is written. All keys carry the number that Redis gives itself at each
start: what a restart brought back from a file lacks what came after it, and is not used.

Box: feeds. Not for a Redis Cluster: a script appends to keys that it makes.
"""

import struct
from collections.abc import Awaitable, Callable, Sequence
from secrets import token_bytes
from typing import TypeVar

import numpy as np

from townsquare.feeds.entries import checked, packed, page_of, sound
from townsquare.feeds.port import RING_LENGTH, Ids, Page, Reason
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Finding
from townsquare.wire.link import Link
from townsquare.wire.redis import Redis, sound_answers
from townsquare.wire.redis_examine import examine
from townsquare.wire.script import Script

T = TypeVar("T")

_TTL_S = 14 * 86_400  # after the last read; those who do not come for so long have their ring made anew
_LINK_WITHIN_S = 1.0
_TRIES = 20  # to write a ring anew that others are writing anew too
_ACCOUNTS_A_CALL = 1000  # Redis does nothing else during a call: about a millisecond
_TRIMS_A_PUSH = 256
_HEAD = struct.Struct("<q8s")
_TRIM_AT_BYTES = _HEAD.size + 8 * (RING_LENGTH + RING_LENGTH // 2)

# Arguments: what keys begin with, the entry, packed accounts, the length in bytes over which rings are reported.
# Answer: how many had a ring, then the places of those that are too long.
_PUSH = Script("""
local first, entry, accounts, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local answer, had = {0}, 0
for at = 1, #accounts, 8 do
  local key = first .. string.sub(accounts, at, at + 7)
  if redis.call('EXISTS', key) == 1 then
    had = had + 1
    if redis.call('APPEND', key, entry) > most then answer[#answer + 1] = (at - 1) / 8 end
  end
end
answer[1] = had
return answer
""")

# Arguments: the length and generation of the ring that the new one was made of (-1: there was none), seconds to live,
# the new ring. Answer: whether it was that one still.
_SWAP = Script("""
local now, length, rest = redis.call('GET', KEYS[1]), tonumber(ARGV[1]), ''
if now then
  if length < 0 or string.sub(now, 9, 16) ~= ARGV[2] then return 0 end
  rest = string.sub(now, length + 1)
elseif length >= 0 then
  return 0
end
redis.call('SET', KEYS[1], ARGV[4] .. rest, 'EX', ARGV[3])
return 1
""")


class RedisFeeds:
    """Feeds in Redis. What it loses is made again."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def push(self, accounts: Ids, status_id: int, reason: Reason) -> int:
        entry = struct.pack("<q", checked(status_id) << 2 | int(reason))
        if len(accounts) > 1 and not (accounts[1:] > accounts[:-1]).all():
            accounts = np.unique(accounts)
        if not len(accounts):
            return 0
        parts = [accounts[n : n + _ACCOUNTS_A_CALL] for n in range(0, len(accounts), _ACCOUNTS_A_CALL)]

        async def push(link: Link) -> int:
            first = self._first(link)
            calls = [((), (first, entry, part.astype("<i8").tobytes(), _TRIM_AT_BYTES)) for part in parts]
            answers = await _PUSH.run(link, *calls)
            long = [part.item(place) for part, answer in zip(parts, answers, strict=True) for place in answer[1:]]
            await self._trim(link, long[:_TRIMS_A_PUSH])
            return sum(answer[0] for answer in answers)

        return await self._ask(push)

    async def read(
        self, account: int, *, below: int | None = None, above: int | None = None, limit: int = RING_LENGTH
    ) -> Page | None:
        async def read(link: Link) -> Page | None:
            (raw,) = await sound_answers(link, ["GETEX", self._key(link, account), "EX", _TTL_S])
            if raw is None:
                return None
            ring, floor = _ring(raw)
            return page_of(ring, floor=floor, below=below, above=above, limit=limit)

        return await self._ask(read)

    async def fill(self, account: int, ids: Sequence[int], reasons: Sequence[int], *, floor: int) -> None:
        if account <= 0:
            raise ValueError(f"no account has the id {account}")
        entries = packed(ids) | np.array(reasons, np.int64)

        def filled(ring: Ids, its_floor: int) -> tuple[Ids, int]:
            # A full ring may have lost what came after `ids` were read: then its own floor stands.
            lowest = max(floor, its_floor) if len(ring) == RING_LENGTH else floor
            return sound(np.concatenate((ring, entries)), floor=lowest)

        await self._change(account, filled, begin=True)

    async def merge(self, account: int, ids: Sequence[int], reason: Reason) -> None:
        entries = packed(ids) | int(reason)
        await self._change(account, lambda ring, floor: sound(np.concatenate((ring, entries)), floor=floor))

    async def drop(self, accounts: Sequence[int]) -> None:
        async def drop(link: Link) -> None:
            for start in range(0, len(accounts), _ACCOUNTS_A_CALL):
                part = accounts[start : start + _ACCOUNTS_A_CALL]
                await sound_answers(link, ["UNLINK", *[self._key(link, account) for account in part]])

        await self._ask(drop)

    async def has(self, account: int) -> bool:
        async def has(link: Link) -> bool:
            return bool((await sound_answers(link, ["EXISTS", self._key(link, account)]))[0])

        return await self._ask(has)

    async def examine(self) -> list[Finding]:
        """For `townsquare doctor`. Raises: Unavailable."""
        return await examine(self._redis)

    async def close(self) -> None:
        await self._redis.close()

    async def _ask(self, ask: Callable[[Link], Awaitable[T]]) -> T:
        """Ask once more where the link broke meanwhile: everything here may be done twice.

        Raises: Unavailable.
        """
        link = await self._redis.link_within(_LINK_WITHIN_S)
        try:
            return await ask(link)
        except Unavailable:
            if link.up:
                raise
        return await ask(await self._redis.link_within(_LINK_WITHIN_S))

    async def _change(
        self, account: int, changed: Callable[[Ids, int], tuple[Ids, int]], *, begin: bool = False
    ) -> None:
        """Write a ring anew; `begin`: also where there is none."""

        async def change(link: Link) -> bool:
            key = self._key(link, account)
            for _ in range(_TRIES):
                (raw,) = await sound_answers(link, ["GET", key])
                if raw is None and not begin:
                    return True
                ring, floor = (np.empty(0, np.int64), 0) if raw is None else _ring(raw)
                if (await _SWAP.run(link, ((key,), _swap(raw, *changed(ring, floor)))))[0]:
                    return True
            return False

        if not await self._ask(change):
            raise Unavailable("a home timeline is being changed by many at once")

    async def _trim(self, link: Link, accounts: Sequence[int]) -> None:
        """Write long rings anew. One that somebody else did meanwhile is left alone."""
        if not accounts:
            return
        keys = [self._key(link, account) for account in accounts]
        (rings,) = await sound_answers(link, ["MGET", *keys])
        calls = [((key,), _swap(raw, *_ring(raw))) for key, raw in zip(keys, rings, strict=True) if raw is not None]
        if calls:
            await _SWAP.run(link, *calls)

    def _first(self, link: Link) -> bytes:
        return self._redis.address.prefix + b"h" + link.epoch

    def _key(self, link: Link, account: int) -> bytes:
        return self._first(link) + struct.pack("<q", account)


def _ring(raw: bytes) -> tuple[Ids, int]:
    """The ring in its order and its floor. An entry that was cut short by a full memory is left out."""
    count = (len(raw) - _HEAD.size) // 8
    entries = np.frombuffer(raw, "<i8", count, _HEAD.size).astype(np.int64, copy=False)
    return sound(entries, floor=_HEAD.unpack_from(raw)[0])


def _swap(raw: bytes | None, ring: Ids, floor: int) -> tuple[int, bytes, int, bytes]:
    """The arguments to put this ring where `raw` was."""
    length, generation = (-1, b"") if raw is None else (len(raw), _HEAD.unpack_from(raw)[1])
    return length, generation, _TTL_S, _HEAD.pack(floor, token_bytes(8)) + ring.astype("<i8").tobytes()
