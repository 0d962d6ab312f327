"""All engines of the queue, each empty, with a clock that the test moves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.engines import QUEUE, open_queue
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
