"""Makers of ids, each with a number that no other living process has.

Where all processes are on one machine the number is a locked byte of a file. Where machines share a store it is leased
to one process at a time.

A lease says until which time ids may carry its number, and a process makes none of that time or later; who takes the
number next makes only later ones. So no id is made twice even where clocks disagree or a process slept through the
end of its lease: it then gets `NumberEnded` until it has a lease again.

Box: store. Source: docs/operate/many-machines.md.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import SystemRandom
from secrets import token_hex
from socket import gethostname

from townsquare.kit.clock import Clock
from townsquare.kit.file_locks import lock_byte
from townsquare.kit.snowflake import WORKERS, NoId, Snowflake
from townsquare.model.errors import Unavailable
from townsquare.store.port import Store
from townsquare.store.tables import LEASES, LeaseRow
from townsquare.store.walk import pages

LEASE_MS = 60_000
RENEW_S = 20.0
_TRY_AGAIN_S = 2.0
_PREFIX = "number/"

log = logging.getLogger(__name__)


@contextmanager
def ids_by_lock(path: Path, clock: Clock) -> Iterator[Callable[[], int]]:
    """A maker of ids whose number is a byte of the file at `path`; its lock is gone with the process.

    Raises: ValueError where all are taken.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for number in _numbers():
            if lock_byte(file, number):
                yield _checked(Snowflake(clock, number))
                return
        raise ValueError(f"All {WORKERS} numbers for processes are taken in {path}.")
    finally:
        os.close(file)


@asynccontextmanager
async def ids_by_lease(store: Store, clock: Clock) -> AsyncIterator[Callable[[], int]]:
    """A maker of ids whose number is leased in the store, and given back at the end. Raises: Unavailable."""
    snowflake = Snowflake(clock, 0)
    lease = LeasedNumber(store, clock, snowflake, owner=f"{gethostname()}:{os.getpid()}:{token_hex(4)}")
    await lease.take()
    renewing = asyncio.create_task(lease.run(), name="number")
    try:
        yield _checked(snowflake)
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])
        await lease.give_back()


def _numbers() -> Iterator[int]:
    """All of them, beginning anywhere so that one is not used again at once."""
    first = SystemRandom().randrange(WORKERS)
    return ((first + n) % WORKERS for n in range(WORKERS))


def _checked(snowflake: Snowflake) -> Callable[[], int]:
    def new_id() -> int:
        try:
            return snowflake()
        except NoId as exc:
            raise Unavailable("Nothing new can be written just now") from exc

    return new_id


class LeasedNumber:
    """A process's number. `run` keeps it."""

    def __init__(self, store: Store, clock: Clock, snowflake: Snowflake, *, owner: str) -> None:
        """`owner` is this process's own among all; `snowflake` is given the number and its time."""
        self._store, self._clock, self._snowflake, self._owner = store, clock, snowflake, owner
        self._held: LeaseRow | None = None

    async def take(self) -> None:
        """Take a free number.

        Raises: Unavailable, also where none is free.
        """
        for number in _numbers():
            wanted, above_ms = self._wanted(lease_name(number)), 0
            there = await self._store.slow_put_if_absent(LEASES, wanted)
            if there is not None:
                if there.until_ms > self._clock.now_ms():
                    continue
                if not await self._store.slow_compare_and_set(LEASES, there, wanted):
                    continue
                above_ms = there.until_ms
            self._held = wanted
            self._snowflake.use(number, above_ms=above_ms, until_ms=wanted.until_ms)
            return
        raise Unavailable(f"All {WORKERS} numbers for processes are taken")

    async def renew(self) -> None:
        """Hold the number for longer; where another process has it by now, take one anew.

        Raises: Unavailable; the number then stays ours until the time that was said before.
        """
        held = self._held
        if held is not None:
            if await self._store.slow_compare_and_set(LEASES, held, wanted := self._wanted(held.name)):
                self._held = wanted
                self._snowflake.extend(wanted.until_ms)
                return None
            there = await self._store.get(LEASES, (held.name,))
            if there is not None and there.owner == self._owner and there != held:
                self._held = there  # an earlier call went through that seemed to fail
                return await self.renew()
            log.error("the number of this process (%s) was given to another; taking a new one", held.name)
            self._held = None
        await self.take()
        return None

    async def run(self) -> None:
        """Renew for ever."""
        pause_s = RENEW_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self.renew()
                pause_s = RENEW_S
            except Unavailable as exc:
                log.warning("the lease of this process's number cannot be renewed: %s", exc)
                pause_s = _TRY_AGAIN_S

    async def give_back(self) -> None:
        """Let others have it at once, above the ids that were made. What cannot be given back ends by itself."""
        held, self._held = self._held, None
        if held is None:
            return
        self._snowflake.extend(0)
        ended = LeaseRow(name=held.name, owner="", until_ms=self._snowflake.last_ms + 1)
        try:
            await self._store.slow_compare_and_set(LEASES, held, ended)
        except Unavailable as exc:
            log.warning("the number of this process could not be given back: %s", exc)

    def _wanted(self, name: str) -> LeaseRow:
        # Also where the clock was set back: what was made stays below.
        until_ms = max(self._clock.now_ms() + LEASE_MS, self._snowflake.last_ms + 1)
        return LeaseRow(name=name, owner=self._owner, until_ms=until_ms)


def lease_name(number: int) -> str:
    """The name of a number's lease."""
    return f"{_PREFIX}{number}"


async def holders(store: Store, *, now_ms: int) -> list[str]:
    """Who holds numbers at that time, which is every process that has the store open."""
    found: list[str] = []
    async for rows in pages(store, LEASES):
        found += [row.owner for row in rows if row.name.startswith(_PREFIX) and row.owner and row.until_ms > now_ms]
    return found
