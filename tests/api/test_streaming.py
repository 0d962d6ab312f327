"""Live streams: who may open which, who is sent what, when they end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tests.api.conftest import Person, Server
from tests.api.sockets import Socket, open_events, open_socket
from townsquare.kit.snowflake import month_of
from townsquare.model.account import Visibility
from townsquare.model.events import StatusEvent, encode_event
from townsquare.model.status import Mention, Status
from townsquare.social.sessions import drop_account_sessions, drop_sessions
from townsquare.social.viewer import drop_viewers
from townsquare.store.port import Put
from townsquare.store.tables import (
    FOLLOWING,
    MINE,
    RELATIONS,
    STATUSES,
    TOKENS,
    USERS,
    FollowingRow,
    MineRow,
    RelationRow,
)
from townsquare.web.streaming.connection import MAX_SUBSCRIPTIONS, MAX_WAITING_EVENTS, RESTART
from townsquare.web.streaming.websocket import MAX_MESSAGES


@asynccontextmanager
async def socket(server: Server, person: Person, *streams: str, **more: str) -> AsyncIterator[Socket]:
    """An open WebSocket of a person with these streams."""
    opened = open_socket(server.app, headers=person.headers)
    assert (await opened.next())["type"] == "websocket.accept"
    for stream in streams:
        opened.say(type="subscribe", stream=stream, **more)
    await settle()
    try:
        yield opened
    finally:
        await opened.end()


async def settle() -> None:
    """Let all that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def follow(server: Server, who: Person, whom: Person, *, on: bool = True) -> None:
    state = "on" if on else "off"
    row = FollowingRow(account_id=who.account.account_id, target=whom.account.account_id, state=state, since_id=1)
    await server.ports.store.write([Put(FOLLOWING, row)])
    await drop_viewers(server.ports, [who.account.account_id])


async def post(server: Server, author: Person, text: str = "hello", **fields: Any) -> Status:
    """A status, written and told."""
    status = Status(status_id=server.ports.new_id(), author=author.account.account_id, text=text, **fields)
    await server.ports.store.write([Put(STATUSES, status)])
    tell(server, status)
    await server.hub.idle()
    await settle()
    return status


def tell(server: Server, status: Status, change: str = "update") -> None:
    event = StatusEvent(
        change=change,
        status_id=status.status_id,
        author=status.author,
        visibility=status.visibility,
        tags=tuple(tag.lower() for tag in status.tags),
        mentions=tuple(mention.account_id for mention in status.mentions),
        media=bool(status.media),
        reply_to_author=status.reply_to_author,
        boost_of=status.boost_of,
    )
    server.ports.streaming.publish(StatusEvent.topic, encode_event(event))


async def test_a_status_reaches_followers_and_the_author_as_the_api_says(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await follow(server, bob, ann)
    async with (
        socket(server, ann, "user") as hers,
        socket(server, bob, "user") as his,
        socket(server, eve, "user") as no,
    ):
        status = await post(server, ann)
        frame = await his.frame()
        assert (frame["stream"], frame["event"]) == (["user"], "update")
        payload = json.loads(frame["payload"])
        assert payload["id"] == str(status.status_id)
        assert payload["favourited"] is False
        assert json.loads((await hers.frame())["payload"])["pinned"] is False
        assert no.is_quiet()
        tell(server, status, "status.update")
        assert (await his.frame())["event"] == "status.update"
        tell(server, status, "delete")
        frame = await his.frame()
        assert (frame["event"], frame["payload"]) == ("delete", str(status.status_id))


async def test_public_and_hashtag_streams(server: Server) -> None:
    ann, bob = [await server.sign_in(name) for name in ("ann", "bob")]
    async with socket(server, bob, "public", "public:local", "hashtag", "hashtag:local", tag="Tea") as opened:
        await post(server, ann, "about #tea", tags=("tea",))
        labels = sorted([(await opened.frame())["stream"] for _ in range(4)])
        assert labels == [["hashtag", "Tea"], ["hashtag:local", "Tea"], ["public"], ["public:local"]]
        await post(server, ann, "to myself", reply_to=1, reply_to_author=ann.account.account_id)
        assert sorted([(await opened.frame())["stream"] for _ in range(2)]) == [["public"], ["public:local"]]
        await post(server, ann, "a reply", reply_to=1, reply_to_author=7)
        await post(server, ann, "quiet", visibility=Visibility.UNLISTED)
        assert opened.is_quiet()
        opened.say(type="unsubscribe", stream="public")
        await settle()
        await post(server, ann)
        assert (await opened.frame())["stream"] == ["public:local"]
        assert opened.is_quiet()


async def test_stream_privacy(server: Server) -> None:
    ann, bob = [await server.sign_in(name) for name in ("ann", "bob")]
    me, other = bob.account.account_id, ann.account.account_id
    async with socket(server, bob, "user", "public") as opened:
        await post(server, ann, visibility=Visibility.PRIVATE)
        assert opened.is_quiet()
        await follow(server, bob, ann)
        await post(server, ann, visibility=Visibility.PRIVATE)
        assert (await opened.frame())["stream"] == ["user"]
        await post(server, ann, visibility=Visibility.DIRECT)
        await post(server, ann, visibility=Visibility.DIRECT, mentions=(Mention(99, "x"),))
        assert opened.is_quiet()
        await post(server, ann, visibility=Visibility.DIRECT, mentions=(Mention(me, "bob"),))
        assert (await opened.frame())["stream"] == ["user"]
        for owner, kind, target in ((me, "mute", other), (me, "block", other), (me, "blocked_by", other)):
            row = RelationRow(account_id=owner, kind=kind, other=target, on=True, at_id=1)
            await server.ports.store.write([Put(RELATIONS, row)])
            await drop_viewers(server.ports, [me])
            await post(server, ann)
            assert opened.is_quiet()
            await server.ports.store.write([Put(RELATIONS, msgspec.structs.replace(row, on=False))])
            await drop_viewers(server.ports, [me])
        await post(server, ann, "a reply to a stranger", reply_to=1, reply_to_author=7)
        assert opened.is_quiet()


async def test_cve_2024_53867_an_unfollow_ends_what_was_open(server: Server) -> None:
    ann, bob = [await server.sign_in(name) for name in ("ann", "bob")]
    await follow(server, bob, ann)
    async with socket(server, bob, "user") as opened:
        await post(server, ann, visibility=Visibility.PRIVATE)
        await opened.frame()
        await follow(server, bob, ann, on=False)
        await post(server, ann, visibility=Visibility.PRIVATE)
        assert opened.is_quiet()


async def test_flags_of_the_viewer_are_shown_on_a_boost(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await follow(server, bob, ann)
    original = await post(server, eve)
    mine = MineRow(
        account_id=bob.account.account_id,
        month=month_of(original.status_id),
        status_id=original.status_id,
        kind="favourite",
        on=True,
        ref=1,
        at_ms=1,
    )
    await server.ports.store.write([Put(MINE, mine)])
    async with socket(server, bob, "user") as opened:
        await post(server, ann, "", boost_of=original.status_id, boost_of_author=original.author)
        payload = json.loads((await opened.frame())["payload"])
        assert payload["reblog"]["favourited"] is True


async def test_without_a_token_nothing_opens(server: Server) -> None:
    opened = open_socket(server.app)
    assert (await opened.next())["status"] == 401
    assert json.loads((await opened.next())["body"]) == {"error": "Missing access token"}
    answer = await server.client.get("/api/v1/streaming/user")
    assert (answer.status_code, answer.json()) == (401, {"error": "Missing access token"})
    assert (await server.client.get("/api/v1/streaming/health")).text == "OK"
    await opened.end()


async def test_tokens_come_by_query_header_and_protocol(server: Server) -> None:
    ann = await server.sign_in("ann")
    for given in (
        {"access_token": ann.secret},
        {"headers": ann.headers},
        {"headers": {"Sec-WebSocket-Protocol": ann.secret}},
    ):
        opened = open_socket(server.app, stream="user", **given)  # type: ignore[arg-type]
        accepted = await opened.next()
        assert accepted["type"] == "websocket.accept"
        assert accepted["subprotocol"] in (None, ann.secret)
        await opened.end()


async def test_csrf_a_cookie_opens_a_stream_only_for_our_own_pages(server: Server) -> None:
    ann = await server.sign_in("ann")
    cookie = {"Cookie": f"session={ann.secret}", "Host": "localhost:3000"}
    for origin, good in (
        ("http://localhost:3000", True),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ):
        opened = open_socket(server.app, headers={**cookie, **({"Origin": origin} if origin else {})})
        assert ((await opened.next())["type"] == "websocket.accept") is good
        await opened.end()


@pytest.mark.parametrize("state", [{"disabled": True}, {"confirmed": False}])
async def test_cve_2025_62175_a_closed_log_in_opens_no_stream(server: Server, state: dict[str, bool]) -> None:
    ann = await server.sign_in("ann", **state)
    opened = open_socket(server.app, headers=ann.headers)
    assert (await opened.next())["status"] == 401
    await opened.end()
    assert (await server.client.get("/api/v1/streaming/user", headers=ann.headers)).status_code == 401


NAMES = ["user", "user:notification", "public", "public:local", "hashtag", "direct", "list"]
GRANTED = {
    "read": ["user", "user:notification", "public", "public:local", "hashtag", "direct"],
    "read:statuses": ["user", "public", "public:local", "hashtag", "direct"],
    "read:notifications": ["user:notification"],
    "read:accounts": [],
    "profile": [],
    "write": [],
    "push": [],
}


@pytest.mark.parametrize("scope", GRANTED)
async def test_cve_2025_62176_streams_need_their_scopes(server: Server, scope: str) -> None:
    ann = await server.sign_in("ann", [scope])
    async with socket(server, ann) as opened:
        for name in NAMES:
            opened.say(type="subscribe", stream=name, tag="x", list="1")
            await settle()
            assert opened.is_quiet() is (name in GRANTED[scope]), name
            if not opened.is_quiet():
                assert (await opened.frame())["status"] == 401
    paths = {name: name.replace(":", "/") for name in NAMES}
    for name, path in paths.items():
        events = open_events(server.app, path, headers=ann.headers, tag="x")
        assert (await events.next())["status"] == (200 if name in GRANTED[scope] else 401), name
        await events.end()


async def test_notices_are_kept_from_a_user_stream_without_their_scope(server: Server) -> None:
    ann = await server.sign_in("ann", ["read:statuses"])
    async with socket(server, ann, "user"):
        assert f"notification:{ann.account.account_id}" not in server.hub._channels


@pytest.mark.slow
async def test_ghsa_vp5r_streams_end_with_their_token(server: Server) -> None:
    ann = await server.sign_in("ann")
    _, other = await server.token(ann.account.account_id)
    async with socket(server, ann, "user") as opened:
        more = open_socket(server.app, access_token=other)
        await more.next()
        await server.ports.store.write([Put(TOKENS, msgspec.structs.replace(ann.token, revoked=True))])
        await drop_sessions(server.ports, ann.account.account_id, [ann.token.token_hash])
        assert await opened.next() == {"type": "websocket.close", "code": 1008}
        assert more.is_quiet()
        await server.ports.store.write([Put(USERS, msgspec.structs.replace(ann.user, disabled=True))])
        await drop_account_sessions(server.ports, ann.account.account_id)
        assert (await more.next())["type"] == "websocket.close"
        await more.end()


async def test_what_a_client_says_wrong_is_answered(server: Server) -> None:
    ann = await server.sign_in("ann")
    async with socket(server, ann, "nonsense") as opened:
        assert await opened.frame() == {"error": "Unknown stream type", "status": 400}
        opened.say(type="subscribe", stream="hashtag")
        assert (await opened.frame())["error"] == "Missing tag name parameter"
        opened.tell({"type": "websocket.receive", "text": "[" * 100_000})
        assert (await opened.frame())["status"] == 400
        opened.say(type="subscribe", stream="user", tag=["x"])
        assert (await opened.frame())["status"] == 400


async def test_cve_2018_1000518_a_client_that_says_too_much_is_closed(server: Server) -> None:
    ann = await server.sign_in("ann")
    async with socket(server, ann) as opened:
        for _ in range(10):
            opened.say(type="subscribe", stream="user")
        await settle()
        assert len(server.hub._channels) == 2
        for n in range(MAX_SUBSCRIPTIONS + 20):
            opened.say(type="subscribe", stream="hashtag", tag=f"tag{n}")
        assert (await opened.frame())["error"] == "Too many streams"
        for n in range(MAX_MESSAGES):
            opened.say(type="subscribe", stream="hashtag", tag=f"tag{n}")
        for _ in range(100):
            if (await opened.next()) == {"type": "websocket.close", "code": 1008}:
                break
        else:
            pytest.fail("not closed")
    assert not server.hub._channels


async def test_a_client_that_does_not_read_is_cut(server: Server) -> None:
    ann, bob = [await server.sign_in(name) for name in ("ann", "bob")]
    async with socket(server, bob, "public") as opened, socket(server, bob, "public") as reader:
        opened.reads.clear()
        connections = server.hub._connections[bob.account.account_id]
        (slow,) = [c for c in connections if c._send.__self__ is opened]  # type: ignore[attr-defined]
        status = await post(server, ann, "x" * 4000)
        for _ in range(MAX_WAITING_EVENTS):
            tell(server, status)
            await server.hub.idle()
        assert slow._closed  # type: ignore[attr-defined]
        assert len(slow._waiting) == 0  # type: ignore[attr-defined]
        assert (await reader.frame())["event"] == "update"
        opened.reads.set()


async def test_a_stopping_server_asks_clients_to_come_again(server: Server) -> None:
    ann = await server.sign_in("ann")
    async with socket(server, ann, "user") as opened:
        await server.app.drain()
        assert await opened.next() == {"type": "websocket.close", "code": RESTART}
    refused = open_socket(server.app, headers=ann.headers)
    assert (await refused.next())["status"] == 503
    await refused.end()


async def test_server_sent_events(server: Server) -> None:
    ann = await server.sign_in("ann")
    events = open_events(server.app, "user", headers=ann.headers)
    start = await events.next()
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"text/event-stream"
    assert b"content-length" not in headers
    assert (await events.next())["body"] == b":)\n"
    status = await post(server, ann)
    lines = (await events.next())["body"].decode().split("\n")
    assert lines[0] == "event: update"
    assert json.loads(lines[1].removeprefix("data: "))["id"] == str(status.status_id)
    assert lines[2:] == ["", ""]
    await server.app.drain()
    assert (await events.next())["body"] == b""
    await events.end()
    await settle()
    assert not server.hub._connections


async def test_what_people_do_arrives_live(server: Server) -> None:
    ann, bob = [await server.sign_in(name) for name in ("ann", "bob")]
    await server.client.post(f"/api/v1/accounts/{ann.account.account_id}/follow", headers=bob.headers)
    await server.drain()
    async with socket(server, ann, "user", "direct") as hers, socket(server, bob, "user") as his:
        answer = await server.client.post("/api/v1/statuses", headers=ann.headers, data={"status": "live"})
        await server.drain()
        await server.hub.idle()
        status_id = answer.json()["id"]
        assert json.loads((await his.frame())["payload"])["id"] == status_id
        assert json.loads((await hers.frame())["payload"])["id"] == status_id
        await server.client.post(f"/api/v1/statuses/{status_id}/favourite", headers=bob.headers)
        direct = {"status": "@ann psst", "visibility": "direct"}
        await server.client.post("/api/v1/statuses", headers=bob.headers, data=direct)
        await server.drain()
        await server.hub.idle()
        frames = [await hers.frame() for _ in range(3)]
        told = {(frame["stream"][0], frame["event"]) for frame in frames}
        assert told == {("user", "notification"), ("direct", "conversation")}
        kinds = {json.loads(frame["payload"]).get("type") for frame in frames}
        assert kinds == {"favourite", "mention", None}
        await server.client.delete(f"/api/v1/statuses/{status_id}", headers=ann.headers)
        await server.drain()
        await server.hub.idle()
        while (frame := await his.frame())["event"] != "delete":
            pass
        assert frame["payload"] == status_id
