"""Which notices belong together, and the key that names a group.

Box: model. Source: Mastodon API, /methods/grouped_notifications/

A key follows from the notice alone, so nothing is kept for it: what happened to one status, or the follows, of half a
day (the server that clients know lets a group span twelve hours too). The number in it is the first hour of that time.
"""

from collections.abc import Collection

import msgspec

GROUPED_KINDS = ("favourite", "reblog", "follow")
SPAN_H = 12
_HOUR_MS = 3_600_000
_LONGEST = 19  # digits
_ALONE = "ungrouped"


class GroupSpan(msgspec.Struct, frozen=True, kw_only=True):
    """What a key says: of which kind and on which status its notices are, and between which ids (both exclusive)."""

    kind: str  # empty: one notice of any kind
    status_id: int = 0
    above: int
    below: int


def group_key(kind: str, status_id: int, notification_id: int, *, grouped: Collection[str] = GROUPED_KINDS) -> str:
    """The key of a notice's group; a key of its own where its kind is not grouped."""
    if kind not in GROUPED_KINDS or kind not in grouped:
        return f"{_ALONE}-{notification_id}"
    hour = (notification_id >> 16) // _HOUR_MS // SPAN_H * SPAN_H
    return f"{kind}-{hour}" if kind == "follow" else f"{kind}-{status_id}-{hour}"


def group_span(key: str) -> GroupSpan | None:
    """What a key says, None where it is none."""
    kind, *texts = key.split("-")
    if not all(text.isascii() and text.isdecimal() and len(text) <= _LONGEST for text in texts):
        return None
    numbers = [int(text) for text in texts]
    if kind == _ALONE and len(numbers) == 1:
        return GroupSpan(kind="", above=numbers[0] - 1, below=numbers[0] + 1)
    if kind not in GROUPED_KINDS or len(numbers) != (1 if kind == "follow" else 2):
        return None
    first = numbers[-1] * _HOUR_MS << 16
    if first >= 1 << 63:
        return None
    return GroupSpan(
        kind=kind,
        status_id=0 if kind == "follow" else numbers[0],
        above=first - 1,
        below=first + (SPAN_H * _HOUR_MS << 16),
    )
