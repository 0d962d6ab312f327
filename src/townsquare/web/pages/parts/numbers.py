"""Counts as people read them.

Box: web.
"""

from townsquare.kit.html import Markup, tag


def compact(count: int) -> str:
    """A count in few characters: 999, 1.2K, 34K, 5.6M."""
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if count >= size:
            tenths = count * 10 // size
            return (
                f"{tenths // 10}.{tenths % 10}{letter}" if tenths < 100 and tenths % 10 else f"{tenths // 10}{letter}"
            )
    return str(count)


def counted(count: int, one: str, many: str) -> str:
    """A count with its noun."""
    return f"{count} {one if count == 1 else many}"


def count_of(count: int) -> Markup:
    """A count beside an icon; nothing for 0. Who hides counts does not see it."""
    return tag("span", compact(count) if count else "", class_="count")
