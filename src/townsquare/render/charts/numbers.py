"""Numbers and times as charts write them: short on axes, whole in tables.

Box: render.
"""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

from townsquare.render.charts.picture import Step, Unit

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800)
_THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_COUNTS = ((1e9, "bn"), (1e6, "m"), (1e4, "k"))
_WANTED = 4  # marks on an axis of values, or a few more
UNIT_WORDS = {"": "", "ms": "ms", "s": "seconds", "bytes": "bytes", "%": "%"}


def whole(value: float | None) -> str:
    """A value as a table and CSV have it, in the unit itself: all digits before the point, two behind it at most.
    Empty where it is not known."""
    return "" if value is None else _digits(value).replace(",", "")


def grouped(value: float | None) -> str:
    """As `whole`, with commas between thousands; a dash where it is not known."""
    return "–" if value is None else _digits(value)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")


def short(value: float, unit: Unit) -> str:
    """A value for an axis or a tile."""
    if value <= 0:
        return f"−{short(-value, unit)}" if value else "0"
    if unit == "ms":
        return f"{_trim(value)} ms" if value < 1_000 else _duration(value / 1_000)
    if unit == "s":
        return _duration(value)
    if unit == "bytes":
        return _scaled(value, _THOUSANDS, "B", space=" ")
    if unit == "%":
        return f"{_trim(value)} %"
    return _scaled(value, _COUNTS, "", space="") if value >= 1e4 else grouped(round(value, 1))


def _duration(value_s: float) -> str:
    for length_s, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if value_s >= length_s * (2 if unit == "d" else 1):
            return f"{_trim(value_s / length_s)} {unit}"
    return f"{_trim(value_s)} s"


def _scaled(value: float, scales: tuple[tuple[float, str], ...], unit: str, *, space: str) -> str:
    for size, prefix in scales:
        if value >= size:
            by = 1e3 if prefix == "k" else size
            return f"{_trim(value / by)}{space}{prefix}{unit}"
    return f"{_trim(value)}{space}{unit}"


def _trim(value: float) -> str:
    """Three digits that count, without zeros behind the point."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".") if value < 10 else f"{value:.1f}".rstrip("0").rstrip(".")


def value_ticks(most: float, unit: Unit, *, least: float = 0.0) -> list[float]:
    """Round numbers from zero to the first that is no less than `most`; where `least` is below zero, from there."""
    least = min(0.0, least)
    if most <= 0 and not least:
        return [0.0, 1.0]
    rough = (max(0.0, most) - least) / _WANTED
    if unit in ("ms", "s") and rough > (1_000 if unit == "ms" else 1):
        scale = 1_000 if unit == "ms" else 1
        step = next((s * scale for s in _STEPS_S if s * scale >= rough), _nice(rough / scale / _DAY) * scale * _DAY)
    else:
        step = _nice(rough)
    if not unit:
        step = max(1.0, step)
    first, last = math.floor(least / step + 1e-9), max(0, math.ceil(most / step - 1e-9))
    return [step * n for n in range(first, last + 1)]


def _nice(rough: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= rough * (1 - 1e-9))


def moment(ms: int, zone: str) -> datetime:
    """The time in a zone."""
    return datetime.fromtimestamp(ms / 1_000, ZoneInfo(zone))


def bucket_name(ms: int, step: Step, zone: str) -> str:
    """A bucket of time in words."""
    at = moment(ms, zone)
    if step == "hour":
        return f"{at:%a} {at.day} {at:%b %Y %H:%M}"
    if step == "week":
        return f"Week of {at.day} {at:%b %Y}"
    if step == "month":
        return f"{at:%B %Y}"
    return f"{at:%a} {at.day} {at:%b %Y}"


def bucket_mark(ms: int, step: Step, zone: str) -> str:
    """A bucket of time as CSV has it: ISO 8601."""
    at = moment(ms, zone)
    if step == "hour":
        return at.isoformat(timespec="minutes")
    return f"{at:%Y-%m}" if step == "month" else f"{at:%Y-%m-%d}"
