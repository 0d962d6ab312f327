"""Ids are above each other and never the same, also where numbers change hands and clocks are wrong."""

import pytest

from townsquare.kit.clock import SetClock
from townsquare.kit.snowflake import ClockWentBack, NumberEnded, Snowflake, ms_of


def test_ids_rise_while_the_clock_stands_or_steps_back_a_little() -> None:
    clock = SetClock()
    new_id = Snowflake(clock, 7)
    ids = [new_id() for _ in range(40)]
    clock.advance(seconds=-4)
    ids += [new_id() for _ in range(40)]
    assert ids == sorted(set(ids))
    clock.advance(seconds=-2)
    with pytest.raises(ClockWentBack):
        new_id()
    clock.advance(seconds=7)
    assert new_id() > ids[-1]


def test_a_number_that_ended_makes_no_id_until_it_is_extended() -> None:
    clock = SetClock()
    new_id = Snowflake(clock, 0)
    new_id.use(3, above_ms=0, until_ms=clock.ms + 1000)
    first = new_id()
    clock.advance(seconds=1)
    with pytest.raises(NumberEnded):
        new_id()
    new_id.extend(clock.ms + 1)
    assert new_id() > first


def test_two_holders_of_a_number_never_meet_whatever_their_clocks_say() -> None:
    slow, fast = SetClock(), SetClock()
    fast.advance(seconds=100)
    until = slow.ms + 60_000
    before, after = Snowflake(slow, 0), Snowflake(fast, 0)
    before.use(5, above_ms=0, until_ms=until)
    after.use(5, above_ms=until, until_ms=until + 60_000)
    fast.ms = until - 2_000  # it was set back meanwhile
    late = [after() for _ in range(50)]
    slow.ms = until - 1
    early = [before() for _ in range(16)]
    with pytest.raises(NumberEnded):
        before()
    assert max(map(ms_of, early)) < until < min(map(ms_of, late))


def test_a_new_number_goes_on_above_the_old_one() -> None:
    clock = SetClock()
    new_id = Snowflake(clock, 900)
    before = [new_id() for _ in range(5)]
    new_id.use(2, above_ms=0, until_ms=clock.ms + 1000)
    assert new_id() > before[-1]
