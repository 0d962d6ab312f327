"""Numbers of processes under leases, and the version a store carries, over every store.

Suite: store.
"""

from collections.abc import AsyncIterator

import pytest

from tests.contract.engines import STORES, open_store
from townsquare.kit.clock import SetClock
from townsquare.kit.snowflake import NumberEnded, Snowflake
from townsquare.store.numbers import LEASE_MS, LeasedNumber, lease_name
from townsquare.store.port import Put, Store
from townsquare.store.tables import LEASES, SETTINGS, LeaseRow, SettingRow
from townsquare.store.versions import VERSION, WrongVersion, check_version


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Store]:
    async with open_store(request.param, (LEASES, SETTINGS), clock) as opened:
        yield opened


class Process:
    """One that makes ids."""

    def __init__(self, store: Store, clock: SetClock, owner: str) -> None:
        self.new_id = Snowflake(clock, 0)
        self.lease = LeasedNumber(store, clock, self.new_id, owner=owner)

    @property
    def number(self) -> int:
        return self.new_id() >> 4 & 0xFFF


async def test_processes_have_numbers_of_their_own(store: Store, clock: SetClock) -> None:
    processes = [Process(store, clock, f"process {n}") for n in range(8)]
    for each in processes:
        await each.lease.take()
    assert len({each.number for each in processes}) == 8


async def test_a_number_is_kept_while_it_is_renewed(store: Store, clock: SetClock) -> None:
    process = Process(store, clock, "a")
    await process.lease.take()
    number = process.number
    for _ in range(5):
        clock.advance(seconds=20)
        await process.lease.renew()
        assert process.number == number


async def test_who_sleeps_through_his_lease_makes_no_id_and_then_has_another_number(
    store: Store, clock: SetClock
) -> None:
    sleeper = Process(store, clock, "sleeper")
    await sleeper.lease.take()
    number, before = sleeper.number, sleeper.new_id()
    clock.advance(seconds=LEASE_MS / 1000)
    with pytest.raises(NumberEnded):
        sleeper.new_id()
    there = await store.get(LEASES, (lease_name(number),))
    assert there is not None
    taken = LeaseRow(name=there.name, owner="other", until_ms=clock.ms + LEASE_MS)
    assert await store.slow_compare_and_set(LEASES, there, taken)
    await sleeper.lease.renew()
    assert sleeper.number != number
    assert sleeper.new_id() > before


async def test_a_renewal_that_only_seemed_to_fail_is_known_again(store: Store, clock: SetClock) -> None:
    process = Process(store, clock, "a")
    await process.lease.take()
    number = process.number
    held = await store.get(LEASES, (lease_name(number),))
    assert held is not None
    went_through = LeaseRow(name=held.name, owner="a", until_ms=held.until_ms + 5)
    assert await store.slow_compare_and_set(LEASES, held, went_through)
    await process.lease.renew()
    assert process.number == number


async def test_a_number_that_was_given_back_goes_on_above(store: Store, clock: SetClock) -> None:
    process = Process(store, clock, "a")
    await process.lease.take()
    number, last = process.number, process.new_id.last_ms
    await process.lease.give_back()
    with pytest.raises(NumberEnded):
        process.new_id()
    row = await store.get(LEASES, (lease_name(number),))
    assert row is not None
    assert last < row.until_ms <= clock.ms + 200


async def test_a_store_is_marked_once_and_others_versions_are_refused(store: Store) -> None:
    await check_version(store)
    assert await store.get(SETTINGS, ("schema",)) == SettingRow(name="schema", value=b"%d" % VERSION)
    await check_version(store)
    for value, sentence in ((b"999", "version 999 .* run the version that made it"), (b"0", "reads none older")):
        await store.write([Put(SETTINGS, SettingRow(name="schema", value=value))])
        with pytest.raises(WrongVersion, match=sentence):
            await check_version(store)
