"""The time, passed in where it is needed, so that tests can set it.

Box: kit.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class SetClock:
    """A clock that stands until it is moved: for tests."""

    def __init__(self, ms: int = 1_790_000_000_000) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        return self.ms

    def advance(self, *, seconds: float) -> None:
        """Move on by `seconds`; less than zero moves back."""
        self.ms += int(seconds * 1000)


def iso(ms: int) -> str:
    """Unix milliseconds as the API writes them: `2026-10-14T19:03:19.937Z`."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03d}Z"
