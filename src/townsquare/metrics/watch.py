"""Engines whose calls are counted and timed: wrapped once, when they are opened, so no engine knows of it.

Box: metrics.
"""

from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any

from townsquare.kit.meters import CallMeter
from townsquare.metrics.exposition import Reading, times

METHODS: dict[str, tuple[str, ...]] = {
    "store": (
        "get", "get_many", "range", "range_many", "write", "slow_put_if_absent", "slow_compare_and_set", "drop", "scan",
        "scan_stamped",
    ),
    "queue": ("put", "sync", "depths"),
    "cache": ("find", "drop", "count"),  # of the server outside, where there is one
    "feeds": ("push", "read", "fill", "merge", "drop", "has"),
    "search": ("find", "put", "remove", "rebuild"),
    "analytics": ("ask", "put", "coverage", "erase", "expire", "renew", "adopt"),
    "media": ("put", "put_file", "get", "size", "part", "delete", "link_of"),
    "mail": ("send",),
}  # fmt: skip


class Watched:
    """An engine with some methods counted; all else of it is its own."""

    def __init__(self, engine: Any, methods: dict[str, Callable[..., Awaitable[Any]]]) -> None:
        self._engine = engine
        for name, method in methods.items():
            setattr(self, name, method)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class Watch:
    """The meters of one process's engines."""

    def __init__(self, also: Callable[[str, Any], Any] | None = None) -> None:
        """`also` wraps an engine, by its box, before it is counted."""
        self._also = also
        self._meters: dict[tuple[str, str], CallMeter] = {}
        self._pushes = self._deliveries = 0

    def over(self, box: str, engine: Any) -> Any:
        """The engine, watched; it itself where there is nothing to watch."""
        if self._also is not None:
            engine = self._also(box, engine)
        methods = {}
        for name in METHODS.get(box, ()):
            method = getattr(engine, name, None)
            if method is not None:
                meter = self._meters.setdefault((box, name), CallMeter())
                methods[name] = _timed(method, meter)
        if box == "feeds":
            methods["push"] = self._counted_push(methods["push"])
        return Watched(engine, methods) if methods else engine

    def read(self) -> list[Reading]:
        """What was counted so far."""
        used = {key: meter for key, meter in self._meters.items() if meter.begun}
        readings = [times("townsquare_call_seconds", key, meter.times) for key, meter in used.items()]
        readings += [Reading("townsquare_call_errors_total", key, meter.failed) for key, meter in used.items()]
        in_flight = dict[str, int]()
        for (box, _), meter in self._meters.items():
            in_flight[box] = in_flight.get(box, 0) + meter.begun - sum(meter.times.buckets)
        readings += [Reading("townsquare_calls_in_flight", (box,), count) for box, count in in_flight.items()]
        readings.append(Reading("townsquare_feed_pushes_total", (), self._pushes))
        readings.append(Reading("townsquare_feed_deliveries_total", (), self._deliveries))
        return readings

    def _counted_push(self, push: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(accounts: Sequence[int], *args: Any, **kwargs: Any) -> int:
            taken: int = await push(accounts, *args, **kwargs)
            self._pushes += len(accounts)
            self._deliveries += taken
            return taken

        return counted


def _timed(method: Callable[..., Awaitable[Any]], meter: CallMeter) -> Callable[..., Awaitable[Any]]:
    note = meter.times.note

    async def timed(*args: Any, **kwargs: Any) -> Any:
        meter.begun += 1
        began = perf_counter()
        try:
            return await method(*args, **kwargs)
        except BaseException:
            meter.failed += 1
            raise
        finally:
            note(perf_counter() - began)

    return timed
