"""The bus over Redis: several members, lost connections, gaps.

Suite: streaming.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.own_servers import OwnRedis, until_true
from townsquare.model.errors import Unavailable
from townsquare.streaming.redis import RedisStreaming

pytestmark = pytest.mark.slow  # starts servers

DEADLINE_S = 20
Join = Callable[[], Awaitable["Member"]]


class Member:
    """A bus whose messages and gaps can be waited for."""

    def __init__(self, own: OwnRedis) -> None:
        self.bus = RedisStreaming(own.address)
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.gaps: asyncio.Queue[None] = asyncio.Queue()
        self.bus.listen("t", lambda _, payload: self.heard.put_nowait(payload))
        self.bus.on_gap(lambda: self.gaps.put_nowait(None))

    async def next(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.heard.get()

    async def gap(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.gaps.get()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    server.start()
    yield server
    server.close()


@pytest.fixture
async def join(own: OwnRedis) -> AsyncIterator[Join]:
    members: list[Member] = []

    async def joined() -> Member:
        member = Member(own)
        await member.bus.start()
        members.append(member)
        return member

    yield joined
    for member in members:
        await member.bus.close()


async def test_messages_reach_all_members_in_order_and_each_once(join: Join) -> None:
    ann, ben, cid = await join(), await join(), await join()
    sent = [str(n).encode() for n in range(500)]
    for payload in sent:
        ann.bus.publish("t", payload)
    for member in (ann, ben, cid):
        assert [await member.next() for _ in sent] == sent
        assert member.gaps.empty()
    ben.bus.publish("t", b"from ben")
    assert [await member.next() for member in (ann, ben, cid)] == [b"from ben"] * 3


async def test_large_messages_pass(join: Join) -> None:
    ann, ben = await join(), await join()
    for _ in range(8):
        ann.bus.publish("t", b"x" * 256 * 1024)
    assert [len(await ben.next()) for _ in range(8)] == [256 * 1024] * 8
    assert ben.gaps.empty()


async def test_one_who_leaves_has_sent_all_and_is_no_gap(join: Join) -> None:
    ann, ben = await join(), await join()
    ben.bus.publish("t", b"last words")
    await ben.bus.close()
    assert await ann.next() == b"last words"
    assert ann.gaps.empty()


async def test_a_bus_that_is_not_there_cannot_be_joined(own: OwnRedis) -> None:
    own.kill()
    member = Member(own)
    with pytest.raises(Unavailable):
        await member.bus.start()
    await member.bus.close()


async def test_a_restart_is_a_gap_and_then_all_hear_again(join: Join, own: OwnRedis) -> None:
    ann, ben = await join(), await join()
    own.kill()
    for member in (ann, ben):
        await member.gap()
        assert not member.bus.hears()
    ann.bus.publish("t", b"nobody else hears this")
    assert await ann.next() == b"nobody else hears this"
    own.start()
    for member in (ann, ben):
        await member.gap()
        await until_true(member.bus.hears)
    ann.bus.publish("t", b"again")
    assert [await ann.next(), await ben.next()] == [b"again"] * 2


async def test_one_who_could_not_send_is_a_gap_for_the_others(join: Join, own: OwnRedis) -> None:
    ann, ben = await join(), await join()
    own.says(b"CLIENT KILL ID " + _number_of(own, 0))
    await ann.gap()
    ann.bus.publish("t", b"lost")
    await ann.gap()
    await ben.gap()
    assert ben.heard.empty()


async def test_a_redis_that_stands_still_is_noticed(join: Join, own: OwnRedis) -> None:
    ann = await join()
    own.stand_still()
    await ann.gap()
    assert not ann.bus.hears()
    own.go_on()
    await until_true(ann.bus.hears)


def _number_of(own: OwnRedis, n: int) -> bytes:
    """The number that Redis gave the n-th client."""
    told = own.says(b"CLIENT LIST TYPE pubsub")
    lines = [line for line in told.splitlines() if line.startswith(b"id=")]
    return lines[n].split()[0].removeprefix(b"id=")
