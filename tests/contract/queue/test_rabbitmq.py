"""The RabbitMQ queue between processes, and when RabbitMQ is killed."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.engines import SERVERS, rabbit_url
from tests.contract.queue.hands import Child, ids, let_all_share, messages, take_all, when_it_is_back
from tests.engines import control
from townsquare.kit.clock import SystemClock
from townsquare.model.errors import Unavailable
from townsquare.queue.port import Delivery, Message
from townsquare.queue.rabbitmq import RabbitQueue

pytestmark = SERVERS

# Takes all it can get, says each id, and acknowledges only where told so.
CHILD = """
import asyncio, sys
from townsquare.kit.clock import SystemClock
from townsquare.queue.rabbitmq import RabbitQueue

async def main(url, acknowledge):
    queue = await RabbitQueue.open(url, clock=SystemClock())
    consumer = queue.consume(["fan_out"])
    while True:
        deliveries = await consumer.take(limit=10, wait_s=5)
        for delivery in deliveries:
            print(delivery.message.id, flush=True)
        if acknowledge == "yes":
            await consumer.done(deliveries)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(params=["classic", "quorum"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return rabbit_url(tmp_path, kind=request.param)


@pytest.fixture
async def queue(url: str) -> AsyncIterator[RabbitQueue]:
    queue = await RabbitQueue.open(url, clock=SystemClock())
    yield queue
    await queue.close()


async def kill_with_its_queues_on_disk() -> None:
    """kill -9. RabbitMQ 3.10 writes down a moment later that it has a new quorum queue; that is its own affair."""
    await asyncio.sleep(2)
    await asyncio.to_thread(control.kill, "rabbitmq")


async def start_again() -> None:
    """Start RabbitMQ. Its port may be taken for a moment after its end."""
    async with asyncio.timeout(60):
        while True:
            try:
                await asyncio.to_thread(control.start, "rabbitmq")
                await asyncio.to_thread(control.wait, "rabbitmq")
                return
            except control.StartError:
                await asyncio.sleep(0.1)


async def test_what_a_killed_process_had_is_given_again_at_once_and_each_cut_counted(
    queue: RabbitQueue, url: str, children: list[Child]
) -> None:
    await queue.put(messages(0, 10))
    for _ in range(2):
        children.append(Child(CHILD, url, acknowledge=False))
        assert sorted(await children[-1].said(10)) == list(range(10))
        if len(children) == 1:
            consumer = queue.consume(["fan_out"])
            assert await consumer.take(limit=10, wait_s=0.5) == []
            await consumer.close()
        children[-1].process.send_signal(signal.SIGKILL)
        children[-1].process.wait()
    consumer = queue.consume(["fan_out"])
    again = await take_all(consumer, 10, within_s=4)
    assert sorted(ids(again)) == list(range(10))
    assert {(delivery.tries, delivery.cuts) for delivery in again} == {(3, 2)}


async def test_a_consumer_in_line_takes_over_within_a_second(
    queue: RabbitQueue, url: str, children: list[Child]
) -> None:
    await queue.put(messages(0, 10))
    children.append(Child(CHILD, url, acknowledge=False))
    await children[0].said(10)
    consumer = queue.consume(["fan_out"])
    assert await consumer.take(limit=10, wait_s=0.3) == []
    children[0].process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    again = await take_all(consumer, 10, within_s=4)
    assert time.monotonic() - began < 1
    assert {(delivery.tries, delivery.cuts) for delivery in again} == {(2, 1)}


async def test_three_processes_share_and_do_each_message_once(
    queue: RabbitQueue, url: str, children: list[Child]
) -> None:
    children += [Child(CHILD, url, acknowledge=True) for _ in range(3)]
    said, count = await let_all_share(queue, children)
    assert sorted(said) == list(range(count))


async def test_depths_count_what_other_processes_have_out(queue: RabbitQueue, url: str, children: list[Child]) -> None:
    await queue.put(messages(0, 10))
    (idle,) = await queue.depths()
    assert (idle.waiting, idle.oldest_ms is None) == (10, False)
    children.append(Child(CHILD, url, acknowledge=False))
    await children[0].said(10)
    (depth,) = await queue.depths()
    assert depth == idle


async def test_nothing_acknowledged_is_lost_when_rabbitmq_is_killed(queue: RabbitQueue) -> None:
    """Some put and others take all the time; it is killed and comes back, and all go on by themselves."""
    accepted, refused, done = list[int](), 0, list[Delivery]()
    over, enough = asyncio.Event(), asyncio.Event()

    async def put(writer: int) -> None:
        nonlocal refused
        n = writer
        while not over.is_set():
            try:
                await queue.put([Message(lane="fan_out", key=writer, id=n, body=b"x" * 100)])
            except Unavailable:
                refused += 1
                await asyncio.sleep(0.05)
                continue  # the same one again
            accepted.append(n)
            n += 4
            if len(accepted) >= 400:
                enough.set()

    async def take() -> None:
        consumer = queue.consume(["fan_out"])
        while not (
            all(writer.done() for writer in writers) and {delivery.message.id for delivery in done} >= set(accepted)
        ):
            try:
                found = await consumer.take(limit=20, wait_s=0.5)
                await consumer.done(found)
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                done.extend(found)

    async def kill() -> None:
        await enough.wait()
        await kill_with_its_queues_on_disk()
        while refused < 4:  # noqa: ASYNC110 - each writer has met it
            await asyncio.sleep(0.01)
        await start_again()
        before = len(accepted)
        while len(accepted) < before + 200:  # noqa: ASYNC110 - the writers go on
            await asyncio.sleep(0.05)
        over.set()

    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        writers = [tasks.create_task(put(writer)) for writer in range(4)]
        tasks.create_task(take())
        tasks.create_task(kill())
    assert refused
    assert {delivery.message.id for delivery in done} >= set(accepted)
    assert {delivery.cuts for delivery in done} == {0}  # nobody died but RabbitMQ
    for writer in range(4):
        first = list(dict.fromkeys(n for n in ids(done) if n % 4 == writer))
        assert first == sorted(first)


async def test_what_is_out_while_rabbitmq_is_killed_can_be_finished_and_comes_no_more(queue: RabbitQueue) -> None:
    consumer = queue.consume(["fan_out"])
    await queue.put(messages(0, 6))
    out = await take_all(consumer, 6, within_s=5)
    await kill_with_its_queues_on_disk()
    await consumer.done(out[:2])
    with pytest.raises(Unavailable):
        await consumer.retry(out[2], delay_s=0)
    await start_again()
    assert await when_it_is_back(lambda: consumer.take(limit=10, wait_s=0.3)) == []  # two are done, four out still
    await when_it_is_back(lambda: consumer.park(out[2], reason="fails"))
    await consumer.done(out[3:])
    (depth,) = await queue.depths()
    assert (depth.waiting, depth.parked) == (0, 1)


async def test_a_channel_closes_at_once_though_what_was_asked_before_is_not_answered(queue: RabbitQueue) -> None:
    await queue.put(messages(0, 1))
    name = queue.layout.partition("fan_out", 0)
    async with asyncio.timeout(3):
        for _ in range(50):
            channel = await (await queue.takes.connection()).channel()
            consuming = asyncio.create_task(channel.consume(name, lambda tag, body: None, prefetch=1))
            await asyncio.sleep(0)
            await channel.close()
            await asyncio.wait([consuming])
            assert consuming.exception() is None or isinstance(consuming.exception(), Unavailable)


async def test_a_number_of_partitions_is_kept(url: str, queue: RabbitQueue) -> None:
    with pytest.raises(ValueError, match="as many partitions"):
        await RabbitQueue.open(url.replace("partitions=4", "partitions=5"), clock=SystemClock())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("amqp://guest:mistaken@{where}/", "user and password"),
        ("amqp://guest:guest@{where}/nowhere", "vhost nowhere"),
        ("amqp://guest:guest@{where}/?partitions=0", "from 1 to 256"),
        ("amqp://guest:guest@{where}/?colour=red", "knows no colour"),
        ("amqp://guest:guest@{where}/?type=stream", "classic or quorum"),
        ("amqp://guest:guest@/", "looks like amqp"),
    ],
)
async def test_an_address_that_cannot_be_meant(tmp_path: Path, wrong: str, sentence: str) -> None:
    where = rabbit_url(tmp_path).split("@")[1].split("/")[0]
    with pytest.raises(ValueError, match=sentence) as caught:
        await RabbitQueue.open(wrong.format(where=where), clock=SystemClock())
    assert "mistaken" not in str(caught.value)


async def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        await RabbitQueue.open("amqp://127.0.0.1:9/", clock=SystemClock())
