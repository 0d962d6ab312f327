"""A clock that tests may move and that goes on by itself."""

import time

from townsquare.kit.clock import SetClock


class GoingClock(SetClock):
    """Begins at the present time: what a store stamps by its own clock must not be later than what we stamp."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    @property
    def ms(self) -> int:  # type: ignore[override]  # where it stands, else
        return time.time_ns() // 1_000_000 + self._ahead_ms

    @ms.setter
    def ms(self, ms: int) -> None:
        self._ahead_ms = ms - time.time_ns() // 1_000_000

    def now_ms(self) -> int:
        return self.ms

    def advance(self, *, seconds: float) -> None:
        if abs(seconds) > 1:
            super().advance(seconds=seconds)

    def back(self) -> None:
        """Show the present time again."""
        self._ahead_ms = 0
