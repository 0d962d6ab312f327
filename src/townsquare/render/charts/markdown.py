"""Charts as Markdown: a line of blocks for who reads the text, and the same table.

Box: render. Source: GitHub Flavored Markdown, tables
"""

import re

from townsquare.render.charts.figure import columns, row_name
from townsquare.render.charts.numbers import grouped, short
from townsquare.render.charts.picture import Picture

_BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = "·"
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def chart_text(picture: Picture) -> str:
    """One chart as a section of the third level."""
    parts = [f"### {escaped(picture.title)}", escaped(picture.about)]
    if picture.summary:
        parts.append(f"**{escaped(picture.summary)}**")
    if picture.is_nothing:
        return "\n\n".join([*parts, f"*{escaped(picture.empty)}*"]) + "\n"
    if picture.starts_ms:
        parts.append(_lines(picture))
    parts.append(_table(picture))
    if picture.limits:
        parts.append(f"*{escaped(picture.limits)}*")
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Plain text as Markdown: in one line, and none of its signs means anything."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _lines(picture: Picture) -> str:
    """Each series as a line of blocks, from zero to its greatest value."""
    width = max(len(one.name) for one in picture.series)
    drawn = []
    for one in picture.series:
        most = max((value for value in one.values if value is not None), default=0)
        blocks = "".join(_block(value, most) for value in one.values)
        unit = picture.unit if one.unit is None else one.unit
        drawn.append(f"    {' '.join(one.name.split()):<{width}}  {blocks}  up to {short(most, unit)}")
    return "\n".join(drawn)


def _block(value: float | None, most: float) -> str:
    if value is None:
        return _GAP
    return _BLOCKS[min(len(_BLOCKS) - 1, max(0, int(value / most * len(_BLOCKS))))] if most > 0 else _BLOCKS[0]


def _table(picture: Picture) -> str:
    head = [escaped(name) for name in columns(picture)]
    rows = [
        [escaped(row_name(picture, at)), *(grouped(one.values[at]) for one in picture.series)]
        for at in range(picture.size)
    ]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
