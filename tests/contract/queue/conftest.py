"""Both engines of the queue, each empty, with a clock that the test moves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from townsquare.kit.clock import SetClock
from townsquare.queue.memory import MemoryQueue
from townsquare.queue.port import Queue
from townsquare.queue.sqlite import SqliteQueue


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=["memory", "sqlite"])
async def queue(request: pytest.FixtureRequest, clock: SetClock, tmp_path: Path) -> AsyncIterator[Queue]:
    engine: Queue = MemoryQueue(clock)
    if request.param == "sqlite":
        engine = await SqliteQueue.open(tmp_path / "queue.db", clock=clock)
    yield engine
    await engine.close()
