"""One partition of Kafka in a consumer's hands: what a successor learns from what was committed."""

import random

import pytest

pytest.importorskip("confluent_kafka")

from townsquare.kit.clock import SetClock
from townsquare.queue.kafka_held import Held
from townsquare.queue.kafka_partition import MOST_TEXT, WINDOW, Partition, unfinished
from townsquare.queue.kafka_records import Envelope, Names, decode, encode, partition_of
from townsquare.queue.port import Message


def envelope(number: int, *, turn: int = 0, put_ms: int = 0) -> Envelope:
    return Envelope(message=Message(lane="mail", key=1, id=number, body=b"b"), put_ms=put_ms, turn=turn)


def held(start: int = 0, text: str = "", *, until: int = 10) -> Partition:
    partition = Partition("t", 0, start=start, text=text, owner="me")
    for offset in range(until):
        partition.read(offset, envelope(offset), 0)
    return partition


def given(partition: Partition) -> list[tuple[int, int]]:
    """(offset, cuts) of all that is to be given."""
    found = []
    while partition.buffered:
        offset, _, cuts = partition.give()
        found.append((offset, cuts))
    return found


def test_what_is_finished_in_any_order_is_not_given_to_a_successor() -> None:
    first = held()
    given(first)
    for offset in (0, 1, 5, 7):
        first.finish(offset, 0)
    first.hand_back()
    start, text = first.tell()
    assert start == 2
    assert unfinished(text, start=start, end=10) == (6, 2)
    assert given(held(start, text)) == [(offset, 0) for offset in (2, 3, 4, 6, 8, 9)]


def test_each_death_is_counted_for_what_was_out() -> None:
    first = held()
    for _ in range(3):
        first.give()
    second = held(*first.tell())
    assert given(second) == [(offset, 1 if offset < 3 else 0) for offset in range(10)]
    third = held(*second.tell())
    assert given(third) == [(offset, 2 if offset < 3 else 1) for offset in range(10)]
    assert third.finish(0, 0) is not None
    assert third.finish(0, 0) is None


def test_a_repeat_is_dropped_but_not_another_turn() -> None:
    partition = held(until=3)
    assert not partition.read(3, envelope(1), 0)
    assert partition.read(4, envelope(1, turn=1), 0)
    given(partition)
    for offset in (0, 1, 2, 4):
        partition.finish(offset, 0)
    assert partition.start == 5
    assert not partition.read(5, envelope(2), 599_000)
    assert partition.read(6, envelope(2), 1_300_000)


def test_what_is_gone_from_the_log_is_not_waited_for() -> None:
    partition = Partition("t", 0, start=5, text="")
    assert partition.read(100, envelope(1), 0)
    assert partition.read(103, envelope(2), 0)
    given(partition)
    partition.finish(100, 0)
    assert partition.start == 103


def test_the_text_stays_within_its_limit() -> None:
    partition = held(until=WINDOW)
    assert partition.is_full
    given(partition)
    dice = random.Random(1)
    for offset in range(1, WINDOW):
        if dice.random() < 0.5:
            partition.finish(offset, 0)
    start, text = partition.tell()
    assert start == 0
    assert len(text) <= MOST_TEXT
    assert unfinished(text, start=0, end=WINDOW)[0] == len(partition.out)


def test_untouched_is_what_was_told_last_or_may_have_been() -> None:
    partition = held()
    partition.give()
    first = partition.tell()
    partition.kept(first)
    partition.give()
    second = partition.tell()
    partition.kept(None)
    assert partition.changed
    assert partition.is_untouched(*first)
    assert partition.is_untouched(*second)
    partition.kept(second)
    assert not partition.is_untouched(*first)
    assert not partition.is_untouched(0, "")


@pytest.mark.parametrize("told", [True, False], ids=["on its way", "not told"])
def test_what_was_done_before_a_partition_was_lost_and_came_back_is_no_cut(told: bool) -> None:
    held = Held(Names("x"), SetClock())
    place = (Names("x").lane("mail"), 0)
    held.add(place, start=0, text="")
    (partition,) = held.at([place])
    held.read([(*place, 0, encode(envelope(0), stamp=1))])
    held.give(1)
    out = partition.tell()
    partition.kept(out)
    partition.finish(0, 0)
    if told:
        partition.tell()
    held.drop([place])
    held.add(place, start=out[0], text=out[1])
    held.read([(*place, 0, encode(envelope(0), stamp=1))])
    assert held.at([place]) == [partition]
    assert held.give(1) == []


def test_a_text_of_another_version_gives_all_again() -> None:
    assert given(held(0, "?")) == [(offset, 0) for offset in range(10)]


def test_records_come_back_as_they_were() -> None:
    odd = Envelope(
        message=Message(lane="mail", key=-(2**63), id=2**63 - 1, body=b"\0"), put_ms=3, tries=4, cuts=1, turn=9
    )
    back = decode("mail", encode(odd, stamp=7))
    assert (back.message, back.stamp, back.put_ms, back.tries, back.cuts, back.turn) == (odd.message, 7, 3, 4, 1, 9)
    with pytest.raises(ValueError, match="version"):
        decode("mail", b"\2" + bytes(80))
    assert {partition_of(key, 16) for key in range(-200, 200)} == set(range(16))
