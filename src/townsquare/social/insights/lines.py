"""How sums become the lines of a chart with an axis of time.

Box: social.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from townsquare.analytics.port import Field
from townsquare.model.facts import DAY_MS, band_start
from townsquare.model.insights import Line, Number
from townsquare.social.insights.asking import Asking, Sheet, Want, shown
from townsquare.social.insights.charts import Active, Percentiles, Series, Split, Stickiness, Sums

MOST_LINES = 6  # what a reader can tell apart
_ACTIVE = {"day": "active_day", "week": "active_week", "month": "active_month"}
_PERCENTILES = ((50, "Median"), (90, "90th percentile"), (99, "99th percentile"))
Values = list[Number | None]


async def sums(asking: Asking, shape: Sums) -> list[Line]:
    """A line for each series. Cost: one request, with a question for all that is counted in the same way."""
    wants: dict[Want, set[str]] = {}
    for series in shape.series:
        for want, kinds in _wants(series):
            wants.setdefault(want, set()).update(kinds)
    asked = [replace(want, kinds=tuple(sorted(kinds))) for want, kinds in wants.items()]
    sheets = dict(zip(wants, await asking.sheets(asked), strict=True))
    return [_line(asking, series, sheets) for series in shape.series]


def _wants(series: Series) -> list[tuple[Want, tuple[str, ...]]]:
    """What a series counts, and what it is divided by: each without its kinds, so that others can share it."""
    by: tuple[Field, ...] = ("kind", "label") if series.ending else ("kind",)
    dividend = Want(kinds=(), measure=series.measure, by=by, where=series.where, own=series.own)
    divisor = Want(kinds=(), by=("kind",), where=series.over_where, own=series.own)
    wants = [(dividend, (*series.plus, *series.minus))]
    return [*wants, (divisor, series.over)] if series.over else wants


def _line(asking: Asking, series: Series, sheets: dict[Want, Sheet]) -> Line:
    counted, *divided = [(sheets[want], kinds) for want, kinds in _wants(series)]
    gaps = asking.gaps((*series.plus, *series.minus, *series.over))
    counts: list[int | None] = [None if gap else _count(counted[0], index, series) for index, gap in enumerate(gaps)]
    if not divided:
        return _named(series.name, series.title, list(counts))
    over = [sum(divided[0][0].at(index, (kind,)) for kind in series.over) for index in range(len(gaps))]
    values = [None if n is None else _ratio(n, over[index], series.scale) for index, n in enumerate(counts)]
    known = [index for index, gap in enumerate(gaps) if not gap]
    total = _ratio(sum(counts[index] or 0 for index in known), sum(over[index] for index in known), series.scale)
    return Line(name=series.name, title=series.title, values=tuple(values), total=total)


def _count(sheet: Sheet, index: int, series: Series) -> int:
    """What is for, less what is against."""
    count = 0
    for (kind, *label), n in sheet.of_bucket(index).items():
        if kind in series.plus:
            count += n if not series.ending or str(label[0]).endswith(series.ending) else 0
        elif kind in series.minus:
            count -= n
    return count


def _ratio(count: int, divisor: int, scale: int) -> Number | None:
    """None where there is nothing to divide by."""
    return shown(scale * count / divisor) if divisor > 0 else None


def _named(name: str, title: str, values: Values, *, greatest: bool = False) -> Line:
    known = [value for value in values if value is not None]
    total = None if not known else max(known) if greatest else sum(known)
    return Line(name=name, title=title, values=tuple(values), total=total)


async def split(asking: Asking, shape: Split) -> list[Line]:
    """A line for each of the greatest values of a field; the rest is one line. Cost: two requests."""
    want = Want(kinds=shape.kinds, measure=shape.measure, where=shape.where, own=shape.own)
    return await _split(asking, want, shape)


async def _split(asking: Asking, want: Want, shape: Split) -> list[Line]:
    gauge = want.measure in ("least", "greatest")
    (ranked,) = await asking.sheets([replace(want, by=(shape.by,), time="range", limit=MOST_LINES + 1)])
    values = [value for (value,) in ranked.groups()]
    has_rest = len(values) > MOST_LINES
    values = values[: MOST_LINES - 1] if has_rest and not gauge else values[:MOST_LINES]
    only = replace(want, by=(shape.by,), where=(*want.where, (shape.by, tuple(values))))
    chosen, *all_of_them = await asking.sheets([only, want] if has_rest and not gauge else [only])
    gaps = asking.gaps(want.kinds)
    lines = []
    for value in values:
        numbers: Values = [None if gap else chosen.of_bucket(n).get((value,)) for n, gap in enumerate(gaps)]
        if not gauge:
            numbers = [None if gap else number or 0 for number, gap in zip(numbers, gaps, strict=True)]
        lines.append(_named(str(value), str(value) or shape.nothing, numbers, greatest=gauge))
    for everything in all_of_them:
        rest: Values = [
            None if gap else everything.at(n) - sum(chosen.at(n, (value,)) for value in values)
            for n, gap in enumerate(gaps)
        ]
        lines.append(_named("others", "All others", rest))
    return lines


async def active(asking: Asking, shape: Active) -> list[Line]:
    """People seen in each period. Periods cannot be added up, so there is no total. Cost: one or two requests."""
    step = asking.span.step
    want = Want(kinds=(_ACTIVE[step],), own="actor")
    if shape.by is None:
        (sheet,) = await asking.sheets([want])
        gaps = asking.gaps(want.kinds)
        values: Values = [None if gap else sheet.at(index) for index, gap in enumerate(gaps)]
        lines = [_named("active", f"Active in the {step}", values)]
    else:
        lines = await _split(asking, want, Split(kinds=want.kinds, by=shape.by))
    return [replace(line, total=None) for line in lines]


async def stickiness(asking: Asking, shape: Stickiness) -> list[Line]:
    """The people of an average day in percent of those of the month. Days that were not over, or before anything was
    recorded, are left out of the average where the month has others. Cost: one request."""
    days, months = await asking.sheets([Want(kinds=("active_day",)), Want(kinds=("active_month",))])
    gaps = asking.gaps(("active_day", "active_month"))
    values: Values = []
    for index, gap in enumerate(gaps):
        begun = _days_begun(asking, index)
        values.append(None if gap else _ratio(days.at(index), begun * months.at(index), 100))
    return [Line(name="stickiness", title="Average day of month", values=tuple(values))]


def _days_begun(asking: Asking, index: int) -> int:
    """The days of a month on which people were counted, as far as it has come."""
    start, end = asking.span.bucket(index)
    known = asking.known
    since = max(start, (known.since_ms(("active_day",)) or start) // DAY_MS * DAY_MS)
    return max(0, -(-(min(end, known.now_ms + 1) - since) // DAY_MS))


async def percentiles(asking: Asking, shape: Percentiles) -> list[Line]:
    """The median, the 90th and the 99th percentile of amounts in each bucket. Cost: one request."""
    (sheet,) = await asking.sheets([Want(kinds=shape.kinds, by=("band",))])
    gaps = asking.gaps(shape.kinds)
    least = 1 if shape.above_zero else 0
    buckets = [_bands(sheet, index, least) for index in range(len(gaps))]
    together: dict[int, int] = {}
    for bands in buckets:
        for band, n in bands.items():
            together[band] = together.get(band, 0) + n
    return [
        Line(
            name=f"p{part}",
            title=title,
            values=tuple(
                None if gap else percentile(bands, part) for bands, gap in zip(buckets, gaps, strict=True)
            ),
            total=percentile(together, part),
        )
        for part, title in _PERCENTILES
    ]  # fmt: skip


def _bands(sheet: Sheet, index: int, least: int) -> dict[int, int]:
    return {int(band): n for (band,), n in sheet.of_bucket(index).items() if int(band) >= least}


def percentile(bands: dict[int, int], part: int) -> Number | None:
    """The amount which `part` percent do not exceed, as if amounts lay evenly in their band: at most a fourth off.

    None where there are none.
    """
    left = sum(bands.values()) * part / 100
    if left <= 0:
        return None
    for band, n in sorted(bands.items()):
        if n >= left:
            low, high = band_start(band), band_start(band + 1) if band else 0.0
            return shown(low + (high - low) * left / n)
        left -= n
    return None


def joined(now: Sequence[Line], before: Sequence[Line], buckets: int) -> list[Line]:
    """The lines, each with what it was in the period before."""
    known = {line.name: line for line in before}
    lines = []
    for line in now:
        old = known.get(line.name)
        values = old.values if old else ()
        padded = (*values, *[None] * (buckets - len(values)))
        lines.append(replace(line, previous=padded, previous_total=old.total if old else None))
    return lines
