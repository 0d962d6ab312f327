"""Ranges of time: hours, days, weeks and months of a time zone, and what an engine is asked to fill them.

Box: social. Engines know buckets of a fixed width. So a range is cut where the zone's offset changes, each part is
asked by the hour or by the day, and weeks and months are put together from days here.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from townsquare.model.errors import Invalid
from townsquare.model.facts import DAY_MS
from townsquare.model.insights import Step

HOUR_MS = 3_600_000
MOST_BUCKETS = 1_000
_FIRST, _LAST = date(2000, 1, 1), date(2200, 1, 1)  # no server was older, none asks for later
_MAX_ZONE = 64


class Part(msgspec.Struct, frozen=True):
    """A stretch of a range with one offset from UTC."""

    since_ms: int
    until_ms: int
    offset_s: int  # as in `Question`


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A range of whole buckets. `until_ms` may cut the last one short."""

    zone: str
    step: Step
    starts: tuple[int, ...]
    until_ms: int

    @property
    def since_ms(self) -> int:
        """Where the first bucket begins."""
        return self.starts[0]

    @property
    def question_step_s(self) -> int:
        """Width of the buckets that an engine is asked for."""
        return 3_600 if self.step == "hour" else 86_400

    def bucket(self, index: int) -> tuple[int, int]:
        """Where a bucket begins and ends."""
        return self.starts[index], self.starts[index + 1] if index + 1 < len(self.starts) else self.until_ms

    def index(self, at_ms: int) -> int:
        """The bucket of a time inside the range."""
        return bisect_right(self.starts, at_ms) - 1

    def unfinished(self, now_ms: int) -> int | None:
        """The bucket that is not over."""
        return self.index(now_ms) if self.since_ms <= now_ms < self.until_ms else None

    def parts(self) -> list[Part]:
        """The range, cut where the zone's offset changes."""
        zone = zone_of(self.zone)
        cuts = [self.since_ms, *_changes(zone, self.since_ms, self.until_ms), self.until_ms]
        return [Part(since, until, -_offset_s(zone, since)) for since, until in pairwise(cuts)]

    def before(self, now_ms: int) -> "Span":
        """As many buckets just before. Where this range is not over, that one is cut after as much time."""
        zone = zone_of(self.zone)
        starts = [self.since_ms]
        while len(starts) <= len(self.starts):
            starts.append(_begin(zone, self.step, starts[-1] - 1))
        starts.reverse()
        until_ms = self.since_ms
        if self.since_ms <= now_ms < self.until_ms:
            until_ms = min(until_ms, max(starts[0] + now_ms - self.since_ms, starts[0] + 1))
        kept = [start for start in starts[:-1] if start < until_ms]
        return Span(zone=self.zone, step=self.step, starts=tuple(kept), until_ms=until_ms)

    def hours(self) -> "Span":
        """The same range by the hour, however many these are."""
        starts = [at for part in self.parts() for at in _hours(part)]
        return Span(zone=self.zone, step="hour", starts=tuple(starts), until_ms=self.until_ms)

    def labels(self) -> tuple[str, ...]:
        """The buckets' names: 2026-11-01 13:00, 2026-11-01, 2026-W45, 2026-11."""
        zone = zone_of(self.zone)
        return tuple(_label(self.step, datetime.fromtimestamp(start / 1000, zone)) for start in self.starts)


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises: Invalid.
    """
    if name == "UTC":
        return UTC
    try:
        if len(name) > _MAX_ZONE:
            raise ValueError(name)
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as exc:  # what zoneinfo says of names that are none, some of them folders
        raise _invalid("zone", "is no time zone, such as Europe/Lisbon") from exc


def span_of(since_ms: int, until_ms: int, *, zone: str, step: Step, most: int = MOST_BUCKETS) -> Span:
    """The whole buckets around a range.

    Raises: Invalid where it is empty, or has more than `most` buckets.
    """
    where = zone_of(zone)
    if until_ms <= since_ms:
        raise _invalid("until", "must be later than since")
    starts = []
    at = _begin(where, step, since_ms)
    while at < until_ms:
        starts.append(at)
        if len(starts) > most:
            raise _invalid("step", f"is too short: that makes more than {most} points")
        at = _next(where, step, at)
    return Span(zone=zone, step=step, starts=tuple(starts), until_ms=at)


def read_time(text: str, name: str, *, zone: str, ends: bool = False) -> int:
    """A parameter's time: a date of the zone (its end where `ends`), or a date with a time, of the zone unless it says
    its offset.

    Raises: Invalid.
    """
    where = zone_of(zone)
    try:
        if len(text) == 10:
            day = date.fromisoformat(text) + timedelta(days=ends)
            found = datetime.combine(day, time(), where)
        else:
            found = datetime.fromisoformat(text)
            found = found if found.tzinfo else found.replace(tzinfo=where)
        if not _FIRST <= found.date() <= _LAST:
            raise ValueError(text)
    except (ValueError, OverflowError) as exc:
        raise _invalid(name, "is no date, such as 2026-11-01 or 2026-11-01T13:00:00Z") from exc
    return int(found.timestamp() * 1000)


def _hours(part: Part) -> list[int]:
    """Where the hours of a stretch begin; its first may be short, where an offset changed by a part of one."""
    first = (part.since_ms - part.offset_s * 1000) // HOUR_MS * HOUR_MS + part.offset_s * 1000
    return [part.since_ms, *range(first + HOUR_MS, part.until_ms, HOUR_MS)]


def hour_of_week(at_ms: int, zone: tzinfo) -> int:
    """0 for Monday from midnight, in the zone."""
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    return local.weekday() * 24 + local.hour


def _invalid(name: str, text: str) -> Invalid:
    return Invalid(f"Validation failed: {name.capitalize()} {text}", {name: [("ERR_INVALID", text)]})


def _offset_s(zone: tzinfo, at_ms: int) -> int:
    offset = datetime.fromtimestamp(at_ms / 1000, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _changes(zone: tzinfo, since_ms: int, until_ms: int) -> Iterator[int]:
    """The first moments of new offsets inside the range. One a day is found: there are never two."""
    if zone is UTC:
        return
    at = since_ms
    while at < until_ms:
        end = min(at + DAY_MS, until_ms)
        if _offset_s(zone, at) != _offset_s(zone, end - 1):
            low, high = at, end - 1
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset_s(zone, middle) == _offset_s(zone, at) else (low, middle)
            yield high
        elif end < until_ms and _offset_s(zone, end - 1) != _offset_s(zone, end):
            yield end
        at = end


def _midnight(zone: tzinfo, day: date) -> int:
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)


def _begin(zone: tzinfo, step: Step, at_ms: int) -> int:
    """Where the bucket of a time begins."""
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    if step == "hour":
        offset_ms = _offset_s(zone, at_ms) * 1000
        begin = (at_ms + offset_ms) // HOUR_MS * HOUR_MS - offset_ms
        return max(begin, *_changes(zone, begin, at_ms + 1)) if _offset_s(zone, begin) * 1000 != offset_ms else begin
    day = local.date()
    if step == "week":
        day -= timedelta(days=day.weekday())
    elif step == "month":
        day = day.replace(day=1)
    return _midnight(zone, day)


def _next(zone: tzinfo, step: Step, start_ms: int) -> int:
    """Where the bucket after this one begins."""
    if step == "hour":
        end = start_ms + HOUR_MS
        return min([end, *_changes(zone, start_ms, end + 1)]) if zone is not UTC else end
    day = datetime.fromtimestamp(start_ms / 1000, zone).date()
    days = {"day": 1, "week": 7, "month": 32}[step]
    day += timedelta(days=days)
    return _midnight(zone, day.replace(day=1) if step == "month" else day)


def _label(step: Step, local: datetime) -> str:
    if step == "week":
        year, week, _ = local.isocalendar()
        return f"{year}-W{week:02d}"
    return local.strftime({"hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d", "month": "%Y-%m"}[step])
