"""Times as people read them.

Box: web. Without JavaScript nobody knows the reader's zone, so whole dates are in UTC; the script makes them local.
"""

import time

from townsquare.kit.clock import iso
from townsquare.kit.html import Markup, tag

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000


def short(ms: int, now_ms: int) -> str:
    """How long ago: now, 5m, 3h, 2d, then the date."""
    ago_ms = now_ms - ms
    if ago_ms < _MINUTE_MS:
        return "now"
    if ago_ms < _HOUR_MS:
        return f"{ago_ms // _MINUTE_MS}m"
    if ago_ms < _DAY_MS:
        return f"{ago_ms // _HOUR_MS}h"
    if ago_ms < 7 * _DAY_MS:
        return f"{ago_ms // _DAY_MS}d"
    then, now = time.gmtime(ms // 1000), time.gmtime(now_ms // 1000)
    day = f"{then.tm_mday} {_MONTHS[then.tm_mon - 1]}"
    return day if then.tm_year == now.tm_year else f"{day} {then.tm_year}"


def whole(ms: int) -> str:
    """Date and time: 5 Mar 2026, 14:03 UTC."""
    then = time.gmtime(ms // 1000)
    return f"{day(ms)}, {then.tm_hour:02d}:{then.tm_min:02d} UTC"


def day(ms: int) -> str:
    """The date: 5 Mar 2026."""
    then = time.gmtime(ms // 1000)
    return f"{then.tm_mday} {_MONTHS[then.tm_mon - 1]} {then.tm_year}"


def left(ms: int, now_ms: int) -> str:
    """How long until then, in words: 5 minutes, 3 hours, 2 days."""
    for unit_ms, unit in ((_DAY_MS, "day"), (_HOUR_MS, "hour"), (_MINUTE_MS, "minute")):
        count = (ms - now_ms) // unit_ms
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def ago(ms: int, now_ms: int) -> Markup:
    """The short form; the script keeps it true."""
    return tag("time", short(ms, now_ms), datetime=iso(ms), title=whole(ms), data_ago=True)


def moment(ms: int) -> Markup:
    """The long form."""
    return tag("time", whole(ms), datetime=iso(ms), data_whole=True)
