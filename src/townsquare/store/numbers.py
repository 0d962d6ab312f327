"""Numbers for the makers of ids where several machines share a store: each is leased to one process at a time.

A lease says until which time ids may carry its number, and a process makes none of that time or later; who takes the
number next makes only later ones. So no id is made twice even where clocks disagree or a process slept through the
end of its lease: it then gets `NumberEnded` until it has a lease again.

Box: store. Source: docs/operate/many-machines.md.
"""

import asyncio
import logging
from random import SystemRandom

from townsquare.kit.clock import Clock
from townsquare.kit.snowflake import WORKERS, Snowflake
from townsquare.model.errors import Unavailable
from townsquare.store.port import Store
from townsquare.store.tables import LEASES, LeaseRow
from townsquare.store.walk import pages

LEASE_MS = 60_000
RENEW_S = 20.0
_TRY_AGAIN_S = 2.0
_PREFIX = "number/"

log = logging.getLogger(__name__)


class LeasedNumber:
    """A process's number. `run` keeps it."""

    def __init__(self, store: Store, clock: Clock, snowflake: Snowflake, *, owner: str) -> None:
        """`owner` is this process's own among all; `snowflake` is given the number and its time."""
        self._store, self._clock, self._snowflake, self._owner = store, clock, snowflake, owner
        self._held: LeaseRow | None = None

    async def take(self) -> None:
        """Take a free number, beginning anywhere so that one is not used again at once.

        Raises: Unavailable, also where none is free.
        """
        first = SystemRandom().randrange(WORKERS)
        for n in range(WORKERS):
            number = (first + n) % WORKERS
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
