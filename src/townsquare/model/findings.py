"""What `townsquare doctor` finds, and how an engine tells it.

Box: model.
"""

from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

_SKEW_WARN_MS, _SKEW_WRONG_MS = 500, 5_000


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works; something may be lost, or be slow, when something else fails
    WRONG = "wrong"  # not for real people until it is mended


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `about` says what is, and where that is not well what to do."""

    check: str
    level: Level
    about: str


@runtime_checkable
class Examines(Protocol):
    """An engine that knows how its server is set up."""

    async def examine(self) -> list[Finding]:
        """Look at it. Raises: Unavailable."""


def fine(check: str, about: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.OK, about=about)


def warning(check: str, about: str) -> Finding:
    """It works, but."""
    return Finding(check=check, level=Level.WARNING, about=about)


def wrong(check: str, about: str) -> Finding:
    """It must be mended."""
    return Finding(check=check, level=Level.WRONG, about=about)


def clock(check: str, *, theirs_ms: int, before_ms: int, after_ms: int) -> Finding:
    """A server's clock against ours, which was read before and after."""
    skew_ms = max(before_ms - theirs_ms, theirs_ms - after_ms, 0)
    about = f"its clock and ours differ by {skew_ms} ms"
    if skew_ms >= _SKEW_WARN_MS:
        level = wrong if skew_ms >= _SKEW_WRONG_MS else warning
        return level(check, f"{about}; keep both by NTP, since of two writes the later one wins")
    return fine(check, about if skew_ms else "its clock and ours agree")
