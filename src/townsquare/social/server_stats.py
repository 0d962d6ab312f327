"""How many people, statuses and active accounts the server has: counted now and then, kept as one row.

Box: social. Source: Mastodon API, /methods/instance/#activity
"""

import heapq

import msgspec

from townsquare.model.account import Account, AccountStats
from townsquare.social.ports import Ports
from townsquare.social.server_values import read_value, write_value
from townsquare.store.tables import ACCOUNT_STATS, ACCOUNTS
from townsquare.store.walk import pages

WEEKS = 12
DIRECTORY_SIZE = 400  # accounts kept for each order of the directory
_STATS, _DIRECTORY = "stats", "directory"
_WEEK_MS, _MONTH_MS, _HALF_YEAR_MS = 7 * 86_400_000, 30 * 86_400_000, 180 * 86_400_000
_MONDAY_MS = 4 * 86_400_000  # 5 January 1970


class Week(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One week, from Monday."""

    start_ms: int
    statuses: int = 0
    active: int = 0  # accounts that posted
    registrations: int = 0
    statuses_before: int = 0  # all that there were when the week was first counted


class ServerStats(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Totals of local accounts. `weeks`: the newest first."""

    users: int = 0
    statuses: int = 0
    active_month: int = 0
    active_half_year: int = 0
    weeks: tuple[Week, ...] = ()
    counted_ms: int = 0


class Directory(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Accounts that want to be found, by last status and by age, the newest first."""

    active: tuple[int, ...] = ()
    new: tuple[int, ...] = ()


_STATS_DECODER = msgspec.msgpack.Decoder(ServerStats)
_DIRECTORY_DECODER = msgspec.msgpack.Decoder(Directory)


class _Tally:
    """What is summed up while walking over all accounts."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms, self.week_ms = now_ms, week_of(now_ms)
        self.users = self.statuses = self.active_week = self.active_month = self.active_half_year = 0
        self.registrations: dict[int, int] = {}
        self._active: list[tuple[int, int]] = []
        self._new: list[tuple[int, int]] = []

    def add(self, account: Account, stats: AccountStats) -> None:
        """Take one local account into the sums."""
        self.users += 1
        self.statuses += stats.statuses
        last_ms = stats.last_status_ms
        self.active_week += last_ms >= self.week_ms
        self.active_month += last_ms > self.now_ms - _MONTH_MS
        self.active_half_year += last_ms > self.now_ms - _HALF_YEAR_MS
        week_ms = week_of(account.created_ms)
        self.registrations[week_ms] = self.registrations.get(week_ms, 0) + 1
        if account.discoverable and not account.limited:
            _keep(self._new, (account.created_ms, account.account_id))
            if last_ms:
                _keep(self._active, (last_ms, account.account_id))

    def directory(self) -> Directory:
        """Those who want to be found."""
        return Directory(active=_ids(self._active), new=_ids(self._new))


async def recount(ports: Ports) -> ServerStats:
    """Count everything anew and keep the sums. Cost: a walk over all accounts, so the scheduler runs it."""
    tally = _Tally(ports.clock.now_ms())
    async for accounts in pages(ports.store, ACCOUNTS):
        local = [each for each in accounts if not each.domain and not each.is_gone]
        stats = await ports.store.get_many(ACCOUNT_STATS, [(each.account_id,) for each in local])
        for account, row in zip(local, stats, strict=True):
            tally.add(account, row or AccountStats(account_id=account.account_id))
    summed = _sums(tally, await read_stats(ports))
    await write_value(ports, _DIRECTORY, msgspec.msgpack.encode(tally.directory()))
    await write_value(ports, _STATS, msgspec.msgpack.encode(summed))
    return summed


async def read_stats(ports: Ports) -> ServerStats:
    """The sums as they were last counted. Cost: none where this process knows them."""
    value = await read_value(ports, _STATS)
    return _STATS_DECODER.decode(value) if value else ServerStats()


async def read_directory(ports: Ports) -> Directory:
    """Who wants to be found, as last looked up. Cost: none where this process knows it."""
    value = await read_value(ports, _DIRECTORY)
    return _DIRECTORY_DECODER.decode(value) if value else Directory()


def week_of(ms: int) -> int:
    """The Monday, midnight UTC, at which the week of a time began."""
    return ms - (ms - _MONDAY_MS) % _WEEK_MS


def _sums(tally: _Tally, before: ServerStats) -> ServerStats:
    known = {week.start_ms: week for week in before.weeks}
    weeks = []
    for n in range(WEEKS):
        start_ms = tally.week_ms - n * _WEEK_MS
        week = known.get(start_ms) or Week(start_ms=start_ms, statuses_before=before.statuses)
        if n == 0:
            statuses = max(0, tally.statuses - week.statuses_before)
            week = msgspec.structs.replace(week, statuses=statuses, active=tally.active_week)
        weeks.append(msgspec.structs.replace(week, registrations=tally.registrations.get(start_ms, 0)))
    return ServerStats(
        users=tally.users,
        statuses=tally.statuses,
        active_month=tally.active_month,
        active_half_year=tally.active_half_year,
        weeks=tuple(weeks),
        counted_ms=tally.now_ms,
    )


def _keep(heap: list[tuple[int, int]], item: tuple[int, int]) -> None:
    if len(heap) < DIRECTORY_SIZE:
        heapq.heappush(heap, item)
    else:
        heapq.heappushpop(heap, item)


def _ids(heap: list[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(account_id for _, account_id in sorted(heap, reverse=True))
