"""Facts made again from the store, for all kinds that it knows: when the analytics were lost or are kept otherwise now.

Box: social. Without a time to begin at, they go into a new place, which takes over what the store does not know and is
then asked instead of the old one; the workers tell both meanwhile. A rebuild that is cut off goes on where it was.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from townsquare.analytics.port import Analytics
from townsquare.kit.snowflake import first_id_at
from townsquare.model.facts import KINDS, Fact
from townsquare.social.facts import follow_fact, reaction_facts, sign_up_fact, status_facts
from townsquare.social.ports import Ports
from townsquare.social.tag_accounts import tag_accounts
from townsquare.store.port import Delete, Put, Store, Table
from townsquare.store.statuses import get_statuses
from townsquare.store.tables import (
    ACCOUNTS,
    AUTHOR_LOG,
    FOLLOWERS,
    REACTIONS,
    SETTINGS,
    USERS,
    FollowerRow,
    LogRow,
    ReactionRow,
    SettingRow,
)
from townsquare.store.walk import stamped_pages

Say = Callable[[str, int], None]  # a table, and how many facts there are by now

PROGRESS = "facts_rebuild"  # in `settings`
_WALKED: tuple[Table[Any], ...] = (ACCOUNTS, AUTHOR_LOG, REACTIONS, FOLLOWERS)
_AT_ONCE = 5_000  # facts of one call
_MOST_KNOWN = 200_000  # accounts of which it is remembered whether they are gone


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rebuild has come."""

    since_ms: int  # 0: all, into a new place
    begun_ms: int
    table: int = 0  # of those that are walked
    after: bytes = b""
    facts: int = 0


_DECODER = msgspec.msgpack.Decoder(Progress)


async def read_progress(store: Store) -> Progress | None:
    """The rebuild that is under way, if one is."""
    row = await store.get(SETTINGS, (PROGRESS,))
    return _DECODER.decode(row.value) if row is not None else None


async def places(ports: Ports) -> list[Analytics]:
    """Where facts are told: the analytics, and the new place while one is filled."""
    progress = await read_progress(ports.store)
    if progress is None or progress.since_ms:
        return [ports.analytics]
    return [ports.analytics, await ports.analytics.renew(go_on=True)]


async def rebuild(ports: Ports, *, since_ms: int = 0, say: Say) -> Progress:
    """Make the facts of `since_ms` and later again; 0: all, into a new place. Safe to repeat after any error.

    Raises: Unavailable.
    """
    work = _Rebuild(ports, say)
    await work.begin(since_ms)
    await work.walk()
    return await work.end()


class _Rebuild:
    """One run of a rebuild."""

    def __init__(self, ports: Ports, say: Say) -> None:
        self._ports, self._say, self._to = ports, say, ports.analytics
        self._progress = Progress(since_ms=0, begun_ms=0)
        self._gone: dict[int, bool] = {}
        self._facts: list[Fact] = []

    async def begin(self, since_ms: int) -> None:
        """Go on with what was begun with the same `since_ms`, or begin."""
        found = await read_progress(self._ports.store)
        fresh = Progress(since_ms=since_ms, begun_ms=self._ports.clock.now_ms())
        goes_on = found is not None and found.since_ms == since_ms
        if not since_ms:
            self._to = await self._ports.analytics.renew(go_on=goes_on)
            if goes_on and found is not None and found.facts:
                goes_on = (await self._to.coverage()).facts > 0  # else the new place is lost
        self._progress = found if goes_on and found is not None else fresh
        await self._keep()

    async def walk(self) -> None:
        """All tables from where it was."""
        makers = (self._sign_ups, self._statuses, self._reactions, self._follows)
        for number in range(self._progress.table, len(_WALKED)):
            table, make = _WALKED[number], makers[number]
            async for page, after in stamped_pages(self._ports.store, table, self._progress.after):
                rows: Any = [each.row for each in page if each.row is not None]
                if rows:
                    self._facts += await self._wanted(await make(rows))
                if len(self._facts) >= _AT_ONCE or not after:
                    await self._put()
                    self._progress = msgspec.structs.replace(self._progress, after=after)
                    await self._keep()
                self._say(table.name, self._progress.facts + len(self._facts))
            self._progress = msgspec.structs.replace(self._progress, table=number + 1, after=b"")
            await self._keep()

    async def end(self) -> Progress:
        """Have the new place asked from now on."""
        if not self._progress.since_ms:
            kept = [name for name, kind in KINDS.items() if not kind.rebuilt]
            await self._to.adopt(kept, self._progress.begun_ms)
        await self._ports.store.write([Delete(SETTINGS, (PROGRESS,))])
        return self._progress

    async def _put(self) -> None:
        facts, self._facts = self._facts, []
        await self._to.put(facts)
        self._progress = msgspec.structs.replace(self._progress, facts=self._progress.facts + len(facts))

    async def _keep(self) -> None:
        row = SettingRow(name=PROGRESS, value=msgspec.msgpack.encode(self._progress))
        await self._ports.store.write([Put(SETTINGS, row)])

    # What the rows tell -----------------------------------------------------------------------------------------------

    async def _sign_ups(self, rows: Sequence[Any]) -> list[Fact]:
        users = await self._ports.store.get_many(USERS, [(row.account_id,) for row in rows])
        return [sign_up_fact(row) for row, user in zip(rows, users, strict=True) if user is not None]

    async def _statuses(self, rows: Sequence[LogRow]) -> list[Fact]:
        lowest = first_id_at(self._progress.since_ms)
        rows = [row for row in rows if row.on and row.counted and row.status_id >= lowest]
        found = await get_statuses(self._ports.store, [row.status_id for row in rows]) if rows else []
        facts = [fact for status in found if status is not None for fact in status_facts(status)]
        return [*facts, *await tag_accounts(self._ports.store, rows)]

    async def _reactions(self, rows: Sequence[ReactionRow]) -> list[Fact]:
        rows = [row for row in rows if row.on and row.at_ms >= self._progress.since_ms]
        found = await get_statuses(self._ports.store, [row.status_id for row in rows]) if rows else []
        return [
            fact
            for row, status in zip(rows, found, strict=True)
            for fact in reaction_facts(row.kind, row.account_id, row.at_ms, status)
        ]

    async def _follows(self, rows: Sequence[FollowerRow]) -> list[Fact]:
        return [follow_fact(row.follower, row.account_id, row.since_id) for row in rows if row.on]

    async def _wanted(self, facts: Sequence[Fact]) -> list[Fact]:
        """Those in the time that is asked for, about nobody who is gone."""
        if len(self._gone) > _MOST_KNOWN:
            self._gone.clear()
        facts = [fact for fact in facts if fact.at_ms >= self._progress.since_ms]
        unknown = list({each for fact in facts for each in (fact.actor, fact.author)} - self._gone.keys() - {0})
        for account_id, row in zip(unknown, await self._accounts(unknown), strict=True):
            self._gone[account_id] = row is None or row.deleted
        return [fact for fact in facts if not (self._gone.get(fact.actor) or self._gone.get(fact.author))]

    async def _accounts(self, ids: Sequence[int]) -> Sequence[Any]:
        return await self._ports.store.get_many(ACCOUNTS, [(each,) for each in ids]) if ids else []
