"""The plot of a chart over buckets: lines with gaps, bars on one another, the hatched bucket that still goes on.

Box: render. The drawing is as wide as its place and keeps the size of its words: places along it are per cent, only
paths are stretched, and their strokes are not.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from townsquare.kit.html import Markup, join, tag
from townsquare.render.charts.numbers import short, value_ticks
from townsquare.render.charts.picture import Picture
from townsquare.render.charts.ticks import Mark, time_marks

HEIGHT = 190  # px of the plot; marks stand below it
_TOP, _BELOW, _LINE = 10, 26, 16
_STRETCHED = 1_000  # units across, in paths
_WIDEST = 0.16  # part of the whole: a single bar is no wall
MOST_BARS = 120  # where there are more, each series is one shape
MOST_DIRECT, LONGEST_DIRECT = 3, 16  # series and letters that have room beside the plot


class _Scale(msgspec.Struct, frozen=True):
    """From values to px, from buckets to per cent."""

    ticks: list[float]
    size: int

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return round(_TOP + HEIGHT * (high - value) / (high - low), 1)

    def middle(self, at: int) -> str:
        return _percent((at + 0.5) / self.size)

    def across(self, at: float) -> str:
        return f"{at / self.size * _STRETCHED:.1f}"


def _percent(share: float) -> str:
    return f"{share * 100:.3f}".rstrip("0").rstrip(".") + "%"


def _px(length: float) -> str:
    return f"{round(length, 1):g}"


def has_direct(picture: Picture) -> bool:
    """Whether the series are named beside the plot, not above it."""
    names = [one.name for one in picture.series]
    is_plot = picture.sort in ("lines", "bars")
    return is_plot and 1 < len(names) <= MOST_DIRECT and max(map(len, names)) <= LONGEST_DIRECT


def plot(picture: Picture, *, described: str, titled: str) -> Markup:
    """The whole drawing. `titled`, `described`: the ids of its title and what it says in words."""
    stacked = picture.sort == "bars"
    least, most = _ends_of_values(picture, stacked=stacked)
    scale = _Scale(value_ticks(most, picture.unit, least=least), picture.size)
    return tag(
        "svg",
        tag("defs", _hatches(picture)) if picture.unfinished is not None else None,
        _axes(picture, scale, time_marks(picture)),
        _bars(picture, scale) if stacked else _lines(picture, scale),
        _direct(picture, scale, stacked=stacked) if has_direct(picture) else None,
        tag("line", x1=0, x2="100%", y1=_px(scale.y(0)), y2=_px(scale.y(0)), class_="ground"),
        role="img",
        aria_labelledby=titled,
        aria_describedby=described,
        class_="plot",
        width="100%",
        height=_TOP + HEIGHT + _BELOW,
    )


def _ends_of_values(picture: Picture, *, stacked: bool) -> tuple[float, float]:
    """The least and the greatest that has to be drawn; bars are never below zero."""
    if stacked:
        return 0, max((sum(value or 0 for value in column) for column in _columns(picture)), default=0)
    known = [value for one in picture.series for value in one.values if value is not None]
    return min(known, default=0), max(known, default=0)


def _columns(picture: Picture) -> Iterator[tuple[float | None, ...]]:
    return zip(*(one.values for one in picture.series), strict=True)


def _axes(picture: Picture, scale: _Scale, marks: Sequence[Mark]) -> Markup:
    every = 2 if len(scale.ticks) > 6 else 1
    lines = [
        join(
            tag("line", x1=0, x2="100%", y1=_px(scale.y(value)), y2=_px(scale.y(value)), class_="grid"),
            tag("text", short(value, picture.unit), x=-8, y=_px(scale.y(value)), dy="0.32em", class_="y"),
        )
        for value in scale.ticks[::every]
    ]
    words = [
        tag("text", mark.words, x=scale.middle(mark.at), y=_TOP + HEIGHT + _LINE + 2,
            class_="x more" if mark.is_more else "x")
        for mark in marks
    ]  # fmt: skip
    return tag("g", lines, words, aria_hidden="true")


def _hatches(picture: Picture) -> list[Markup]:
    """One pattern for each series, and one for the ground of lines."""
    names = [f"s{n}" for n in range(1, len(picture.series) + 1)] if picture.sort != "lines" else ["s0"]
    return [
        tag(
            "pattern",
            tag("rect", width=6, height=6, class_="under"),
            tag("path", d="M0 0V6", class_="stripe"),
            id=f"{picture.key}-{name}",
            class_=name,
            width=6,
            height=6,
            patternunits="userSpaceOnUse",
            patterntransform="rotate(45)",
        )
        for name in names
    ]


def _whole_buckets(picture: Picture) -> int:
    """How many buckets are over."""
    return picture.size if picture.unfinished is None else picture.unfinished


# Lines ----------------------------------------------------------------------------------------------------------------


def _lines(picture: Picture, scale: _Scale) -> Markup:
    ground, last = None, _whole_buckets(picture)
    if picture.unfinished is not None:
        share = min(1 / picture.size, _WIDEST)
        left = _percent((last + 0.5) / picture.size - share / 2)
        ground = tag("rect", x=left, width=_percent(share), y=_TOP, height=HEIGHT, fill=f"url(#{picture.key}-s0)",
                     class_="unfinished")  # fmt: skip
    paths, dots = list[Markup](), list[Markup]()
    for number, one in enumerate(picture.series, 1):
        for run in _runs(one.values):
            if len(run) == 1:
                at, value = run[0]
                dots.append(
                    tag("circle", cx=scale.middle(at), cy=_px(scale.y(value)), r="3.5", class_=f"dot s{number}")
                )
                continue
            whole = [point for point in run if point[0] < last]
            if len(whole) > 1:
                kind = "curve" if picture.size <= MOST_BARS else "curve fine"
                paths.append(tag("path", d=_path(whole, scale), class_=f"{kind} s{number}"))
            if len(whole) < len(run):
                paths.append(tag("path", d=_path(run[-2:], scale), class_=f"curve so-far s{number}"))
    return join(ground, _stretched(paths), dots)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The stretches of values without a gap."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    groups = groupby(enumerate(known), key=lambda each: each[1][0] - each[0])
    return [[point for _, point in group] for _, group in groups]


def _path(points: Sequence[tuple[int, float]], scale: _Scale) -> str:
    return "M" + "L".join(f"{scale.across(at + 0.5)} {scale.y(value):g}" for at, value in points)


def _stretched(paths: Sequence[Markup]) -> Markup | None:
    if not paths:
        return None
    height = _TOP + HEIGHT + _BELOW
    return tag("svg", paths, width="100%", height=height, viewbox=f"0 0 {_STRETCHED} {height}",
               preserveaspectratio="none")  # fmt: skip


# Bars -----------------------------------------------------------------------------------------------------------------


def _bars(picture: Picture, scale: _Scale) -> Markup:
    """Each series on those before it; the first stands on zero."""
    many, last = picture.size > MOST_BARS, _whole_buckets(picture)
    under = [0.0] * picture.size
    drawn = list[Markup | None]()
    for number, one in enumerate(picture.series, 1):
        tops = [below + (value or 0) for below, value in zip(under, one.values, strict=True)]
        if many:
            drawn.append(
                _stretched([tag("path", d=_steps(under[:last], tops[:last], scale), class_=f"area s{number}")])
            )
        for at in range(last if many else 0, picture.size):
            if one.values[at]:
                fill = f"url(#{picture.key}-s{number})" if at == picture.unfinished else None
                drawn.append(_bar(scale, at, (under[at], tops[at]), fill=fill, number=number))
        under = tops
    return join(drawn)


def _bar(scale: _Scale, at: int, ends: tuple[float, float], *, fill: str | None, number: int) -> Markup:
    gap = 0.22 if scale.size <= 40 else 0.12
    share = min((1 - gap) / scale.size, _WIDEST)
    left = (at + 0.5) / scale.size - share / 2
    top, bottom = scale.y(ends[1]), scale.y(ends[0])
    kind = f"bar s{number} unfinished" if fill else f"bar s{number}"
    return tag("rect", x=_percent(left), width=_percent(share), y=_px(top),
               height=_px(max(1.0, bottom - top)), fill=fill, class_=kind)  # fmt: skip


def _steps(under: Sequence[float], tops: Sequence[float], scale: _Scale) -> str:
    """One shape with a step for each bucket: along the tops, and back below."""
    there = "".join(f"H{scale.across(at)}V{scale.y(value):g}H{scale.across(at + 1)}" for at, value in enumerate(tops))
    back = "".join(
        f"V{scale.y(value):g}H{scale.across(at)}" for at, value in reversed([*enumerate(under)])
    )  # fmt: skip
    return f"M0 {scale.y(0):g}{there}{back}Z"


# Words beside the plot ------------------------------------------------------------------------------------------------


def _direct(picture: Picture, scale: _Scale, *, stacked: bool) -> Markup:
    """The names of the series beside where each ends; those that would touch move apart."""
    wanted = sorted(_ends(picture, scale, stacked=stacked))
    placed, lowest = list[Markup](), _TOP + 4.0
    room = _TOP + HEIGHT - _LINE * (len(wanted) - 1)
    for n, (end, number) in enumerate(wanted):
        y = min(max(end, lowest), room + _LINE * n)
        lowest = y + _LINE
        name = picture.series[number - 1].name
        placed.append(tag("text", name, x="100%", dx=8, y=_px(y), dy="0.32em", class_=f"name s{number}"))
    return tag("g", placed, aria_hidden="true")


def _ends(picture: Picture, scale: _Scale, *, stacked: bool) -> Iterator[tuple[float, int]]:
    """Where each series is last seen: the height, and its number."""
    under = 0.0
    at = max((n for n, column in enumerate(_columns(picture)) if any(v is not None for v in column)), default=0)
    if stacked and at == picture.unfinished and at and any(one.values[at - 1] for one in picture.series):
        at -= 1
    for number, one in enumerate(picture.series, 1):
        if stacked:
            value = one.values[at] or 0
            yield scale.y(under + value / 2), number
            under += value
        else:
            yield scale.y(next((v for v in reversed(one.values) if v is not None), 0)), number
