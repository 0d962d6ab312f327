"""Doing all the work that waits in a queue, in the test's own time."""

from collections.abc import Sequence
from random import Random
from typing import Any

from townsquare.model.tasks import decode_task
from townsquare.queue.port import Delivery
from townsquare.social.ports import Ports
from townsquare.workers import cleanup, counts, facts, fan_out, graph, index, media, notify

JOBS: dict[type[Any], Any] = {
    **cleanup.JOBS,
    **counts.JOBS,
    **facts.JOBS,
    **fan_out.JOBS,
    **graph.JOBS,
    **index.JOBS,
    **media.JOBS,
    **notify.JOBS,
}
LANES = ("fan_out", "counts", "graph", "notify", "index", "cleanup", "facts")


async def do_all(ports: Ports, *, disorder: Random | None = None, lanes: Sequence[str] = LANES) -> int:
    """Do what waits, and what that leads to; how many tasks. `disorder`: in any order, some of them twice."""
    consumer = ports.queue.consume(lanes)
    done = 0
    try:
        while True:
            await ports.outbox.flush()
            deliveries = await consumer.take(limit=500, wait_s=0)
            if not deliveries:
                return done
            done += len(deliveries)
            for batch in _batches(deliveries, disorder):
                job = JOBS[type(batch[0])]
                await (job.handler(batch, ports) if job.batch else job.handler(batch[0], ports))
            await consumer.done(deliveries)
    finally:
        await consumer.close()


def _batches(deliveries: Sequence[Delivery], disorder: Random | None) -> list[list[Any]]:
    tasks: list[Any] = [decode_task(each.message.body) for each in deliveries]
    if disorder is not None:
        tasks += disorder.sample(tasks, k=len(tasks) // 2)
        disorder.shuffle(tasks)
        return [[task] for task in tasks]
    batches: list[list[Any]] = []
    for task in tasks:
        if batches and type(batches[-1][0]) is type(task) and JOBS[type(task)].batch:
            batches[-1].append(task)
        else:
            batches.append([task])
    return batches
