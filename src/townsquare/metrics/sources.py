"""Meters that stand elsewhere in the process, read.

Box: metrics.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from townsquare.cache.port import Tally
from townsquare.kit.meters import Histogram, RequestMeter
from townsquare.metrics.exposition import Reading, times
from townsquare.model.errors import TownsquareError
from townsquare.queue.port import Queue

_OUTCOMES = ("done", "dropped", "failed", "retried", "parked")


class Lane(Protocol):
    """What one process did in one lane."""

    @property
    def times(self) -> Histogram:
        """Calls of handlers."""


def requests(routes: Iterable[tuple[str, str, RequestMeter]]) -> list[Reading]:
    """The requests of many routes (area, method, meter), area by area."""
    sums: dict[tuple[str, str], tuple[Histogram, list[int]]] = {}
    for area, method, meter in routes:
        if any(meter.statuses):
            histogram, statuses = sums.setdefault((area, method), (Histogram(), [0] * len(meter.statuses)))
            histogram.total_s += meter.total_s
            histogram.buckets = [a + b for a, b in zip(histogram.buckets, meter.buckets, strict=True)]
            statuses[:] = [a + b for a, b in zip(statuses, meter.statuses, strict=True)]
    readings = [times("townsquare_http_request_seconds", key, histogram) for key, (histogram, _) in sums.items()]
    return readings + [
        Reading("townsquare_http_requests_total", (*key, f"{digit}xx"), count)
        for key, (_, statuses) in sums.items()
        for digit, count in enumerate(statuses)
        if count
    ]


def cache(tallies: Iterable[Tally]) -> list[Reading]:
    """The layers of the cache."""
    readings = list[Reading]()
    for tally in tallies:
        key = (tally.layer, tally.kind)
        readings.append(Reading("townsquare_cache_asked_total", key, tally.asked))
        readings.append(Reading("townsquare_cache_missed_total", key, tally.missed))
    return readings


def lanes(counts: Mapping[str, Lane]) -> list[Reading]:
    """The work done in each lane."""
    readings = [
        Reading("townsquare_tasks_total", (lane, outcome), getattr(each, outcome))
        for lane, each in counts.items()
        for outcome in _OUTCOMES
    ]
    return readings + [times("townsquare_task_seconds", (lane,), each.times) for lane, each in counts.items()]


async def queue(port: Queue) -> list[Reading]:
    """What waits in the queue, for all processes."""
    try:
        depths = await port.depths()
    except TownsquareError:
        return [Reading("townsquare_queue_up", (), 0)]
    now_ms = time.time() * 1000
    readings = [Reading("townsquare_queue_up", (), 1)]
    for depth in depths:
        age_s = max(0.0, (now_ms - depth.oldest_ms) / 1000) if depth.oldest_ms is not None else 0.0
        readings.append(Reading("townsquare_queue_waiting", (depth.lane,), depth.waiting))
        readings.append(Reading("townsquare_queue_parked", (depth.lane,), depth.parked))
        readings.append(Reading("townsquare_queue_oldest_seconds", (depth.lane,), age_s))
    return readings
