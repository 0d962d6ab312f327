"""Admin::Measure, Admin::Dimension and Admin::Cohort.

Box: render. Source: Mastodon API, /entities/Admin_Measure/, /entities/Admin_Dimension/, /entities/Admin_Cohort/
"""

import time
from collections.abc import Sequence
from typing import Any

from townsquare.model.insights import Cohort, Measure, Part

# A real server takes these from its counters and the others from its database, and writes their days in another way.
_COUNTERS = frozenset(("active_users", "interactions", "tag_accounts", "tag_uses"))
_IN_BYTES = frozenset(("instance_media_attachments",))
_UNITS = ("KB", "MB", "GB", "TB", "PB")


def measure_dict(measure: Measure) -> dict[str, Any]:
    """Admin::Measure."""
    is_bytes = measure.key in _IN_BYTES
    end = "Z" if measure.key in _COUNTERS else ".000+00:00"
    shown: dict[str, Any] = {
        "key": measure.key,
        "unit": "bytes" if is_bytes else None,
        "total": str(measure.total),
    }
    if is_bytes:
        shown["human_value"] = human_size(measure.total)
    if measure.previous_total is not None:
        shown["previous_total"] = str(measure.previous_total)
    shown["data"] = [{"date": _second(ms) + end, "value": str(value)} for ms, value in measure.days]
    return shown


def dimension_dict(key: str, parts: Sequence[Part]) -> dict[str, Any]:
    """Admin::Dimension."""
    return {"key": key, "data": [_part(part, versioned=key == "software_versions") for part in parts]}


def _part(part: Part, *, versioned: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"key": part.key, "human_key": part.name, "value": str(part.value)}
    if part.is_bytes:
        shown |= {"unit": "bytes", "human_value": human_size(int(part.value))}
    if versioned:
        shown["human_value"] = str(part.value)
    return shown


def cohort_dict(cohort: Cohort, frequency: str) -> dict[str, Any]:
    """Admin::Cohort."""
    return {
        "period": _second(cohort.period_ms) + "+00:00",
        "frequency": frequency,
        "data": [
            {"date": _second(ms) + "+00:00", "rate": rate, "value": str(people)} for ms, people, rate in cohort.cells
        ],
    }


def human_size(size: int) -> str:
    """Bytes for people, to three digits: `14.2 MB`."""
    if size < 1024:
        return "1 Byte" if size == 1 else f"{size} Bytes"
    power = min(len(_UNITS), (size.bit_length() - 1) // 10)
    value = size / 1024**power
    return f"{value:.0f} {_UNITS[power - 1]}" if value >= 100 else f"{value:.3g} {_UNITS[power - 1]}"


def _second(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000))
