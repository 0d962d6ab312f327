"""The one range of bytes that a request may ask for.

Box: web.
"""

import re

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


def range_of(wanted: str | None, size: int) -> tuple[int, int] | None:
    """The range as start and end of a file of `size` bytes; None for the whole. Several at once are not served.

    Raises: ValueError where it lies outside.
    """
    found = _RANGE.fullmatch(wanted) if wanted else None
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        start, end = max(size - int(found[2]), 0), size
    else:
        start, end = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    if start >= end:
        raise ValueError("outside")
    return start, end
