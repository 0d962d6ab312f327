"""Verbs over memory engines: a store that is as strict, late and unordered as a cluster may be."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import pytest

from tests.contract.servers import mongo_server, servers
from tests.going_clock import GoingClock
from tests.work import do_all
from townsquare.analytics.memory import MemoryAnalytics
from townsquare.cache.memory import MemoryCache
from townsquare.feeds.memory import MemoryFeeds
from townsquare.kit.clock import SetClock
from townsquare.kit.snowflake import Snowflake
from townsquare.model.account import Account, User
from townsquare.queue.memory import MemoryQueue
from townsquare.search.memory import MemorySearch
from townsquare.settings import Settings
from townsquare.social.drafts import Draft
from townsquare.social.outbox import Outbox
from townsquare.social.ports import Ports
from townsquare.social.statuses import post
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Put, Store
from townsquare.store.strict import StrictStore
from townsquare.store.tables import ACCOUNTS, HANDLES, TABLES, USERS, HandleRow
from townsquare.streaming.memory import MemoryStreaming

NOW_MS = 1_793_000_000_000


@pytest.fixture(scope="session", autouse=True)
def _servers() -> Iterator[None]:
    """The end of a run: servers that were started for it are stopped."""
    yield
    servers().let_go()


@asynccontextmanager
async def bare_ports(clock: SetClock, settings: Settings) -> AsyncIterator[Ports]:
    """Store, queue and outbox alone: what workers need to take and settle tasks."""
    store, queue, unused = MemoryStore(TABLES, clock=clock), MemoryQueue(clock), cast(Any, None)
    new_id, cache = Snowflake(clock, 1), MemoryCache(MemoryStreaming(), clock, counters=None)
    yield Ports(
        store=store, cache=cache, feeds=unused, queue=queue, streaming=unused, search=unused, analytics=unused,
        media=unused, mail=unused, outbox=Outbox(store, queue, new_id), settings=settings, clock=clock, new_id=new_id,
    )  # fmt: skip
    await store.close()
    await queue.close()


@dataclass(kw_only=True)
class Town:
    """Some people and all the engines they need."""

    ports: Ports
    clock: SetClock
    store: StrictStore
    random: Random

    async def person(self, name: str, **fields: Any) -> Account:
        """Somebody new. Fields of Account by name: `locked=True`."""
        account = Account(account_id=self.ports.new_id(), username=name, created_ms=self.clock.ms, **fields)
        user = User(account_id=account.account_id, email=f"{name}@example.org", password_hash="", confirmed=True)
        handle = HandleRow(domain="", name=name.lower(), account_id=account.account_id)
        await self.ports.store.write([Put(ACCOUNTS, account)], [Put(USERS, user)], [Put(HANDLES, handle)])
        return account

    async def post(self, author: Account, text: str, **fields: Any) -> int:
        """A new status. Fields of Draft by name."""
        self.clock.advance(seconds=0.01)
        user = await self.ports.store.get(USERS, (author.account_id,))
        assert user is not None
        return await post(self.ports, author=author, user=user, draft=Draft(text=text, **fields))

    async def work(self, *, disorder: bool = False) -> int:
        """Do all the work that waits; with `disorder` in any order and some of it twice."""
        self.clock.advance(seconds=0.01)
        return await do_all(self.ports, disorder=self.random if disorder else None)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    """A town without people."""
    async with open_town() as made:
        yield made


async def _clock_and_store() -> tuple[SetClock, Store]:
    """`TOWNSQUARE_TEST_STORE=cassandra` or `mongo`: the verbs over these; their tables stay full, as ids are new."""
    engine = os.environ.get("TOWNSQUARE_TEST_STORE")
    if engine == "mongo":
        return await _mongo()
    if engine != "cassandra":
        clock = SetClock(NOW_MS)
        return clock, MemoryStore(TABLES, clock=clock)
    server = servers().url("cassandra", needs="acsylla")
    from tests.contract.cassandra_keyspaces import keyspace_url  # noqa: PLC0415  # its driver may not be here
    from townsquare.store.cassandra import CassandraStore  # noqa: PLC0415

    clock = GoingClock()
    return clock, await CassandraStore.open(keyspace_url(server, TABLES), TABLES, clock=clock)


async def _mongo() -> tuple[SetClock, Store]:
    server = mongo_server()
    from tests.contract.mongo_databases import tables_url  # noqa: PLC0415  # its driver may not be here
    from townsquare.store.mongo import MongoStore  # noqa: PLC0415

    clock = GoingClock()
    return clock, await MongoStore.open(tables_url(server, TABLES), TABLES, clock=clock)


@asynccontextmanager
async def open_town() -> AsyncIterator[Town]:
    """The same for tests that need several."""
    clock, inner = await _clock_and_store()
    store = StrictStore(inner, TABLES, clock=clock, seed=7, chaos=True)
    streaming, queue, new_id = MemoryStreaming(), MemoryQueue(clock), Snowflake(clock, 1)
    await streaming.start()
    ports = Ports(
        store=store,
        cache=MemoryCache(streaming, clock, counters=None),
        feeds=MemoryFeeds(),
        queue=queue,
        streaming=streaming,
        search=MemorySearch(),
        analytics=MemoryAnalytics(),
        media=cast(Any, None),
        mail=cast(Any, None),
        outbox=Outbox(store, queue, new_id),
        settings=Settings(),
        clock=clock,
        new_id=new_id,
    )
    yield Town(ports=ports, clock=clock, store=store, random=Random(7))
    await store.close()
