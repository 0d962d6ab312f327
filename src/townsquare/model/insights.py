"""Answers to charts of activity and engagement, and what operators' dashboards are told.

Box: model. Whoever draws a chart needs `Answer` and `Line`.
"""

from typing import Literal

import msgspec

Audience = Literal["operator", "author"]
Step = Literal["hour", "day", "week", "month"]
Number = int | float

# How an answer is best drawn. lines, bars: `Answer.at` is the axis of time, one value a bucket; bars begin at zero and
# are sums. spread: bars over `labels`, which are no times. table: `labels` name the rows, each line is a column.
# cohorts: `labels` name the rows, `at` their beginnings, the line "size" how many they are, the line "n" how many
# percent of them n periods later. grid: 168 values a line, Monday 00:00 first, `labels` name them.
Drawing = Literal["lines", "bars", "spread", "table", "cohorts", "grid"]
Unit = Literal["people", "posts", "acts", "times", "percent", "s", "ms", "bytes", "faults", "searches", "reports"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One series of an answer. None is a gap: nothing is known there, which is not zero."""

    name: str
    title: str
    values: tuple[Number | None, ...]
    total: Number | None = None  # over the whole range; of ratios: the ratio of the sums
    previous: tuple[Number | None, ...] | None = None  # the same number of buckets just before; None: not compared
    previous_total: Number | None = None  # up to the same point of time, where the range is not over
    unit: Unit | None = None  # where it is another than the chart's: columns of tables


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one chart for one range of time. All times are Unix milliseconds, all ranges without their end."""

    chart: str
    title: str  # says the measure and its unit
    kind: Drawing
    unit: Unit
    zone: str  # IANA name of the time zone whose days, weeks and months these are
    step: Step
    since_ms: int
    until_ms: int
    at: tuple[int, ...] = ()  # where each bucket of time begins; empty where there is no axis of time
    labels: tuple[str, ...] = ()  # one for each value of a line
    links: tuple[str, ...] = ()  # of tables: where each row leads, "" for nowhere
    lines: tuple[Line, ...]
    unfinished: int | None = None  # index of the bucket that is not over; of cohorts: where row + line come to it
    known_from_ms: int = 0  # before this nothing was recorded; 0: there are no facts at all
    complete_to_ms: int = 0  # facts that happened later may still be coming
    catching_up: bool = False  # they come later than they should


# What Mastodon's dashboards ask for -----------------------------------------------------------------------------------


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A number for each day, and over all of them. `previous_total` None: it has none."""

    key: str
    total: int
    previous_total: int | None
    days: tuple[tuple[int, int], ...]  # (where it begins, value)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a dimension. `key` empty: nothing was said."""

    key: str
    name: str
    value: int | str
    is_bytes: bool = False


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed up in a period, and how many of them were seen in it and each later one."""

    period_ms: int
    cells: tuple[tuple[int, int, float], ...]  # (where the period begins, people, part of all of them)
