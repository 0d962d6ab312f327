"""Readings as Prometheus takes them.

Box: metrics. Source: Prometheus text format, version 0.0.4
"""

from collections.abc import Sequence

import msgspec

from townsquare.kit.meters import BOUNDS_S, Histogram
from townsquare.metrics.families import FAMILIES, Sort

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_ENDS = [f"{bound:g}" for bound in BOUNDS_S] + ["+Inf"]


class Reading(msgspec.Struct, frozen=True):
    """One value of one metric, or one histogram with its sum as the value."""

    name: str
    labels: tuple[str, ...]  # in the order of the family's
    value: float
    buckets: list[int] | None = None


class Page(msgspec.Struct, frozen=True):
    """What one process reads of itself; no role where it is about what all share."""

    role: str
    process: str
    readings: list[Reading]


def times(name: str, labels: tuple[str, ...], histogram: Histogram) -> Reading:
    """A histogram as a reading."""
    return Reading(name, labels, histogram.total_s, list(histogram.buckets))


def render(pages: Sequence[Page]) -> bytes:
    """All pages as one text, metric by metric."""
    by_name: dict[str, list[tuple[Page, Reading]]] = {}
    for page in pages:
        for reading in page.readings:
            by_name.setdefault(reading.name, []).append((page, reading))
    lines = list[str]()
    for family in FAMILIES:
        found = by_name.get(family.name)
        if not found:
            continue
        lines += (f"# HELP {family.name} {family.about}", f"# TYPE {family.name} {family.sort.value}")
        for page, reading in found:
            own = [*zip(family.labels, reading.labels, strict=True)]
            if not family.shared:
                own += (("role", page.role), ("process", page.process))
            labels = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in own)
            lines += _histogram(reading, labels) if family.sort is Sort.HISTOGRAM else [_line(reading, labels)]
    return ("\n".join(lines) + "\n").encode()


def _line(reading: Reading, labels: str) -> str:
    return f"{reading.name}{{{labels}}} {reading.value:.16g}" if labels else f"{reading.name} {reading.value:.16g}"


def _histogram(reading: Reading, labels: str) -> list[str]:
    lines, count, more = list[str](), 0, f",{labels}" if labels else ""
    for end, bucket in zip(_ENDS, reading.buckets or (), strict=True):
        count += bucket
        lines.append(f'{reading.name}_bucket{{le="{end}"{more}}} {count}')
    lines += (f"{reading.name}_sum{{{labels}}} {reading.value:.16g}", f"{reading.name}_count{{{labels}}} {count}")
    return lines
