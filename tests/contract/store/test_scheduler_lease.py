"""One scheduler leads, whatever store its lease lies in.

Suite: store.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest

from tests.contract.engines import STORES, open_store
from tests.social.conftest import bare_ports
from townsquare.kit.clock import SetClock
from townsquare.settings import Settings
from townsquare.social.ports import Ports
from townsquare.store.tables import LEASES
from townsquare.workers.schedule import Scheduler


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=STORES)
async def ports(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Ports]:
    async with open_store(request.param, (LEASES,), clock) as store, bare_ports(clock, Settings()) as opened:
        yield dataclasses.replace(opened, store=store)


async def test_one_of_many_leads_and_another_takes_over(ports: Ports, clock: SetClock) -> None:
    schedulers = [Scheduler(ports, (), owner=f"machine {n}") for n in range(4)]

    async def tick() -> list[int]:
        async with asyncio.TaskGroup() as group:
            for each in schedulers:
                group.create_task(each.tick(group))
        return [n for n, each in enumerate(schedulers) if each.leads]

    (first,) = await tick()
    for _ in range(4):
        clock.advance(seconds=4)
        assert await tick() == [first]
    leader = schedulers.pop(first)
    assert await tick() == []
    clock.advance(seconds=10)
    assert not leader.leads
    assert len(await tick()) == 1
    await leader.tick(asyncio.TaskGroup())
    assert not leader.leads
