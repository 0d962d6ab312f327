"""What the system says of this process, and how late its loop is.

Box: metrics.
"""

import asyncio
import gc
import os
import resource
import time
from contextlib import suppress
from pathlib import Path

from townsquare.kit.meters import Histogram
from townsquare.metrics.exposition import Reading, times

_LOOK_EVERY_S = 0.25
_PAGE_BYTES = resource.getpagesize()


class LoopLag:
    """How late the loop of this process comes to what is due."""

    def __init__(self) -> None:
        self.times = Histogram()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to look."""
        self._loop = asyncio.get_running_loop()
        self._look_again(self._loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + _LOOK_EVERY_S
        self._timer = loop.call_at(self._due, self._look)

    def _look(self) -> None:
        if self._loop is not None:
            self.times.note(max(0.0, self._loop.time() - self._due))
            self._look_again(self._loop)


class Process:
    """This process."""

    def __init__(self) -> None:
        self._started_s, self.lag = time.time(), LoopLag()

    def read(self) -> list[Reading]:
        """What there is to say of it now."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        readings = [
            Reading("townsquare_process_up", (), 1),
            Reading("townsquare_started_seconds", (), self._started_s),
            Reading("townsquare_cpu_seconds_total", (), used.ru_utime + used.ru_stime),
            Reading("townsquare_open_files_most", (), resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
            times("townsquare_loop_lag_seconds", (), self.lag.times),
        ]
        readings += [
            Reading("townsquare_gc_collections_total", (str(generation),), stats["collections"])
            for generation, stats in enumerate(gc.get_stats())
        ]
        with suppress(OSError):  # only Linux says these
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            readings.append(Reading("townsquare_resident_bytes", (), pages * _PAGE_BYTES))
            readings.append(Reading("townsquare_open_files", (), len(os.listdir("/proc/self/fd"))))
        return readings
