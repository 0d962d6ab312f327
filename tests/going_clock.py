"""A clock that tests may move and that goes on by itself."""

import time

from townsquare.kit.clock import SetClock


class GoingClock(SetClock):
    """Begins at the present time: what a store stamps by its own clock must not be later than what we stamp."""

    def __init__(self) -> None:
        self._moves: list[tuple[int, int]] = []  # when, and by how much we are ahead since, both in ms

    @property
    def _ahead_ms(self) -> int:
        return self._moves[-1][1] if self._moves else 0

    @property
    def ms(self) -> int:  # type: ignore[override]  # where it stands, else
        return time.time_ns() // 1_000_000 + self._ahead_ms

    @ms.setter
    def ms(self, ms: int) -> None:
        now_ms = time.time_ns() // 1_000_000
        self._moves.append((now_ms, ms - now_ms))

    def now_ms(self) -> int:
        return self.ms

    def advance(self, *, seconds: float) -> None:
        if abs(seconds) > 1:
            super().advance(seconds=seconds)

    def back(self) -> None:
        """Show the present time again."""
        self._moves.clear()

    def real_us(self, us: int) -> int:
        """When it was what this clock showed or will show as `us`; when it was moved, for a time it never showed."""
        latest = us
        for at_ms, ahead_ms in reversed(self._moves):
            real = us - ahead_ms * 1000
            if real >= at_ms * 1000:
                return min(real, latest)
            latest = at_ms * 1000
        return min(us, latest)
