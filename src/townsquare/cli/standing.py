"""How a server stands at one moment: what is asked of it, what waits, who is there, what went wrong.

Box: cli. From the metrics where the setting names an address for them, else from the last whole minutes of facts.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from townsquare.analytics.port import Question, Row
from townsquare.kit.clock import iso
from townsquare.metrics.reading import ask_desk, values_of
from townsquare.model.errors import Unavailable
from townsquare.model.facts import DAY_MS
from townsquare.social.ports import Ports

MINUTES = 30  # of posts that are shown
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
_REQUESTS = "townsquare_http_requests_total"
_STREAMS = "townsquare_streams_open"
_PAUSE_S = 1.0  # between the first two looks at counters


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one class."""

    name: str
    per_second: float
    failed_per_second: float  # answered with 5xx


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One lane of the queue."""

    name: str
    waiting: int
    parked: int
    oldest_s: float  # 0 where nothing waits


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Faults of ours in the last hour."""

    name: str
    count: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. None: not known."""

    at: str
    requests: list[Asked] | None
    requests_from: str  # metrics, facts, or empty
    streams: int | None
    lanes: list[Lane] | None
    active_today: int | None  # UTC
    posts: list[int | None]  # posts and replies, minute by minute, the last one not over
    posts_per_minute: float | None  # of the ten minutes before
    faults: list[Faults]
    complete_to: str | None


class Watcher:
    """Looks again and again; counters are compared with those of the look before."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._before: tuple[float, Counter[tuple[str, bool]]] | None = None

    async def look(self) -> Standing:
        """How it stands now. What cannot be asked is None."""
        now_ms = self._ports.clock.now_ms()
        facts = await self._facts(now_ms)
        requests, streams = await self._counted()
        by_facts = None if requests is not None else facts.requests
        return Standing(
            at=iso(now_ms),
            requests=requests if requests is not None else by_facts,
            requests_from="metrics" if requests is not None else "facts" if by_facts else "",
            streams=streams,
            lanes=await self._lanes(now_ms),
            active_today=facts.active,
            posts=facts.posts,
            posts_per_minute=_per_minute(facts.posts),
            faults=facts.faults,
            complete_to=iso(facts.last_ms) if facts.last_ms else None,
        )

    async def _counted(self) -> tuple[list[Asked] | None, int | None]:
        """Requests a second since the look before, and open streams, by the metrics."""
        address = self._ports.settings.metrics
        if not address:
            return None, None
        try:
            if self._before is None:
                self._before = time.monotonic(), _totals(await ask_desk(address))
                await asyncio.sleep(_PAUSE_S)
            text = await ask_desk(address)
        except Unavailable:
            self._before = None
            return None, None
        now_s, totals = time.monotonic(), _totals(text)
        before_s, before = self._before
        self._before = now_s, totals
        new = totals - before if all(totals[key] >= n for key, n in before.items()) else totals  # or it began anew
        rates = {key: n / max(now_s - before_s, 0.001) for key, n in new.items()}
        names = sorted({name for name, _ in totals})
        streams = sum(int(value) for _, value in values_of(text, _STREAMS))
        return [_asked(name, rates.get((name, False), 0.0), rates.get((name, True), 0.0)) for name in names], streams

    async def _lanes(self, now_ms: int) -> list[Lane] | None:
        try:
            depths = await self._ports.queue.depths()
        except Unavailable:
            return None
        return [
            Lane(
                name=depth.lane,
                waiting=depth.waiting,
                parked=depth.parked,
                oldest_s=0.0 if depth.oldest_ms is None else max(0, now_ms - depth.oldest_ms) / 1000,
            )
            for depth in depths
        ]

    async def _facts(self, now_ms: int) -> "_Facts":
        minute_ms, day_ms = now_ms // MINUTE_MS * MINUTE_MS, now_ms // DAY_MS * DAY_MS
        since_ms = minute_ms - (MINUTES - 1) * MINUTE_MS
        try:
            found = await self._ports.analytics.coverage()
            answers = await self._ports.analytics.ask(
                [
                    Question(kinds=("active_day",), since_ms=day_ms, until_ms=now_ms + 1),
                    Question(kinds=("post", "reply"), since_ms=since_ms, until_ms=now_ms + 1, step_s=60),
                    Question(kinds=("error",), since_ms=now_ms - HOUR_MS, until_ms=now_ms + 1, by=("label",)),
                    Question(kinds=("request",), since_ms=minute_ms - 2 * MINUTE_MS, until_ms=minute_ms, by=("label",)),
                ]
            )
        except Unavailable:
            return _Facts(active=None, posts=[None] * MINUTES, faults=[], requests=None, last_ms=0)
        active, posts, faults, requests = answers
        is_known = found.last_ms > 0
        by_minute = {row.at_ms: row.n for row in posts}
        minutes = [since_ms + n * MINUTE_MS for n in range(MINUTES)]
        return _Facts(
            active=sum(row.n for row in active) if is_known else None,
            posts=[by_minute.get(at, 0) if is_known and at >= found.first_ms - MINUTE_MS else None for at in minutes],
            faults=[Faults(name=str(row.by[0]), count=row.n) for row in faults],
            requests=_by_minutes(requests, seconds=120) if requests else None,
            last_ms=found.last_ms,
        )


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    active: int | None
    posts: list[int | None]
    faults: list[Faults]
    requests: list[Asked] | None
    last_ms: int


def _totals(text: str) -> Counter[tuple[str, bool]]:
    """Requests answered so far, by class and whether they failed."""
    totals: Counter[tuple[str, bool]] = Counter()
    for labels, value in values_of(text, _REQUESTS):
        totals[labels.get("area", "").partition(".")[0], labels.get("status") == "5xx"] += int(value)
    return totals


def _by_minutes(rows: Sequence[Row], *, seconds: int) -> list[Asked]:
    """Requests a second, out of the facts of some minutes: labels such as `api 2xx`."""
    counts: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        name, _, status = str(row.by[0]).rpartition(" ")
        counts[name, status == "5xx"] += row.n
    names = sorted({name for name, _ in counts})
    return [_asked(name, counts[name, False] / seconds, counts[name, True] / seconds) for name in names]


def _asked(name: str, well: float, failed: float) -> Asked:
    return Asked(name=name, per_second=round(well + failed, 2), failed_per_second=round(failed, 2))


def _per_minute(posts: Sequence[int | None]) -> float | None:
    """The mean of the ten minutes before the one that is not over."""
    known = [n for n in posts[-11:-1] if n is not None]
    return round(sum(known) / len(known), 1) if known else None
