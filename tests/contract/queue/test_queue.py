"""What every queue promises."""

import asyncio
from collections.abc import Sequence

import pytest

from townsquare.kit.clock import SetClock
from townsquare.queue.port import Consumer, Delivery, Message, Queue

SOON_S = 8.0  # the longest a test waits for what must come
NOW_S = 0.05  # how long a test waits for what must not come


def message(number: int, *, key: int | None = None, lane: str = "fan_out") -> Message:
    return Message(lane=lane, key=number if key is None else key, id=number, body=b"body %d" % number)


def numbers(deliveries: Sequence[Delivery]) -> list[int]:
    return [delivery.message.id for delivery in deliveries]


async def take_all(consumer: Consumer, count: int) -> list[Delivery]:
    found = list[Delivery]()
    async with asyncio.timeout(SOON_S):
        while len(found) < count:
            found += await consumer.take(limit=count, wait_s=0.2)
    return found


async def test_a_message_comes_whole_and_once(queue: Queue) -> None:
    await queue.put([message(7, key=3)])
    consumer = queue.consume(["fan_out"])
    (delivery,) = await take_all(consumer, 1)
    assert delivery.message == message(7, key=3)
    assert delivery.tries == 1
    await consumer.done([delivery])
    assert await consumer.take(limit=10, wait_s=NOW_S) == []


async def test_a_message_is_not_given_again_while_it_is_out(queue: Queue) -> None:
    await queue.put([message(1), message(2)])
    consumer = queue.consume(["fan_out"])
    assert len(await take_all(consumer, 2)) == 2
    assert await consumer.take(limit=10, wait_s=NOW_S) == []


async def test_oldest_first_over_all_keys(queue: Queue) -> None:
    await queue.put([message(n) for n in range(100, 0, -1)])
    consumer = queue.consume(["fan_out"])
    first = await take_all(consumer, 1)
    assert numbers(first) == [100]
    rest = await consumer.take(limit=60, wait_s=SOON_S)
    assert numbers(rest) == list(range(99, 39, -1))
    await consumer.done(first + rest)
    assert numbers(await consumer.take(limit=60, wait_s=SOON_S)) == list(range(39, 0, -1))


async def test_a_take_waits_for_a_put(queue: Queue) -> None:
    consumer = queue.consume(["fan_out"])
    assert await consumer.take(limit=1, wait_s=0) == []
    taking = asyncio.create_task(consumer.take(limit=1, wait_s=SOON_S))
    await asyncio.sleep(NOW_S)
    await queue.put([message(5)])
    assert numbers(await taking) == [5]


async def test_a_waiting_or_finished_id_is_not_put_twice(queue: Queue, clock: SetClock) -> None:
    await queue.put([message(1), message(1)])
    await queue.put([message(1), message(2)])
    consumer = queue.consume(["fan_out"])
    both = await take_all(consumer, 2)
    assert numbers(both) == [1, 2]
    await queue.put([message(1)])
    await consumer.done(both)
    clock.advance(seconds=300)
    await queue.put([message(1), message(2), message(3)])
    assert numbers(await take_all(consumer, 1)) == [3]


async def test_an_id_belongs_to_its_lane(queue: Queue) -> None:
    await queue.put([message(1), message(1, lane="counts")])
    consumer = queue.consume(["fan_out", "counts"])
    assert {d.message.lane for d in await take_all(consumer, 2)} == {"fan_out", "counts"}


async def test_only_the_lanes_asked_for(queue: Queue) -> None:
    await queue.put([message(1), message(2, lane="mail")])
    consumer = queue.consume(["mail"])
    assert numbers(await take_all(consumer, 1)) == [2]
    assert await consumer.take(limit=9, wait_s=NOW_S) == []


async def test_retry_comes_back_after_its_delay_and_counts(queue: Queue, clock: SetClock) -> None:
    await queue.put([message(1)])
    consumer = queue.consume(["fan_out"])
    (delivery,) = await take_all(consumer, 1)
    await consumer.retry(delivery, delay_s=60)
    clock.advance(seconds=59)
    assert await consumer.take(limit=1, wait_s=NOW_S) == []
    clock.advance(seconds=1)
    (again,) = await take_all(consumer, 1)
    assert (again.message, again.tries) == (message(1), 2)


async def test_retry_that_does_not_count(queue: Queue) -> None:
    await queue.put([message(1)])
    consumer = queue.consume(["fan_out"])
    for _ in range(3):
        (delivery,) = await take_all(consumer, 1)
        assert delivery.tries == 1
        await consumer.retry(delivery, delay_s=0, counts=False)


async def test_a_delayed_message_does_not_hold_up_others(queue: Queue, clock: SetClock) -> None:
    await queue.put([message(1, key=5)])
    consumer = queue.consume(["fan_out"])
    (delivery,) = await take_all(consumer, 1)
    await consumer.retry(delivery, delay_s=60)
    await queue.put([message(2, key=5)])
    assert numbers(await take_all(consumer, 1)) == [2]


async def test_the_id_of_a_delayed_message_is_not_put_twice(queue: Queue, clock: SetClock) -> None:
    await queue.put([message(1)])
    consumer = queue.consume(["fan_out"])
    (delivery,) = await take_all(consumer, 1)
    await consumer.retry(delivery, delay_s=60)
    await queue.put([message(1)])
    assert await consumer.take(limit=1, wait_s=NOW_S) == []
    clock.advance(seconds=60)
    assert numbers(await take_all(consumer, 1)) == [1]
    assert await consumer.take(limit=1, wait_s=NOW_S) == []


async def test_park_redrive_and_discard(queue: Queue, clock: SetClock) -> None:
    await queue.put([message(1), message(2), message(3)])
    consumer = queue.consume(["fan_out"])
    first, second, third = await take_all(consumer, 3)
    await consumer.park(first, reason="cannot be read")
    clock.advance(seconds=1)
    await consumer.park(second, reason="fails")
    await consumer.done([third])
    assert [(p.message, p.tries, p.reason) for p in await queue.parked(limit=9)] == [
        (message(1), 1, "cannot be read"),
        (message(2), 1, "fails"),
    ]
    assert [p.message.id for p in await queue.parked(limit=1)] == [1]
    await queue.put([message(1)])  # held already
    assert await consumer.take(limit=1, wait_s=NOW_S) == []

    assert await queue.redrive("fan_out", 1)
    assert not await queue.redrive("fan_out", 1)
    (again,) = await take_all(consumer, 1)
    assert (again.message, again.tries) == (message(1), 1)

    assert await queue.discard("fan_out", 2)
    assert not await queue.discard("fan_out", 2)
    assert not await queue.discard("mail", 1)
    assert await queue.parked(limit=9) == []


async def test_depths(queue: Queue, clock: SetClock) -> None:
    start_ms = clock.now_ms()
    await queue.put([message(1), message(2), message(3)])
    clock.advance(seconds=5)
    await queue.put([message(4)])
    consumer = queue.consume(["fan_out"])
    first, second, *_ = await take_all(consumer, 4)
    (depth,) = await queue.depths()
    assert (depth.lane, depth.waiting, depth.parked, depth.oldest_ms) == ("fan_out", 4, 0, start_ms)
    await consumer.done([first])
    await consumer.park(second, reason="fails")
    (depth,) = await queue.depths()
    assert (depth.waiting, depth.parked) == (2, 1)


async def test_two_consumers_share_and_keys_keep_to_one(queue: Queue) -> None:
    consumers = [queue.consume(["fan_out"]), queue.consume(["fan_out"])]
    seen = [dict[int, list[int]](), dict[int, list[int]]()]
    at = 0

    async def take_what_is_there() -> int:
        """How many were seen until now."""
        for consumer, mine in zip(consumers, seen, strict=True):
            while found := await consumer.take(limit=64, wait_s=0.02):
                for delivery in found:
                    mine.setdefault(delivery.message.key, []).append(delivery.message.id)
                await consumer.done(found)
        return sum(len(ids) for mine in seen for ids in mine.values())

    async with asyncio.timeout(SOON_S):
        while not all(len(one) > 20 for one in seen):  # until both have their share
            await queue.put([message(at + n, key=n) for n in range(200)])
            at += 200
            await take_what_is_there()
        while await take_what_is_there() < at:
            pass
    assert await take_what_is_there() == at
    for mine in seen:
        assert all(ids == sorted(ids) for ids in mine.values())


async def test_a_partition_changes_hands_only_when_nothing_of_it_is_out(queue: Queue) -> None:
    first = queue.consume(["fan_out"])
    await queue.put([message(n, key=n) for n in range(64)])
    out = await take_all(first, 64)
    second = queue.consume(["fan_out"])
    await queue.put([message(100 + n, key=n) for n in range(64)])
    assert await second.take(limit=64, wait_s=0.3) == []
    await first.done(out)
    moved = await second.take(limit=64, wait_s=SOON_S)
    assert 0 < len(moved) < 64


async def test_close_gives_what_is_out_to_others(queue: Queue) -> None:
    first = queue.consume(["fan_out"])
    await queue.put([message(n) for n in range(20)])
    assert len(await take_all(first, 20)) == 20
    await first.close()
    assert await first.take(limit=1, wait_s=0) == []
    second = queue.consume(["fan_out"])
    again = await take_all(second, 20)
    assert numbers(again) == list(range(20))
    assert {delivery.tries for delivery in again} == {1}


async def test_a_cancelled_take_loses_nothing(queue: Queue) -> None:
    consumer = queue.consume(["fan_out"])
    assert await consumer.take(limit=1, wait_s=0) == []
    taking = asyncio.create_task(consumer.take(limit=10, wait_s=SOON_S))
    await asyncio.sleep(0)
    await queue.put([message(1)])
    taking.cancel()
    await asyncio.wait([taking])
    found = [] if taking.cancelled() else taking.result()  # where a put takes longer, it had come by then
    assert numbers(found or await take_all(consumer, 1)) == [1]


async def test_a_body_over_the_limit_is_refused(queue: Queue) -> None:
    with pytest.raises(ValueError, match="256 KiB"):
        await queue.put([message(2), Message(lane="mail", key=1, id=1, body=bytes(256 * 1024 + 1))])
    assert all(depth.waiting == 0 for depth in await queue.depths())


async def test_negative_and_large_numbers(queue: Queue) -> None:
    odd = Message(lane="mail", key=-(2**63), id=2**63 - 1, body=b"")
    await queue.put([odd])
    (delivery,) = await take_all(queue.consume(["mail"]), 1)
    assert delivery.message == odd
