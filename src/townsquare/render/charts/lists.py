"""Charts that are lists: the greatest first with a bar each, and cohorts with a shade for each share.

Box: render.
"""

from townsquare.kit.html import Markup, tag
from townsquare.render.charts.numbers import grouped, short
from townsquare.render.charts.picture import Picture, Unit
from townsquare.render.charts.shades import shade

MOST_TOPS = 10  # bars; the table has all
MOST_NARROW = 6  # columns of cohorts that a phone has room for; the table has all


def tops(picture: Picture, *, titled: str) -> Markup:
    """Horizontal bars, each with its label and value; what adds up stands in one bar, the rest are words below."""
    sums = [sum(one.values[at] or 0 for one in picture.series[: picture.parts]) for at in range(picture.size)]
    most = max(sums, default=0) or 1
    rows = [
        tag(
            "li",
            _label(picture, at),
            tag("span", short(value, _unit(picture, 0)), class_="value"),
            _bar(picture, at, most, height=6),
            _words(picture, at),
        )
        for at, value in enumerate(sums[:MOST_TOPS])
    ]
    return tag("ol", rows, class_="top-list", aria_labelledby=titled)


def _label(picture: Picture, at: int) -> Markup:
    name, link = tag("bdi", picture.labels[at]), picture.links[at] if picture.links else ""
    return tag("a", name, href=link, class_="label") if link else tag("span", name, class_="label")


def _bar(picture: Picture, at: int, most: float, *, height: int) -> Markup:
    left, parts = 0.0, list[Markup]()
    for place, one in enumerate(picture.series[: picture.parts], 1):
        share = (one.values[at] or 0) / most * 100
        if share:
            parts.append(tag("rect", x=f"{left:.2f}%", width=f"{share:.2f}%", height=height, class_=f"bar s{place}"))
        left += share
    track = tag("rect", width="100%", height=height, class_="track")
    return tag("svg", track, parts, width="100%", height=height, aria_hidden="true")


def _unit(picture: Picture, column: int) -> Unit:
    own = picture.series[column].unit
    return picture.unit if own is None else own


def _words(picture: Picture, at: int) -> Markup | None:
    """What the bar is made of, and what else is known of a row."""
    known = [
        f"{one.name} {short(value, _unit(picture, column))}"
        for column, one in enumerate(picture.series)
        if (picture.parts > 1 or column) and (value := one.values[at])
    ]
    return tag("small", " · ".join(known)) if known else None


def spread(picture: Picture, *, titled: str) -> Markup:
    """A distribution on its side: a bar for each label, in their order, so that long ones have room too."""
    values = picture.series[0].values
    most = max((value for value in values if value), default=0) or 1
    rows = [
        tag(
            "li",
            tag("span", label, class_="label"),
            _bar(picture, at, most, height=12),
            tag("span", "–" if value is None else short(value, _unit(picture, 0)), class_="value"),
        )
        for at, (label, value) in enumerate(zip(picture.labels, values, strict=True))
    ]
    return tag("ol", rows, class_="spread-list", aria_labelledby=titled)


def cohorts(picture: Picture, *, titled: str) -> Markup:
    """A grid: a row for each cohort, a column for each period since, shaded by the share that is still there."""
    size, *later = picture.series
    narrow = ["late" if n > MOST_NARROW else None for n in range(1, len(later) + 1)]
    head = tag(
        "tr",
        tag("th", picture.axis, scope="col"),
        tag("th", size.name, scope="col", class_="size"),
        [
            tag("th", one.name.rpartition(" ")[2], scope="col", class_=late)
            for one, late in zip(later, narrow, strict=True)
        ],
    )
    rows = [
        tag(
            "tr",
            tag("th", label, scope="row"),
            tag("td", grouped(size.values[at]), class_="size"),
            [_cell(one.values[at], late) for one, late in zip(later, narrow, strict=True)],
        )
        for at, label in enumerate(picture.labels)
    ]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="cohort-grid", aria_labelledby=titled)
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_labelledby=titled)


def _cell(value: float | None, late: str | None) -> Markup:
    if value is None:
        return tag("td", class_=late)
    shown = shade(value, 100)
    return tag("td", f"{value:.0f}", class_=f"{shown} {late}" if late else shown)
