"""What a chart shows, as data: series over buckets of time or over labels.

Box: render. A value that is not known is None and stays a gap; it is never a zero.
"""

from typing import Literal

import msgspec

# lines, bars: over time; bars are sums, on one another. spread: bars over labels. table: labels with a bar for the
# first series. cohorts: a row for each label, a column for each series, the first of which is the size. grid: 168 hours
# of a week, Monday first.
Sort = Literal["lines", "bars", "spread", "table", "cohorts", "grid"]
Unit = Literal["", "ms", "s", "bytes", "%"]  # "": a number of things
Step = Literal["hour", "day", "week", "month", ""]
MOST_SERIES = 6  # as many as colours


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line, one colour of stacked bars, or one column of a table."""

    name: str
    values: tuple[float | None, ...]
    unit: Unit | None = None  # where it is not the picture's


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One chart.

    `starts_ms`: where the buckets of time begin; else `labels` names what the values are of. `links`: of tables, where
    a label leads, empty for nowhere.
    """

    key: str  # its name on the page: letters, digits, hyphens
    title: str  # what is measured
    unit: Unit = ""
    sort: Sort
    series: tuple[Series, ...]
    about: str = ""  # a sentence on how it is counted
    limits: str = ""  # and on what it cannot say
    axis: str = "Time"  # what stands beside the values in the table
    starts_ms: tuple[int, ...] = ()
    step: Step = ""
    zone: str = "UTC"
    labels: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    parts: int = 1  # of tables: so many of the first series add up to what a row is worth
    unfinished: int | None = None  # the bucket that still goes on; later ones are gaps
    summary: str = ""  # one line: the sum, and how that compares
    empty: str = "Nothing was recorded in this time."
    csv: str = ""  # a path

    @property
    def size(self) -> int:
        """How many buckets or labels there are."""
        return len(self.starts_ms) or len(self.labels)

    @property
    def is_empty(self) -> bool:
        """Whether no value is known."""
        return not any(value is not None for one in self.series for value in one.values)

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to draw: no value is known, or in a list or a distribution each is zero."""
        over_time = bool(self.starts_ms)
        return not any(value if not over_time else value is not None for one in self.series for value in one.values)
