"""A task that kills its process is parked after five tries, and what was in hand beside it is done."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.engines import kafka_url
from townsquare.kit.clock import SystemClock
from townsquare.model.tasks import FanOutStatus, encode_task
from townsquare.queue.port import Message, Queue
from townsquare.queue.sqlite import SqliteQueue

WORKER = """
import asyncio, os, sys
from types import SimpleNamespace
from townsquare.kit.clock import SystemClock
from townsquare.model.tasks import FanOutStatus
from townsquare.queue.{module} import {engine}
from townsquare.settings import Settings
from townsquare.workers.jobs import Job
from townsquare.workers.lanes import Lane
from townsquare.workers.runner import Runner

async def handler(task, ports):
    await asyncio.sleep(0.002)
    if task.status_id == 13:
        os._exit(9)
    print(task.status_id, flush=True)

async def main():
    queue = await {engine}.open(sys.argv[1], clock=SystemClock())
    ports = SimpleNamespace(queue=queue, settings=Settings())
    runner = Runner(ports, {{FanOutStatus: Job(handler)}}, [Lane(name="fan_out", concurrency=4, about="")])
    running = asyncio.create_task(runner.run())
    while any(depth.waiting for depth in await queue.depths()):
        await asyncio.sleep(0.02)
    runner.stop()
    await running
    await queue.close()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_killing_task_is_parked_and_all_others_are_done(tmp_path: Path) -> None:
    queue = await SqliteQueue.open(tmp_path / "queue.db", clock=SystemClock())
    await _kill_again_and_again(queue, WORKER.format(module="sqlite", engine="SqliteQueue"), str(tmp_path / "queue.db"))


@pytest.mark.slow
@pytest.mark.xdist_group("servers")
async def test_the_same_over_kafka(tmp_path: Path) -> None:
    url = kafka_url(tmp_path)
    from townsquare.queue.kafka import KafkaQueue  # noqa: PLC0415  # its driver may not be here

    queue = await KafkaQueue.open(url, ["fan_out"], clock=SystemClock())
    await _kill_again_and_again(queue, WORKER.format(module="kafka", engine="KafkaQueue"), url)


async def _kill_again_and_again(queue: Queue, program: str, where: str) -> None:
    tasks = [FanOutStatus(status_id=n, author=n) for n in range(60)]
    await queue.put([Message(lane="fan_out", key=t.author, id=t.status_id, body=encode_task(t)) for t in tasks])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ends, said = list[int](), list[int]()
    while not ends or ends[-1] == 9:
        command = [sys.executable, "-c", program, where]
        run = await asyncio.to_thread(
            subprocess.run, command, env=environment, stdout=subprocess.PIPE, text=True, timeout=30, check=False
        )
        ends.append(run.returncode)
        said += map(int, run.stdout.split())
    assert ends == [9] * 5 + [0]
    assert set(said) == set(range(60)) - {13}
    (parked,) = await queue.parked(limit=9)
    assert (parked.message.id, parked.reason) == (13, "tried 5 times; 5 times its process died or hung meanwhile")
    await queue.close()
