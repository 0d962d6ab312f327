"""Pseudonyms: names of accounts that hold for a day, a week or a month, by keys that are gone afterwards.

Box: social. A key is random, one for all processes, in the table `fact_keys`. Who has no key cannot tell who was who,
nor that two names are one person's: what is read, where one is active and what one does each have names of their own.
"""

import time
from hashlib import blake2b
from secrets import token_bytes
from typing import Literal, NamedTuple

from townsquare.kit.clock import Clock
from townsquare.model.facts import DAY_MS
from townsquare.store.port import Delete, Store
from townsquare.store.tables import FACT_KEYS, FactKeyRow

Span = Literal["day", "week", "month"]
Use = Literal["active", "session", "reading", "acts"]
USES: tuple[tuple[Use, Span], ...] = (
    ("active", "day"),
    ("active", "week"),
    ("active", "month"),
    ("session", "day"),
    ("reading", "day"),
    ("acts", "month"),
)
GRACE_MS = 3_600_000  # after its end, for what was on its way
_MONDAY = 3  # 1970 began on a Thursday
_PAST = {"day": 40, "week": 6, "month": 2}  # periods that are looked back for keys to delete


class Period(NamedTuple):
    """A day, an ISO week or a calendar month in UTC."""

    name: str
    start_ms: int
    end_ms: int


def period_of(span: Span, at_ms: int) -> Period:
    """The period that holds a time."""
    day = at_ms // DAY_MS
    if span == "week":
        start = day - (day + _MONDAY) % 7
        end = start + 7
    elif span == "month":
        then = time.gmtime(day * 86_400)
        start = day - then.tm_mday + 1
        end = start + 31
        end -= time.gmtime(end * 86_400).tm_mday - 1
    else:
        start, end = day, day + 1
    return Period(f"{span}:{start}", start * DAY_MS, end * DAY_MS)


def nym_of(key: bytes, use: Use, account_id: int) -> int:
    """An account's name under a key: 1 to 2^63 - 1."""
    digest = blake2b(account_id.to_bytes(8, "big"), digest_size=8, key=key, person=use.encode()).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


class Pseudonyms:
    """One process's knowledge of the living keys."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[int, bytes]] = {}  # by name: until when, and the key

    async def of(self, store: Store, clock: Clock, use: Use, span: Span, at_ms: int) -> "Namer":
        """What gives the names of a time's period. Cost: none where this process knows the key, else a consensus."""
        now_ms, period = clock.now_ms(), period_of(span, at_ms)
        self._forget(now_ms)
        known = self._keys.get(period.name)
        if known is None:
            if now_ms >= period.end_ms + GRACE_MS or now_ms < period.start_ms - DAY_MS:
                return Namer(b"", use)
            known = period.end_ms + GRACE_MS, await _shared_key(store, period.name)
            self._keys[period.name] = known
        return Namer(known[1], use)

    async def living(self, store: Store, clock: Clock, account_id: int) -> list[int]:
        """All names that an account has just now, to erase what was told under them."""
        names: list[int] = []
        for use, span in USES:
            now_ms = clock.now_ms()
            for at_ms in dict.fromkeys((now_ms, now_ms - GRACE_MS)):
                name = (await self.of(store, clock, use, span, at_ms)).name(account_id)
                names += [name] if name else []
        return list(dict.fromkeys(names))

    def _forget(self, now_ms: int) -> None:
        if any(until_ms <= now_ms for until_ms, _ in self._keys.values()):
            self._keys = {name: known for name, known in self._keys.items() if known[0] > now_ms}


class Namer(NamedTuple):
    """Gives the names of one period for one use."""

    key: bytes  # empty: it is gone
    use: Use

    def name(self, account_id: int) -> int:
        """The account's name; 0 where the key is gone, and for nobody."""
        return nym_of(self.key, self.use, account_id) if self.key and account_id else 0


async def _shared_key(store: Store, name: str) -> bytes:
    row = FactKeyRow(name=name, key=token_bytes(32))
    there = await store.slow_put_if_absent(FACT_KEYS, row)
    return there.key if there is not None else row.key


async def forget_keys(store: Store, clock: Clock) -> None:
    """Delete the keys of periods that are over. Safe to repeat."""
    now_ms = clock.now_ms()
    spans: tuple[Span, ...] = ("day", "week", "month")
    gone = []
    for span in spans:
        period = period_of(span, now_ms - GRACE_MS)
        for _ in range(_PAST[span]):
            period = period_of(span, period.start_ms - 1)
            gone.append(Delete(FACT_KEYS, (period.name,)))
    found = await store.get_many(FACT_KEYS, [each.key for each in gone])
    over = [each for each, row in zip(gone, found, strict=True) if row is not None]
    if over:
        await store.write(over)
