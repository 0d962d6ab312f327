"""What stands behind the ids of routes: things of one person, and who else asks for them."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from tests.api.conftest import Person, Server, client_of
from townsquare.model.status import Media
from townsquare.social.accounts import change_account
from townsquare.social.sessions import drop_account_sessions
from townsquare.social.viewer import drop_viewers
from townsquare.store.port import Key, Put, Table
from townsquare.store.tables import MEDIA, SETTINGS, TABLES, USERS
from townsquare.store.walk import pages
from townsquare.web.routes import Route

ABSENT = 111_111_111_111_111_111  # never given to anything


@dataclass(frozen=True, kw_only=True)
class Belongings:
    """Things of ann that only she, and in part bob, may see. By the first part of the path that names them."""

    account: int
    private: int  # a status with a poll for followers
    public: int
    direct: int  # to bob
    media: int  # not attached yet
    notification: int
    conversation: int
    asks: int  # the account that asks to follow her

    def id_for(self, route: Route) -> int:
        """The id that this route's `{id}` means."""
        kind = route.path.removeprefix("/api/v1/").removeprefix("insights/").partition("/")[0]
        return {
            "accounts": self.account,
            "statuses": self.private,
            "polls": self.private,
            "media": self.media,
            "notifications": self.notification,
            "conversations": self.conversation,
            "follow_requests": self.asks,
        }.get(kind, ABSENT)

    def path_of(self, route: Route, at: int | None = None) -> str:
        """The path of a route with everything in it filled in."""
        ids = str(self.id_for(route) if at is None else at)
        more = {"{folder}": "aa", "{inner}": "bb", "{name}": "x", "{hashtag}": "x", "{secret}": "x", "{chart}": "x"}
        path = route.path.replace("{id}", ids)
        for place, value in more.items():
            path = path.replace(place, value)
        return path


def form_for(route: Route) -> dict[str, Any]:
    """What a route cannot do without."""
    needed = {"/votes": {"choices": ["0"]}, "/interaction_policy": {"quote_approval_policy": "nobody"}}
    return next((form for end, form in needed.items() if route.path.endswith(end)), {})


async def ask(server: Server, method: str, path: str, **more: Any) -> httpx.Response:
    """One call from an address of its own, a little later than the last: so that no rate limit stands in the way."""
    server.clock.advance(seconds=2)
    n = server.clock.ms // 1000
    async with client_of(server.app, address=f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}") as client:
        return await client.request(method, path, **more)


async def sent(server: Server, who: Person, method: str, path: str, **form: Any) -> Any:
    """What a call that must work answers."""
    answer = await server.client.request(method, path, headers=who.headers, json=form)
    assert answer.status_code == 200, f"{path}: {answer.text}"
    server.clock.advance(seconds=0.01)
    return answer.json()


async def set_account(server: Server, who: Person, **fields: Any) -> None:
    """Change fields of an account as the server itself would."""
    await change_account(server.ports, who.account.account_id, lambda old: msgspec.structs.replace(old, **fields))
    await _forget(server, who)


async def set_user(server: Server, who: Person, **fields: Any) -> None:
    """Change fields of a log-in as the server itself would."""
    await server.ports.store.write([Put(USERS, msgspec.structs.replace(who.user, **fields))])
    await _forget(server, who)


async def _forget(server: Server, who: Person) -> None:
    await drop_account_sessions(server.ports, who.account.account_id)
    await drop_viewers(server.ports, [who.account.account_id])


async def belongings_of(server: Server, ann: Person, bob: Person) -> Belongings:
    """Give ann one of everything. Bob has a direct status of hers, and asks to follow her."""
    await set_account(server, ann, locked=True)
    poll = {"options": ["a", "b"], "expires_in": 600_000}
    private = await sent(server, ann, "POST", "/api/v1/statuses", status="for friends", visibility="private", poll=poll)
    public = await sent(server, ann, "POST", "/api/v1/statuses", status="for all")
    direct = await sent(server, ann, "POST", "/api/v1/statuses", status="@bob secret", visibility="direct")
    await sent(server, bob, "POST", f"/api/v1/accounts/{ann.account.account_id}/follow")
    media = Media(
        media_id=server.ports.new_id(),
        account_id=ann.account.account_id,
        original="a/b.webp",
        preview="a/c.webp",
        state="ready",
    )
    await server.ports.store.write([Put(MEDIA, media)])
    await server.drain()
    (notice,) = await sent(server, ann, "GET", "/api/v1/notifications")
    (conversation,) = await sent(server, ann, "GET", "/api/v1/conversations")
    return Belongings(
        account=ann.account.account_id,
        private=int(private["id"]),
        public=int(public["id"]),
        direct=int(direct["id"]),
        media=media.media_id,
        notification=int(notice["id"]),
        conversation=int(conversation["id"]),
        asks=bob.account.account_id,
    )


async def everything_kept(server: Server) -> dict[str, dict[Key, Any]]:
    """Every row of every table: equal as long as nothing was changed. Left out are the server's own keys, made when
    they are first needed."""
    tables = [table for table in TABLES if table is not SETTINGS]
    found = await asyncio.gather(*(_rows_of(server, table) for table in tables))
    return {table.name: rows for table, rows in zip(tables, found, strict=True)}


async def _rows_of(server: Server, table: Table[Any]) -> dict[Key, Any]:
    return {table.key(row): row async for page in pages(server.ports.store, table) for row in page}
