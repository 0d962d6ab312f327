"""A chart as a part of a page: title, how it is counted, the drawing, the same numbers as a table, the way to CSV.

Box: render.
"""

from collections.abc import Sequence

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.render.charts import lists
from townsquare.render.charts.grid import HOURS, grid
from townsquare.render.charts.numbers import UNIT_WORDS, bucket_mark, bucket_name, grouped, whole
from townsquare.render.charts.picture import Picture, Series
from townsquare.render.charts.plot import has_direct, plot

_SO_FAR = " (so far)"


def figure(picture: Picture) -> Markup:
    """The chart. Where nothing is known it says so in the place of the drawing."""
    title_id, about_id = f"{picture.key}-title", f"{picture.key}-about"
    return tag(
        "figure",
        tag(
            "figcaption",
            tag("h3", picture.title, id=title_id),
            tag("p", picture.summary, class_="summary") if picture.summary else None,
            tag("p", picture.about, id=about_id, class_="about"),
        ),
        None if picture.is_nothing else _legend(picture),
        _drawing(picture, title_id, about_id),
        _below(picture),
        id=picture.key,
        class_=f"chart {picture.sort}" + (" named" if has_direct(picture) and not picture.is_nothing else ""),
        data_sort=picture.sort,
    )


def _drawing(picture: Picture, title_id: str, about_id: str) -> Markup:
    if picture.is_nothing:
        return tag("p", picture.empty, class_="nothing")
    if picture.sort == "table":
        return lists.tops(picture, titled=title_id)
    if picture.sort == "spread":
        return lists.spread(picture, titled=title_id)
    if picture.sort == "cohorts":
        return lists.cohorts(picture, titled=title_id)
    draw = grid if picture.sort == "grid" else plot
    drawn = draw(picture, titled=title_id, described=about_id)
    columns = HOURS if picture.sort == "grid" else picture.size
    reading = tag("output", span(picture), class_="reading")
    return join(reading, tag("div", drawn, class_="canvas", data_columns=columns))


def span(picture: Picture) -> str:
    """From when to when, in words; empty where the chart is not over time."""
    if not picture.starts_ms:
        return ""
    first, last = (bucket_name(picture.starts_ms[at], picture.step, picture.zone) for at in (0, -1))
    return first if first == last else f"{first} to {last.replace('Week', 'week')}"


def _legend(picture: Picture) -> Markup | None:
    """The names of colours; where they stand beside the plot, only for screens that have no room there."""
    if len(_coloured(picture)) < 2:
        return None
    names = [
        tag("li", tag("svg", tag("rect", width=10, height=10, rx=2, class_=f"bar s{n}"), width=10, height=10,
                      aria_hidden="true"), one.name)
        for n, one in enumerate(_coloured(picture), 1)
    ]  # fmt: skip
    return tag("ul", names, class_="legend narrow" if has_direct(picture) else "legend")


def _coloured(picture: Picture) -> Sequence[Series]:
    """The series that have a colour of their own."""
    if picture.sort in ("cohorts", "grid"):
        return ()
    return picture.series[: picture.parts] if picture.sort == "table" else picture.series


# The numbers ----------------------------------------------------------------------------------------------------------


def columns(picture: Picture) -> list[str]:
    """What stands above the numbers, in the table and in CSV."""
    units = [UNIT_WORDS[picture.unit if one.unit is None else one.unit] for one in picture.series]
    names = [f"{one.name} ({unit})" if unit else one.name for one, unit in zip(picture.series, units, strict=True)]
    return [picture.axis, *names]


def _values(picture: Picture, at: int) -> list[float | None]:
    return [one.values[at] for one in picture.series]


def _below(picture: Picture) -> Child:
    if picture.is_empty:
        return None
    csv = tag("a", "CSV", href=picture.csv, class_="csv", download=True, aria_label=f"CSV of {picture.title}")
    return tag(
        "div",
        tag("details", tag("summary", "Show as table", tag("span", f": {picture.title}", class_="visually-hidden")),
            tag("p", picture.limits, class_="about") if picture.limits else None, _table(picture)),
        csv if picture.csv else None,
        class_="below",
    )  # fmt: skip


def _table(picture: Picture) -> Markup:
    head = tag("tr", [tag("th", name, scope="col") for name in columns(picture)])
    rows = [
        tag("tr", tag("th", row_name(picture, at), scope="row"), [tag("td", grouped(v)) for v in _values(picture, at)])
        for at in range(picture.size)
    ]
    table = tag("table", tag("caption", picture.title, class_="visually-hidden"), tag("thead", head),
                tag("tbody", rows), class_="numbers")  # fmt: skip
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=f"Table: {picture.title}")


def row_name(picture: Picture, at: int) -> str:
    """What stands before a row of the table."""
    name = bucket_name(picture.starts_ms[at], picture.step, picture.zone) if picture.starts_ms else picture.labels[at]
    return name + _SO_FAR if at == picture.unfinished else name


def csv_rows(picture: Picture) -> list[list[str]]:
    """The table's rows with times as ISO 8601 and numbers without commas; what is not known is empty."""
    names = [bucket_mark(ms, picture.step, picture.zone) for ms in picture.starts_ms] or list(picture.labels)
    numbers = [[name, *(whole(v) for v in _values(picture, at))] for at, name in enumerate(names)]
    return [columns(picture), *numbers]


def tile(words: str, value: str, *, note: str = "", key: str = "", is_bad: bool = False) -> Markup:
    """One number that stands out."""
    return tag(
        "div",
        tag("dt", words),
        tag("dd", join(tag("strong", value), tag("small", note) if note else None)),
        class_="tile bad" if is_bad else "tile",
        data_tile=key or None,
    )


def tiles(*each: Markup) -> Markup:
    """Tiles in a row."""
    return tag("dl", each, class_="tiles")
