"""Engines that are watched do what they did, and are counted."""

import asyncio

import numpy as np
import pytest

from townsquare.feeds.memory import MemoryFeeds
from townsquare.feeds.port import Reason
from townsquare.kit.clock import SystemClock
from townsquare.metrics.exposition import Reading
from townsquare.metrics.watch import METHODS, Watch
from townsquare.queue.memory import MemoryQueue
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Put
from townsquare.store.tables import SETTINGS, TABLES


def _value(readings: list[Reading], name: str, *labels: str) -> float:
    [found] = [reading for reading in readings if (reading.name, reading.labels) == (name, labels)]
    return float(sum(found.buckets) if found.buckets is not None else found.value)


async def test_calls_are_counted_and_answered() -> None:
    """Results, errors and cancelling pass through; what has begun and not ended is in flight."""
    watch, gate = Watch(), asyncio.Event()

    class Engine:
        """A store of one answer."""

        async def get(self, key: str) -> str:
            await gate.wait()
            if key == "bad":
                raise ValueError(key)
            return key

    engine = watch.over("store", Engine())
    tasks = [asyncio.ensure_future(engine.get(key)) for key in ("good", "bad", "left")]
    await asyncio.sleep(0)
    assert _value(watch.read(), "townsquare_calls_in_flight", "store") == 3
    tasks[2].cancel()
    gate.set()
    good, bad, left = await asyncio.gather(*tasks, return_exceptions=True)
    assert good == "good"
    assert isinstance(bad, ValueError)
    assert isinstance(left, asyncio.CancelledError)
    readings = watch.read()
    assert _value(readings, "townsquare_calls_in_flight", "store") == 0
    assert _value(readings, "townsquare_call_seconds", "store", "get") == 3
    assert _value(readings, "townsquare_call_errors_total", "store", "get") == 2


async def test_a_store_works_as_before() -> None:
    """What is not counted is the engine's own."""
    watch = Watch()
    plain = MemoryStore(TABLES, clock=SystemClock())
    store = watch.over("store", plain)
    row = SETTINGS.row(name="a", value=b"1")
    await store.write([Put(SETTINGS, row)])
    assert await store.get(SETTINGS, ("a",)) == row
    assert store.close == plain.close
    assert _value(watch.read(), "townsquare_call_seconds", "store", "write") == 1


async def test_deliveries_are_the_rings_that_took_it() -> None:
    """Accounts without a ring were sent to, but nothing was delivered."""
    watch = Watch()
    feeds = watch.over("feeds", MemoryFeeds())
    await feeds.fill(1, [], [], floor=0)
    await feeds.push(np.array([1, 2, 3]), 77, Reason.FOLLOW)
    assert _value(watch.read(), "townsquare_feed_pushes_total") == 3
    assert _value(watch.read(), "townsquare_feed_deliveries_total") == 1


@pytest.mark.parametrize("box", [box for box in METHODS if box != "cache"])
def test_all_methods_of_a_port_are_watched(box: str) -> None:
    """Those that wait for something; a queue's other methods are the operator's."""
    import importlib  # noqa: PLC0415
    import inspect  # noqa: PLC0415

    port = importlib.import_module(f"townsquare.{box}.port")
    name = {
        "store": "Store",
        "queue": "Queue",
        "feeds": "Feeds",
        "search": "Search",
        "analytics": "Analytics",
        "media": "MediaStore",
        "mail": "Mailer",
    }[box]
    waits = {n for n, f in vars(getattr(port, name)).items() if inspect.iscoroutinefunction(f)}
    assert set(METHODS[box]) == waits - {"close"} - ({"parked", "redrive", "discard"} if box == "queue" else set())


async def test_an_age_is_told_of_what_waits() -> None:
    """The queue says when the oldest message was put."""
    from townsquare.metrics import sources  # noqa: PLC0415
    from townsquare.queue.port import Message  # noqa: PLC0415

    queue = MemoryQueue(SystemClock())
    await queue.put([Message(lane="mail", key=1, id=1, body=b"x")])
    readings = await sources.queue(queue)
    assert _value(readings, "townsquare_queue_up") == 1
    assert _value(readings, "townsquare_queue_waiting", "mail") == 1
    assert 0 <= _value(readings, "townsquare_queue_oldest_seconds", "mail") < 5
