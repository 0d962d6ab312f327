"""Ids: 48 bits of Unix milliseconds, 12 of worker, 4 of sequence; sorted by time, unique over 4,096 processes.

Box: kit. Source: design of Mastodon's ids (ms << 16), so that clients which compare them work.
"""

import calendar
import time
from functools import lru_cache

from townsquare.kit.clock import Clock

WORKERS = 4096
_DAY_MS = 86_400_000
_BORROW_MS = 100  # how far ahead of the clock a burst may run
_FOR_EVER_MS = 1 << 62
_MAX_STEP_BACK_MS = 5000  # a clock that jumps back further is a fault, not drift


class NoId(Exception):
    """No id can be made just now."""


class NumberEnded(NoId):
    """The worker's number is ours no longer."""


class ClockWentBack(NoId):
    """The machine's clock is more than five seconds behind the last id; making ids would risk their order."""


class Snowflake:
    """Makes ids for one process; `worker` is its own among all processes that live now."""

    def __init__(self, clock: Clock, worker: int) -> None:
        if not 0 <= worker < WORKERS:
            raise ValueError(f"worker must be from 0 to {WORKERS - 1}, not {worker}")
        self._clock, self._worker, self._last_ms, self._sequence = clock, worker, 0, 0
        self._until_ms = _FOR_EVER_MS

    @property
    def last_ms(self) -> int:
        """Of the newest id that was made."""
        return self._last_ms

    def use(self, worker: int, *, above_ms: int, until_ms: int) -> None:
        """From now on make ids of this worker, of times above the one and below the other.

        So two processes that have a number one after the other make no id twice, whatever their clocks say.
        """
        self._last_ms, self._sequence = max(self._last_ms, above_ms), 15
        self._worker, self._until_ms = worker, until_ms

    def extend(self, until_ms: int) -> None:
        """The number stays ours until then."""
        self._until_ms = until_ms

    def __call__(self) -> int:
        """The next id. Above all earlier ones of this process.

        Raises: ClockWentBack, NumberEnded.
        """
        now = self._clock.now_ms()
        if now > self._last_ms:
            self._last_ms, self._sequence = now, 0
        else:
            if self._last_ms - now > _MAX_STEP_BACK_MS:
                raise ClockWentBack(f"the clock is {self._last_ms - now} ms behind the last id")
            self._sequence += 1
            if self._sequence == 16:
                self._last_ms, self._sequence = self._last_ms + 1, 0
                if self._last_ms - now > _BORROW_MS:
                    time.sleep(0.001)
        if self._last_ms >= self._until_ms:
            raise NumberEnded(f"the number {self._worker} was ours until {self._until_ms}")
        return (self._last_ms << 16) | (self._worker << 4) | self._sequence


def ms_of(snowflake: int) -> int:
    """Unix milliseconds in an id."""
    return snowflake >> 16


def first_id_at(ms: int) -> int:
    """The lowest id of a millisecond."""
    return ms << 16


def month_of(snowflake: int) -> int:
    """The month of an id as one number, `year * 12 + month - 1`: partitions of logs are cut by it."""
    return _month_of_day((snowflake >> 16) // _DAY_MS)


@lru_cache(4096)
def _month_of_day(day: int) -> int:
    then = time.gmtime(day * 86_400)
    return then.tm_year * 12 + then.tm_mon - 1


def month_at(ms: int) -> int:
    """The month of a time as one number."""
    return month_of(ms << 16)


def day_of(snowflake: int) -> int:
    """Days since 1970 of an id."""
    return (snowflake >> 16) // _DAY_MS


def first_id_of_month(month: int) -> int:
    """The lowest id of a month as `month_of` numbers it."""
    return calendar.timegm((month // 12, month % 12 + 1, 1, 0, 0, 0)) * 1000 << 16
