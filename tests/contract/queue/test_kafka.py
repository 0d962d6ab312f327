"""The Kafka queue between processes, and when Kafka is killed."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError, KafkaException

from tests.contract.engines import SERVERS, kafka_url
from tests.contract.queue.hands import Child, ids, let_all_share, messages, take_all, when_it_is_back
from tests.engines import control
from townsquare.kit.clock import SetClock, SystemClock
from townsquare.model.errors import Unavailable
from townsquare.queue.kafka import KafkaQueue
from townsquare.queue.kafka_address import read_url
from townsquare.queue.kafka_admin import Admin
from townsquare.queue.kafka_records import Names
from townsquare.queue.port import Delivery, Message

LANES = ("counts", "fan_out", "graph", "media", "notify")
pytestmark = SERVERS

# Takes all it can get, says each id, and acknowledges only where told so.
CHILD = """
import asyncio, sys
from townsquare.kit.clock import SystemClock
from townsquare.model.errors import Unavailable
from townsquare.queue.kafka import KafkaQueue

async def main(url, acknowledge):
    queue = await KafkaQueue.open(url, clock=SystemClock())
    consumer, deliveries = queue.consume(["fan_out"]), []
    while True:
        try:
            if acknowledge == "yes":
                await consumer.done(deliveries)
            deliveries = await consumer.take(limit=10, wait_s=5)
        except Unavailable as exc:  # as the workers do
            print(exc, file=sys.stderr)
            continue
        for delivery in deliveries:
            print(delivery.message.id, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return kafka_url(tmp_path)


@pytest.fixture
async def queue(url: str) -> AsyncIterator[KafkaQueue]:
    queue = await KafkaQueue.open(url, ["fan_out"], clock=SystemClock())
    yield queue
    await queue.close()


async def test_what_a_killed_process_had_is_given_again_in_seconds_and_each_cut_counted(
    queue: KafkaQueue, url: str, children: list[Child]
) -> None:
    await queue.put(messages(0, 10))
    for _ in range(2):
        children.append(Child(CHILD, url, acknowledge=False))
        assert sorted(await children[-1].said(10)) == list(range(10))
        children[-1].process.send_signal(signal.SIGKILL)
        children[-1].process.wait()
    again = await take_all(queue.consume(["fan_out"]), 10, within_s=10)
    assert sorted(ids(again)) == list(range(10))
    assert {(delivery.tries, delivery.cuts) for delivery in again} == {(3, 2)}


async def test_what_a_hanging_process_had_is_given_again_after_its_lease(
    queue: KafkaQueue, url: str, children: list[Child]
) -> None:
    await queue.put(messages(0, 10))
    children.append(Child(CHILD, url, acknowledge=False))
    await children[0].said(10)
    consumer = queue.consume(["fan_out"])
    assert await consumer.take(limit=10, wait_s=0.5) == []
    children[0].process.send_signal(signal.SIGSTOP)
    again = await take_all(consumer, 10, within_s=10)
    assert {(delivery.tries, delivery.cuts) for delivery in again} == {(2, 1)}
    await consumer.done(again)
    children[0].process.send_signal(signal.SIGCONT)  # it comes back, and takes its share
    async with asyncio.timeout(20):
        said, at = asyncio.create_task(children[0].said(20)), 100
        while not said.done():
            await queue.put(messages(at, 20))
            await consumer.done(await consumer.take(limit=20, wait_s=0.2))
            at += 20
        assert set(await said) <= set(range(100, at))


async def test_three_processes_share_and_do_each_message_once(
    queue: KafkaQueue, url: str, children: list[Child]
) -> None:
    children += [Child(CHILD, url, acknowledge=True) for _ in range(3)]
    said, count = await let_all_share(queue, children)
    assert sorted(said) == list(range(count))


async def test_nothing_accepted_is_lost_when_kafka_is_killed(queue: KafkaQueue) -> None:
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
                await when_it_is_back(lambda found=found: consumer.done(found))  # type: ignore[misc]  # of this turn
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                done.extend(found)

    async def kill() -> None:
        await enough.wait()
        await asyncio.to_thread(control.kill, "kafka")
        while refused < 4:  # noqa: ASYNC110 - each writer has met it
            await asyncio.sleep(0.01)
        await asyncio.to_thread(control.start, "kafka")
        await asyncio.to_thread(control.wait, "kafka")
        before = len(accepted)
        while len(accepted) < before + 200:  # noqa: ASYNC110 - the writers go on
            await asyncio.sleep(0.05)
        over.set()

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        writers = [tasks.create_task(put(writer)) for writer in range(4)]
        tasks.create_task(take())
        tasks.create_task(kill())
    assert refused
    assert {delivery.message.id for delivery in done} >= set(accepted)
    assert {delivery.cuts for delivery in done} == {0}  # nobody died but Kafka
    for writer in range(4):
        first = list(dict.fromkeys(n for n in ids(done) if n % 4 == writer))
        assert first == sorted(first)


async def test_what_is_out_while_kafka_is_killed_can_be_finished_and_comes_no_more(queue: KafkaQueue) -> None:
    consumer = queue.consume(["fan_out"])
    await queue.put(messages(0, 6))
    out = await take_all(consumer, 6, within_s=8)
    await asyncio.to_thread(control.kill, "kafka")
    for act in (consumer.done(out[:2]), consumer.retry(out[2], delay_s=0), queue.depths(), queue.put(messages(9, 1))):
        with pytest.raises(Unavailable):
            await act
    await asyncio.to_thread(control.start, "kafka")
    await asyncio.to_thread(control.wait, "kafka")
    await when_it_is_back(lambda: consumer.done(out[:2]))
    await when_it_is_back(lambda: consumer.park(out[2], reason="fails"))
    await when_it_is_back(lambda: consumer.done(out[3:]))
    left = await when_it_is_back(lambda: consumer.take(limit=10, wait_s=3))
    assert set(ids(left)) <= {9}  # it may have been accepted after all
    await consumer.done(left)
    (depth,) = await queue.depths()
    assert (depth.waiting, depth.parked) == (0, 1)


async def test_a_successor_knows_what_was_finished_out_of_order_and_which_ids_were(url: str) -> None:
    clock = SetClock()
    queue = await KafkaQueue.open(url, clock=clock)
    await queue.put([Message(lane="fan_out", key=1, id=n, body=b"") for n in range(20)])
    first = queue.consume(["fan_out"])
    out = await take_all(first, 20, within_s=8)
    await first.done(out[1::2])
    assert (await queue.depths())[0].waiting == 10
    await first.close()
    second = queue.consume(["fan_out"])
    again = await take_all(second, 10, within_s=8)
    assert ids(again) == list(range(0, 20, 2))
    await second.done(again)
    await second.close()
    third = queue.consume(["fan_out"])
    await queue.put([Message(lane="fan_out", key=1, id=n, body=b"") for n in range(25)])
    assert ids(await take_all(third, 5, within_s=8)) == list(range(20, 25))
    await queue.close()


async def test_facts_and_what_is_trimmed(queue: KafkaQueue) -> None:
    facts = await queue.facts()
    assert (facts.brokers, facts.replication, facts.min_insync, facts.acks) == (1, 1, 1, "all")
    assert 0 < facts.take_over_s < 10
    await queue.put([Message(lane="fan_out", key=1, id=n, body=b"") for n in range(3000)])
    consumer = queue.consume(["fan_out"])
    await consumer.done(await take_all(consumer, 3000, within_s=10))
    await queue.trim()
    (depth,) = await queue.depths()
    assert (depth.waiting, depth.oldest_ms) == (0, None)
    await consumer.close()
    await queue.put([Message(lane="fan_out", key=1, id=n, body=b"") for n in (2999, 3001)])
    assert ids(await take_all(queue.consume(["fan_out"]), 1, within_s=8)) == [3001]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("kafka://127.0.0.1:9?partitions=0", "from 1 to 256"),
        ("kafka://127.0.0.1:9?colour=red", "must look like"),
        ("kafka://u:mistaken@/", "must look like"),
        ("kafka://u:mistaken@a?sasl=none", "SCRAM"),
        ("kafka://a b", "must look like"),
        ("kafka://a?prefix=ä", "prefix="),
    ],
)
async def test_an_address_that_cannot_be_meant(wrong: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        await KafkaQueue.open(wrong, clock=SystemClock())
    assert "mistaken" not in str(caught.value)


async def test_topics_that_two_make_at_once_can_be_measured_at_once(url: str) -> None:
    async def begin(prefix: str) -> KafkaQueue:
        queue = await KafkaQueue.open(f"{url.partition('?')[0]}?prefix={prefix}", LANES, clock=SystemClock())
        assert [depth.waiting for depth in await queue.depths()] == [0] * len(LANES)
        return queue

    for prefix in "abc":
        for queue in await asyncio.gather(*(begin(f"two.{prefix}") for _ in range(3))):
            await queue.close()


def _never(code: int) -> Callable[[list[str]], dict[str, Future[str]]]:
    """Says the same of all."""

    def refuse(left: list[str]) -> dict[str, Future[str]]:
        answers = {one: Future[str]() for one in left}
        for told in answers.values():
            told.set_exception(KafkaException(KafkaError(code)))
        return answers

    return refuse


@pytest.mark.parametrize("code", [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART])
async def test_what_passes_is_asked_again_for_a_while(url: str, code: int) -> None:
    admin, asked = Admin(read_url(url), Names("x")), list[list[str]]()

    def answer(left: list[str]) -> dict[str, Future[str]]:
        """As Kafka does for a topic that was made a moment ago: a part is there."""
        asked.append(list(left))
        answers = {one: Future[str]() for one in left}
        for one, told in answers.items():
            if one in left[: 2 - len(asked)]:
                told.set_exception(KafkaException(KafkaError(code)))
            else:
                told.set_result(one)
        return answers

    assert await admin._all("abc", answer) == {"a": "a", "b": "b", "c": "c"}
    assert asked == [["a", "b", "c"], ["a"]]
    with pytest.raises(Unavailable):
        await admin._all("abc", _never(code), within_s=0.3)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(KafkaError.TOPIC_AUTHORIZATION_FAILED, ValueError), (KafkaError.POLICY_VIOLATION, Unavailable)],
)
async def test_what_kafka_refuses_is_an_error_of_ours(url: str, code: int, kind: type[Exception]) -> None:
    refuse = _never(code)
    admin = Admin(read_url(url), Names("x"))
    with pytest.raises(kind):
        await admin._all("a", refuse)
    assert await admin._all("a", refuse, nothing=code) == {}


async def test_too_few_brokers(url: str) -> None:
    with pytest.raises(ValueError, match="replication="):
        await KafkaQueue.open(f"{url.partition('?')[0]}?prefix=few&replication=3", ["fan_out"], clock=SystemClock())


async def test_nobody_there() -> None:
    with pytest.raises(Unavailable):
        await KafkaQueue.open("kafka://127.0.0.1:9", clock=SystemClock())
