"""Whether a process should be given work, and what of its engines answers, for balancers and operators.

Only the store decides: without it nothing can be answered. The queue, the feeds and the bus may be away: posts are
accepted and pages made all the same, and a balancer that took all processes out for it would end the service.

Box: social.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from townsquare.model.errors import TownsquareError, Unavailable
from townsquare.social.ports import Ports
from townsquare.store.tables import SETTINGS

CHECK_WITHIN_S = 1.0
KEPT_MS = 2_000  # how old an answer about the engines beside the store may be

log = logging.getLogger(__name__)
_ENCODER = msgspec.json.Encoder()


class Look(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was found of one engine."""

    answers: bool = msgspec.field(name="ok")
    waiting: int = 0  # tasks, of the queue
    parked: int = 0
    oldest_s: float = 0.0  # how long the first of them waits


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How a process is."""

    ready: bool
    stopping: bool
    checks: dict[str, Look]

    def json(self) -> bytes:
        """As it is shown. It names engines and no addresses, as anybody may see it."""
        return _ENCODER.encode(self)


class Readiness:
    """One process's answer to those who ask whether it should be given work."""

    def __init__(self, ports: Ports) -> None:
        self._ports, self._stopping = ports, False
        self._others: dict[str, Look] = {}
        self._looked_ms = 0

    def stop(self) -> None:
        """From now on: no."""
        self._stopping = True

    async def report(self) -> Report:
        """Look. Cost: a read of the store; the others are asked at most once in `KEPT_MS`."""
        store, _ = await asyncio.gather(_look(self._store), self._look_at_others())
        return Report(
            ready=store.answers and not self._stopping,
            stopping=self._stopping,
            checks={"store": store, **self._others},
        )

    async def _look_at_others(self) -> None:
        now_ms = self._ports.clock.now_ms()
        if 0 <= now_ms - self._looked_ms < KEPT_MS:
            return
        self._looked_ms = now_ms
        looks = {"queue": self._queue, "feeds": self._feeds, "streaming": self._streaming}
        found = await asyncio.gather(*(_look(look) for look in looks.values()))
        self._others = dict(zip(looks, found, strict=True))
        if away := [name for name, look in self._others.items() if not look.answers]:
            log.warning("no answer from %s", ", ".join(away))

    async def _store(self) -> Look:
        await self._ports.store.get(SETTINGS, ("ready",))
        return Look(answers=True)

    async def _queue(self) -> Look:
        depths = await self._ports.queue.depths()
        since = [depth.oldest_ms for depth in depths if depth.oldest_ms is not None]
        age_ms = max(0, self._ports.clock.now_ms() - min(since)) if since else 0
        return Look(
            answers=True,
            waiting=sum(depth.waiting for depth in depths),
            parked=sum(depth.parked for depth in depths),
            oldest_s=age_ms / 1000,
        )

    async def _feeds(self) -> Look:
        await self._ports.feeds.has(0)
        return Look(answers=True)

    async def _streaming(self) -> Look:
        if not self._ports.streaming.hears():
            raise Unavailable("The bus is not heard")
        return Look(answers=True)


async def _look(look: Callable[[], Awaitable[Look]]) -> Look:
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            return await look()
    except (TownsquareError, TimeoutError) as exc:
        log.debug("no answer: %s", exc)
        return Look(answers=False)
