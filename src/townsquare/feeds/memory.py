"""Home timelines in this process.

Box: feeds.
"""

from collections.abc import Iterable, Sequence

from townsquare.feeds.port import RING_LENGTH, Ids, Page, Reason


class _Ring:
    """Reasons by status id, all above the floor."""

    def __init__(self) -> None:
        self.entries: dict[int, int] = {}
        self.floor = 0

    def add(self, entries: Iterable[tuple[int, int]]) -> None:
        for status_id, reason in entries:
            if status_id > self.floor:
                self.entries.setdefault(status_id, reason)
        if (excess := len(self.entries) - RING_LENGTH) > 0:
            for status_id in sorted(self.entries)[:excess]:
                del self.entries[status_id]
                self.floor = status_id


class MemoryFeeds:
    """Feeds as sets."""

    def __init__(self) -> None:
        self._rings: dict[int, _Ring] = {}

    async def push(self, accounts: Ids, status_id: int, reason: Reason) -> int:
        rings = [ring for account in set(accounts.tolist()) if (ring := self._rings.get(account))]
        for ring in rings:
            ring.add([(status_id, int(reason))])
        return len(rings)

    async def read(
        self, account: int, *, below: int | None = None, above: int | None = None, limit: int = RING_LENGTH
    ) -> Page | None:
        ring = self._rings.get(account)
        if ring is None:
            return None
        ids = sorted(ring.entries, reverse=True)
        if below is not None:
            ids = [status_id for status_id in ids if status_id < below]
        if above is not None:
            ids = [status_id for status_id in ids if status_id > above]
        ids = ids[: max(limit, 0)]
        return Page(ids, [ring.entries[status_id] for status_id in ids], ring.floor)

    async def fill(self, account: int, ids: Sequence[int], reasons: Sequence[int], *, floor: int) -> None:
        ring = self._rings.setdefault(account, _Ring())
        # A full ring may have lost what came after `ids` were read: then its own floor stands.
        ring.floor = max(floor, ring.floor) if len(ring.entries) == RING_LENGTH else floor
        ring.entries = {key: value for key, value in ring.entries.items() if key > ring.floor}
        ring.add(zip(ids, reasons, strict=True))

    async def merge(self, account: int, ids: Sequence[int], reason: Reason) -> None:
        ring = self._rings.get(account)
        if ring is not None:
            ring.add((status_id, int(reason)) for status_id in ids)

    async def drop(self, accounts: Sequence[int]) -> None:
        for account in accounts:
            self._rings.pop(account, None)

    async def has(self, account: int) -> bool:
        return account in self._rings

    async def close(self) -> None:
        self._rings.clear()
