"""All engines of the queue, each empty, with a clock that the test moves."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.engines import QUEUE, open_queue
from tests.contract.queue.hands import Child
from townsquare.kit.clock import SetClock
from townsquare.queue.port import Queue


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=QUEUE)
async def queue(request: pytest.FixtureRequest, clock: SetClock, tmp_path: Path) -> AsyncIterator[Queue]:
    engine = await open_queue(request.param, tmp_path, clock)
    yield engine
    await engine.close()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """Consumers that a test starts, ended behind it."""
    children = list[Child]()
    yield children
    for child in children:
        child.process.kill()
        child.process.wait()
        if child.process.stdout is not None:
            child.process.stdout.close()
