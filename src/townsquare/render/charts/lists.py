"""Charts that are lists: the greatest first with a bar each, and cohorts with a shade for each share.

Box: render.
"""

from townsquare.kit.html import Markup, tag
from townsquare.render.charts.numbers import grouped, short
from townsquare.render.charts.picture import Picture, Unit
from townsquare.render.charts.shades import shade

MOST_NARROW = 6  # columns of cohorts that a phone has room for; the table has all


def tops(picture: Picture, *, titled: str) -> Markup:
    """The first series as horizontal bars, each with its label and value; the others as words below."""
    values = picture.series[0].values
    most = max((value for value in values if value), default=1.0)
    rows = []
    for at, (label, value) in enumerate(zip(picture.labels, values, strict=True)):
        link = picture.links[at] if picture.links else ""
        name = tag("bdi", label)
        share = (value or 0) / most * 100
        bar = tag("svg", tag("rect", width="100%", height=6, rx=3, class_="track"),
                  tag("rect", width=f"{share:.1f}%", height=6, rx=3, class_="bar s1"), width="100%", height=6,
                  aria_hidden="true")  # fmt: skip
        rows.append(
            tag(
                "li",
                tag("a", name, href=link, class_="label") if link else tag("span", name, class_="label"),
                tag("span", short(value, _unit(picture, 0)) if value is not None else "–", class_="value"),
                bar,
                _others(picture, at),
            )
        )
    return tag("ol", rows, class_="top-list", aria_labelledby=titled)


def _unit(picture: Picture, column: int) -> Unit:
    own = picture.series[column].unit
    return picture.unit if own is None else own


def _others(picture: Picture, at: int) -> Markup | None:
    """What else is known of a row."""
    known = [
        f"{one.name} {short(value, _unit(picture, column))}"
        for column, one in enumerate(picture.series)
        if column and (value := one.values[at])
    ]
    return tag("small", " · ".join(known)) if known else None


def cohorts(picture: Picture, *, titled: str) -> Markup:
    """A grid: a row for each cohort, a column for each period since, shaded by the share that is still there."""
    size, *later = picture.series
    narrow = ["late" if n > MOST_NARROW else None for n in range(1, len(later) + 1)]
    head = tag(
        "tr",
        tag("th", picture.axis, scope="col"),
        tag("th", size.name, scope="col", class_="size"),
        [tag("th", one.name, scope="col", class_=late) for one, late in zip(later, narrow, strict=True)],
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
