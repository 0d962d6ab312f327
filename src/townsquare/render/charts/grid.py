"""The hours of a week as a grid of shades, a row for each day.

Box: render.
"""

from townsquare.kit.html import Markup, tag
from townsquare.render.charts.picture import Picture
from townsquare.render.charts.shades import shade

HOURS, DAYS = 24, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ROW, _TOP = 26, 4  # px
_MARKS = (0, 6, 12, 18)


def grid(picture: Picture, *, titled: str, described: str) -> Markup:
    """The first series, in a cell for each hour. `titled`, `described`: ids of words on the page."""
    values = picture.series[0].values
    most = max((value for value in values if value), default=0.0)
    cells = [
        tag("rect", x=f"{at % HOURS / HOURS * 100:.2f}%", y=_TOP + at // HOURS * _ROW, width=f"{100 / HOURS:.2f}%",
            height=_ROW, class_=f"cell {shade(value, most)}")
        for at, value in enumerate(values)
        if value is not None
    ]  # fmt: skip
    below = _TOP + len(DAYS) * _ROW
    words = [
        tag("text", day, x=-8, y=_TOP + n * _ROW + _ROW // 2, dy="0.32em", class_="y") for n, day in enumerate(DAYS)
    ]
    words += [
        tag("text", f"{hour:02d}:00", x=f"{hour / HOURS * 100:.2f}%", y=below + 16, class_="x first") for hour in _MARKS
    ]
    return tag(
        "svg",
        tag("g", cells),
        tag("g", words, aria_hidden="true"),
        role="img",
        aria_labelledby=titled,
        aria_describedby=described,
        class_="plot",
        width="100%",
        height=below + 24,
    )
