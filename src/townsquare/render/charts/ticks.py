"""Where the axis of a chart has its marks: at hours, days, Mondays, firsts of months, whatever is not too many.

Box: render.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime

import msgspec

from townsquare.render.charts.numbers import moment
from townsquare.render.charts.picture import Picture

MOST_MARKS, MOST_MONTHS = 7, 13  # those of months are short


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
    most: int = MOST_MARKS


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b}"


def _hour(at: datetime) -> str:
    return _day(at) if at.hour == 0 else f"{at:%H:%M}"


def _month(at: datetime) -> str:
    return f"{at:%Y}" if at.month == 1 else f"{at:%b}"


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
    _Level(lambda at: (at.year, at.month), lambda at: at.day == 1, _month, MOST_MONTHS),
    _Level(lambda at: (at.year, (at.month - 1) // 3), lambda at: at.day == 1 and at.month % 3 == 1, _month),
    _Level(lambda at: at.year, lambda at: at.day == at.month == 1, lambda at: f"{at:%Y}"),
)


def time_marks(picture: Picture) -> list[Mark]:
    """The marks below buckets of time."""
    times = [moment(ms, picture.zone) for ms in picture.starts_ms]
    places: list[int] = []
    level = _LEVELS[0]
    for level in _LEVELS[4 if picture.step != "hour" else 0 :]:
        places = [n for n, at in enumerate(times) if _stands(level, times, n, at)]
        if len(places) <= level.most:
            break
    if not places and times:
        places, level = [0], _LEVELS[5]
    return [Mark(n, level.words(times[n]), is_more) for n, is_more in _thinned(places, len(times))]


def _stands(level: _Level, times: Sequence[datetime], n: int, at: datetime) -> bool:
    return level.begins(at) if n == 0 else level.key(times[n - 1]) != level.key(at)


def label_marks(picture: Picture) -> list[Mark]:
    """The marks below labels."""
    every = -(-len(picture.labels) // (2 * MOST_MARKS))
    places = list(range(0, len(picture.labels), every))
    return [Mark(n, picture.labels[n], is_more) for n, is_more in _thinned(places, len(picture.labels))]


def _thinned(places: list[int], size: int) -> list[tuple[int, bool]]:
    """Every second one can be left out where there are more than four; where more than eight, two of three."""
    every = 1 if len(places) <= 4 else 2 if len(places) <= 8 else 3
    return [(at, n % every != 0) for n, at in enumerate(places)]
