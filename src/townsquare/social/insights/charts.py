"""What a chart is. Charts are data: a shape says which facts they sum up and how.

Box: social. Whoever draws a chart needs `Chart`, `ask` beside it, and `Answer` and `Line` of model/insights.py.
"""

from typing import Literal

import msgspec

from townsquare.analytics.port import Field, Measure
from townsquare.model.insights import Audience, Drawing, Step, Unit

Where = tuple[tuple[Field, tuple[int | str, ...]], ...]  # as in Question: each field is one of these


# Shapes ---------------------------------------------------------------------------------------------------------------


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A sum over facts, or a ratio of two."""

    name: str
    title: str
    plus: tuple[str, ...]  # kinds
    minus: tuple[str, ...] = ()  # kinds that count against them
    where: Where = ()
    measure: Measure = "value"
    over: tuple[str, ...] = ()  # kinds of the divisor; none: no ratio
    over_where: Where = ()
    scale: int = 1  # of ratios: 100 for percent
    ending: str = ""  # only labels that end so, in what is divided
    own: Field = "author"  # of charts for authors: the field that names them


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """A line for each series."""

    series: tuple[Series, ...]


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A line for each value of a field: the six greatest, and the rest as one."""

    kinds: tuple[str, ...]
    by: Field
    measure: Measure = "value"
    where: Where = ()
    own: Field = "author"
    nothing: str = "not said"  # what an empty value is called


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """People seen in each period of UTC, which are told once a period."""

    by: Field | None = None


class Stickiness(msgspec.Struct, frozen=True, kw_only=True):
    """People of an average day as a part of those of the month."""


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """The median, the 90th and the 99th percentile of amounts, out of bands of them."""

    kinds: tuple[str, ...]
    above_zero: bool = False  # amounts of 0 mean that there is none


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How many statuses have how much of something. `edges` begin the bars."""

    kinds: tuple[str, ...]
    measure: Measure
    edges: tuple[int, ...]
    names: tuple[str, ...]
    own: Field = "author"
    where: Where = ()


class TopStatuses(msgspec.Struct, frozen=True, kw_only=True):
    """Public statuses with the most reactions; of an author, those of any visibility."""


class TopLabels(msgspec.Struct, frozen=True, kw_only=True):
    """The labels used most, and by how many people."""

    kind: Literal["tag", "link"]


class Cohorts(msgspec.Struct, frozen=True, kw_only=True):
    """Of those who signed up in a period: how many came back in each later one."""


class HoursOfWeek(msgspec.Struct, frozen=True, kw_only=True):
    """Sums for each hour of the week."""

    series: tuple[Series, ...]


Shape = (
    Sums
    | Split
    | Active
    | Stickiness
    | Percentiles
    | Spread
    | TopStatuses
    | TopLabels
    | Cohorts
    | HoursOfWeek
)  # fmt: skip


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One chart of the catalogue."""

    name: str  # in addresses
    title: str  # its measure and unit; {step} becomes the width of a bucket
    about: str  # what it means
    limits: str  # what it cannot say
    kind: Drawing
    unit: Unit
    audience: Audience
    shape: Shape
    steps: tuple[Step, ...] = ("hour", "day", "week", "month")  # that may be asked for
    default_days: int = 30  # the range that is asked for when none is said: so many up to and with today
    utc: bool = False  # its periods are those of UTC, whatever zone is asked for
    most: int = 1_000  # buckets at once
    compared: bool = False  # with the period before
    per_status: bool = False  # may be asked about one status
