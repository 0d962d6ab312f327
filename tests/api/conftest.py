"""A whole web server in this process, over memory engines; over real ones where a profile says so: profile.py."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio

from tests.api.profile import Shared, shared
from tests.work import do_all
from townsquare.analytics.memory import MemoryAnalytics
from townsquare.cache.memory import MemoryCache
from townsquare.feeds.memory import MemoryFeeds
from townsquare.kit.clock import SetClock
from townsquare.kit.secrets import hash_secret, new_secret
from townsquare.kit.snowflake import Snowflake
from townsquare.mail.memory import MemoryMailer
from townsquare.media.memory import MemoryMedia
from townsquare.model.account import Account, Role, Token, User
from townsquare.queue.memory import MemoryQueue
from townsquare.search.memory import MemorySearch
from townsquare.settings import Settings
from townsquare.social.outbox import Outbox
from townsquare.social.ports import Ports
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Put
from townsquare.store.strict import StrictStore
from townsquare.store.tables import (
    ACCOUNT_TOKENS,
    ACCOUNTS,
    HANDLES,
    TABLES,
    TOKENS,
    USERS,
    AccountTokenRow,
    HandleRow,
)
from townsquare.streaming.memory import MemoryStreaming
from townsquare.web.application import web_app
from townsquare.web.routes import Route
from townsquare.web.server.app import App, make_app
from townsquare.web.streaming.hub import Hub
from townsquare.web.streaming.payloads import payloads_of

URL = "http://localhost:3000"
ALL_SCOPES = ("read", "write", "follow", "push", "profile")
NOW_MS = 1_793_000_000_000


@dataclass(kw_only=True)
class Person:
    """Somebody who is signed in."""

    account: Account
    user: User
    token: Token
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        """What their client sends."""
        return {"Authorization": f"Bearer {self.secret}"}


@dataclass(kw_only=True)
class Server:
    """The server under test."""

    ports: Ports
    app: App
    hub: Hub
    clock: SetClock
    client: httpx.AsyncClient
    drain: Callable[[], Awaitable[None]]

    async def sign_in(
        self, name: str, scopes: Sequence[str] = ALL_SCOPES, *, role: Role = Role.USER, **user: Any
    ) -> Person:
        """A new account with a token, written as rows. Fields of User by name: `confirmed=False`."""
        new_id = self.ports.new_id
        account = Account(account_id=new_id(), username=name, created_ms=self.clock.ms, role=role)
        known = {"confirmed": True, "email": f"{name}@example.org", "password_hash": "", **user}
        person = User(account_id=account.account_id, **known)
        await self.ports.store.write(
            [
                Put(ACCOUNTS, account),
                Put(USERS, person),
                Put(HANDLES, HandleRow(domain="", name=name.lower(), account_id=account.account_id)),
            ]
        )
        token, secret = await self.token(account.account_id, scopes)
        return Person(account=account, user=person, token=token, secret=secret)

    async def token(
        self, account_id: int, scopes: Sequence[str] = ALL_SCOPES, *, client_id: str = "app"
    ) -> tuple[Token, str]:
        """A further token of an account; of an app's own for 0."""
        secret = new_secret()
        token = Token(
            token_hash=hash_secret(secret),
            token_id=self.ports.new_id(),
            account_id=account_id,
            client_id=client_id,
            scopes=tuple(scopes),
            created_ms=self.clock.ms,
        )
        rows = [Put(TOKENS, token)]
        if account_id:
            rows.append(Put(ACCOUNT_TOKENS, AccountTokenRow(account_id=account_id, token_hash=token.token_hash)))
        await self.ports.store.write(rows)
        return token, secret

    def with_routes(self, routes: Sequence[Route], *, address: str = "192.0.2.1") -> httpx.AsyncClient:
        """A client of the same engines with other routes."""
        return client_of(make_app(self.ports, routes), address=address)


def client_of(app: App, *, address: str = "192.0.2.1") -> httpx.AsyncClient:
    """A client that comes from `address`."""
    transport = httpx.ASGITransport(app=cast(Any, app), client=(address, 50000), raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url=URL)


def memory_ports(clock: SetClock, *, chaos: bool = False, **settings: Any) -> Ports:
    """Memory engines for all boxes."""
    streaming = MemoryStreaming()
    store = StrictStore(MemoryStore(TABLES, clock=clock), TABLES, clock=clock, chaos=chaos)
    queue = MemoryQueue(clock)
    new_id = Snowflake(clock, 1)
    return Ports(
        store=store,
        cache=MemoryCache(streaming, clock, counters=None),
        feeds=MemoryFeeds(),
        queue=queue,
        streaming=streaming,
        search=MemorySearch(),
        analytics=MemoryAnalytics(),
        media=MemoryMedia(),
        mail=MemoryMailer(),
        outbox=Outbox(store, queue, new_id),
        settings=Settings(url=URL, **settings),
        clock=clock,
        new_id=new_id,
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared | None]:
    """What a profile has one of in a run."""
    async with shared(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture
async def server(tmp_path: Path, engines: Shared | None) -> AsyncIterator[Server]:
    """The server with all its routes."""
    clock = engines.clock if engines else SetClock(NOW_MS)
    ports = memory_ports(clock, data=str(tmp_path))
    if engines:
        ports = engines.ports(ports, tmp_path)
    await ports.streaming.start()
    hub = Hub(ports, payloads_of(ports))
    await hub.start()
    app = web_app(ports, hub)

    async def drain() -> None:
        clock.advance(seconds=0.01)
        await do_all(ports)

    async with client_of(app) as client:
        yield Server(ports=ports, app=app, hub=hub, clock=clock, client=client, drain=drain)
    await hub.stop()
    for engine in (ports.cache, ports.feeds, ports.streaming, ports.store):
        await engine.close()
    if engines:
        await engines.tidy()
