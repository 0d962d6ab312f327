"""Answers of the catalogue of insights as pictures that can be drawn.

Box: web.
"""

from collections.abc import Sequence

from townsquare.kit.languages import LANGUAGES
from townsquare.model.insights import Answer, Line
from townsquare.render.charts.numbers import moment, short
from townsquare.render.charts.picture import Picture, Series, Sort, Step, Unit
from townsquare.social.insights.charts import Active, Chart, Split, Sums, TopStatuses

_UNITS: dict[str, Unit] = {"percent": "%", "s": "s", "ms": "ms", "bytes": "bytes"}
_AXES: dict[Sort, str] = {"spread": "From and to", "table": "What", "grid": "Hour"}
_STEP_AXES: dict[Step, str] = {"hour": "Hour", "day": "Day", "week": "Week", "month": "Month"}
_VISIBILITIES = {"private": "followers only", "unlisted": "quiet public"}
_AWAY = "These numbers cannot be read just now. Load the page again in a moment."
_EMPTY = {
    "": "Nothing is known of this time yet.",
    "table": "Nothing of this kind in this time.",
    "spread": "Nothing of this kind in this time.",
    "grid": "Nothing is known of this time yet.",
}


def picture(chart: Chart, answer: Answer, *, csv: str = "") -> Picture:
    """What an answer looks like. `csv`: the path of the same numbers."""
    sort = _sort(chart)
    is_ranking = isinstance(chart.shape, TopStatuses)
    over_time = sort in ("lines", "bars")
    return Picture(
        key=chart.name.replace("_", "-"),
        title=answer.title,
        unit=unit_of(answer.unit),
        sort=sort,
        series=tuple(_series(chart, line) for line in answer.lines),
        about=chart.about,
        limits=chart.limits,
        axis=_AXES.get(sort, _STEP_AXES[answer.step]),
        starts_ms=answer.at if over_time else (),
        step=answer.step,
        zone=answer.zone,
        labels=_cohorts(answer) if sort == "cohorts" else () if over_time else answer.labels,
        links=answer.links,
        parts=sum(line.unit == answer.lines[0].unit for line in answer.lines) if is_ranking else 1,
        unfinished=answer.unfinished,
        summary=summary(answer) if isinstance(chart.shape, Sums) else "",
        empty=_EMPTY.get(sort, _EMPTY[""]),
        csv=csv,
    )


def away(chart: Chart, why: str = "") -> Picture:
    """The place of a chart whose numbers could not be had."""
    return Picture(
        key=chart.name.replace("_", "-"),
        title=chart.title.format(step="day"),
        sort="lines",
        series=(),
        about=chart.about,
        empty=why or _AWAY,
    )


def unit_of(unit: str) -> Unit:
    """How values of this unit are written."""
    return _UNITS.get(unit, "")


def _sort(chart: Chart) -> Sort:
    """Bars stand on one another, so what can be below zero is drawn as lines."""
    shape = chart.shape
    if chart.kind == "bars" and isinstance(shape, Sums) and any(series.minus for series in shape.series):
        return "lines"
    return chart.kind


def _series(chart: Chart, line: Line) -> Series:
    unit = None if line.unit is None else unit_of(line.unit)
    return Series(name=_name(chart, line), values=line.values, unit=unit)


def _name(chart: Chart, line: Line) -> str:
    """What a line is called: where its name is a value of a field, in words."""
    by = chart.shape.by if isinstance(chart.shape, Split | Active) else None
    if by == "language":
        return LANGUAGES.get(line.title, line.title)
    if by in ("label", "visibility"):
        words = _VISIBILITIES.get(line.title, line.title).replace("_", " ")
        return words[:1].upper() + words[1:]
    return line.title


def _cohorts(answer: Answer) -> tuple[str, ...]:
    times = [moment(ms, answer.zone) for ms in answer.at]
    return tuple(f"{at:%b %Y}" if answer.step == "month" else f"{at.day} {at:%b %Y}" for at in times)


# How much in all ------------------------------------------------------------------------------------------------------


def summary(answer: Answer) -> str:
    """Each line's total in words, and how it compares with the time before."""
    words = [_in_all(line, unit_of(answer.unit)) for line in answer.lines if line.total is not None]
    if len(answer.lines) > 1:
        return " · ".join(words)
    return words[0].removeprefix(f"{answer.lines[0].title} ") if words else ""


def _in_all(line: Line, unit: Unit) -> str:
    assert line.total is not None
    compared = change(line.total, line.previous_total, unit)
    words = f"{line.title} {short(line.total, unit)} {'overall' if unit == '%' else 'in all'}"
    return f"{words}, {compared}" if compared else words


def totals(lines: Sequence[Line]) -> tuple[float | None, float | None]:
    """The sum of the lines' totals, now and in the time before; None where one of them is not known."""
    now, before = [line.total for line in lines], [line.previous_total for line in lines]
    return _sum(now), _sum(before)


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def change(now: float, before: float | None, unit: Unit = "") -> str:
    """How a number compares with the time before, in words; empty where that says nothing."""
    if before is None or before < 0:
        return ""
    if unit == "%":
        difference = now - before
        return f"{abs(difference):.1f} points {'more' if difference >= 0 else 'less'} than before"
    if not before:
        return "none before" if now else ""
    share = (now - before) / before * 100
    if abs(share) < 0.5:
        return "as before"
    return f"{abs(share):.0f} % {'more' if share > 0 else 'less'} than before"
