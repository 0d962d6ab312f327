"""Where the axis of a chart has its marks: at hours, days, Mondays, firsts of months, whatever is not too many.

Box: render.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime

import msgspec

from townsquare.render.charts.numbers import moment
from townsquare.render.charts.picture import Picture, Step

MOST_MARKS = 7


class Mark(msgspec.Struct, frozen=True):
    """One mark. `is_more`: left out where there is little room."""

    at: int  # which bucket
    words: str
    is_more: bool


class _Level(msgspec.Struct, frozen=True):
    """A mark stands where the key changes, and at the first bucket if that begins with it."""

    key: Callable[[datetime], Hashable]
    begins: Callable[[datetime], bool]
    words: Callable[[datetime], str]


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b}"


def _hour(at: datetime) -> str:
    return _day(at) if at.hour == 0 else f"{at:%H:%M}"


def _month(at: datetime) -> str:
    return f"{at:%Y}" if at.month == 1 else f"{at:%b}"


def _months(every: int) -> _Level:
    return _Level(
        lambda at: (at.year * 12 + at.month - 1) // every,
        lambda at: at.day == 1 and (at.year * 12 + at.month - 1) % every == 0,
        _month,
    )


def _hours(every: int) -> _Level:
    return _Level(
        lambda at: (at.date(), at.hour // every), lambda at: at.hour % every == 0 and at.minute == 0, _hour
    )  # fmt: skip


_LEVELS = (
    *(_hours(every) for every in (1, 3, 6, 12)),
    _Level(lambda at: at.date(), lambda at: at.hour == 0, lambda at: f"{at:%a} {at.day}"),
    _Level(lambda at: at.date().toordinal() // 2, lambda at: at.date().toordinal() % 2 == 0, _day),
    _Level(lambda at: at.isocalendar()[:2], lambda at: at.weekday() == 0, _day),
    _Level(lambda at: (at.date().toordinal() - 1) // 14, lambda at: (at.date().toordinal() - 1) % 14 == 0, _day),
    *(_months(every) for every in (1, 2, 3, 6, 12, 24, 60, 120)),
)
_FIRST_LEVEL: dict[Step, int] = {"hour": 0, "day": 4, "week": 6, "month": 8}


def time_marks(picture: Picture) -> list[Mark]:
    """The marks below buckets of time."""
    times = [moment(ms, picture.zone) for ms in picture.starts_ms]
    first = level = _LEVELS[_FIRST_LEVEL.get(picture.step, 0)]
    places: list[int] = []
    for level in _LEVELS[_LEVELS.index(first) :]:
        places = [n for n, at in enumerate(times) if _stands(level, times, n, at)]
        if len(places) <= MOST_MARKS:
            break
    if not places and times:
        places, level = [0], first
    return [Mark(n, level.words(times[n]), is_more) for n, is_more in _thinned(places)]


def _stands(level: _Level, times: Sequence[datetime], n: int, at: datetime) -> bool:
    return level.begins(at) if n == 0 else level.key(times[n - 1]) != level.key(at)


def _thinned(places: list[int]) -> list[tuple[int, bool]]:
    """Every second one can be left out where there are more than four; where more than eight, two of three."""
    every = 1 if len(places) <= 4 else 2 if len(places) <= 8 else 3
    return [(at, n % every != 0) for n, at in enumerate(places)]
