"""Open pages are kept new: what is drawn, for whom, and when it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.api.conftest import Person, Server
from tests.api.sockets import Socket, open_live
from townsquare.social.tokens import revoke_token


@pytest.fixture
async def ann(server: Server) -> Person:
    return await server.sign_in("ann")


@pytest.fixture
async def bob(server: Server) -> Person:
    return await server.sign_in("bob")


@asynccontextmanager
async def page(server: Server, who: Person, **query: str) -> AsyncIterator[Socket]:
    """A page that is open in somebody's browser."""
    opened = open_live(server.app, headers={"Cookie": f"session={who.secret}"}, **query)
    start = await opened.next()
    assert start["status"] == 200
    assert (b"content-type", b"text/event-stream") in start["headers"]
    try:
        yield opened
    finally:
        await opened.end()


async def heard(opened: Socket) -> tuple[str, str]:
    """The next event: its name and data."""
    while True:
        body = (await opened.next())["body"].decode()
        if not body.startswith(":"):
            lines = body.strip().split("\n")
            assert lines[0].startswith("id: ")
            return lines[1].removeprefix("event: "), "\n".join(line.removeprefix("data: ") for line in lines[2:])


async def ready(opened: Socket) -> None:
    """Until the stream listens."""
    assert (await opened.next())["body"] == b":)\n"


async def post(server: Server, who: Person, text: str, **more: Any) -> str:
    answer = await server.client.post("/api/v1/statuses", headers=who.headers, json={"status": text, **more})
    assert answer.status_code == 200, answer.text
    await server.drain()
    await server.hub.idle()
    return str(answer.json()["id"])


async def test_posts_arrive_as_they_stand_on_the_page(server: Server, ann: Person, bob: Person) -> None:
    await server.client.post(f"/api/v1/accounts/{ann.account.account_id}/follow", headers=bob.headers)
    await server.drain()
    async with page(server, bob, on="home") as home, page(server, bob, on="local") as local:
        await ready(home)
        await ready(local)
        status_id = await post(server, ann, "hello <b>bob</b>")
        for opened in (home, local):
            name, html = await heard(opened)
            assert name == "post"
            assert html.startswith("<article")
            assert f'id="post-{status_id}"' in html
            assert "hello &lt;b&gt;bob&lt;/b&gt;" in html
            assert f'formaction="/do/posts/{status_id}/favourite"' in html
            assert "csrf" not in html
        await server.client.put(f"/api/v1/statuses/{status_id}", headers=ann.headers, json={"status": "edited"})
        await server.drain()
        assert (await heard(home))[0] == "edit"
        await server.client.delete(f"/api/v1/statuses/{status_id}", headers=ann.headers)
        await server.drain()
        assert await heard(home) == ("gone", status_id)


async def test_replies_arrive_in_the_thread_for_those_who_may_see_them(
    server: Server, ann: Person, bob: Person
) -> None:
    eve = await server.sign_in("eve")
    root = await post(server, ann, "root")
    async with page(server, ann, on="thread", id=root) as hers, page(server, eve, on="thread", id=root) as eves:
        await ready(hers)
        await ready(eves)
        open_id = await post(server, bob, "@ann for all", in_reply_to_id=root)
        assert f'id="post-{open_id}"' in (await heard(eves))[1]
        secret_id = await post(server, bob, "@ann for you", in_reply_to_id=root, visibility="direct")
        last_id = await post(server, bob, "@ann for all again", in_reply_to_id=open_id)
        _, html = await heard(eves)
        assert secret_id not in html
        assert f'id="post-{last_id}" data-post="{last_id}" data-parent="{open_id}"' in html
        told = [await heard(hers) for _ in range(6)]
        assert [name for name, _ in told].count("badge") == 3
        assert ("badge", "3") in told
        assert sum(secret_id in html for name, html in told if name == "post") == 1


async def test_what_was_missed_is_sent_after_a_gap(server: Server, ann: Person) -> None:
    before = str(server.clock.ms << 16)
    server.clock.advance(seconds=1)
    first, second = await post(server, ann, "one"), await post(server, ann, "two")
    async with page(server, ann, on="home", after=before) as opened:
        assert f'id="post-{first}"' in (await heard(opened))[1]
        assert f'id="post-{second}"' in (await heard(opened))[1]
        await ready(opened)


async def test_only_who_is_signed_in_has_a_stream(server: Server, ann: Person, bob: Person) -> None:
    opened = open_live(server.app, on="local")
    assert (await opened.next())["status"] == 303
    await opened.end()
    hidden = await post(server, ann, "only me", visibility="direct")
    opened = open_live(server.app, headers={"Cookie": f"session={bob.secret}"}, on="thread", id=hidden)
    assert (await opened.next())["status"] == 404
    await opened.end()


@pytest.mark.slow
async def test_a_stream_ends_with_its_session(server: Server, ann: Person) -> None:
    async with page(server, ann, on="home") as opened:
        await ready(opened)
        await revoke_token(server.ports, ann.token)
        while (event := await opened.next()).get("more_body"):
            assert event["body"].startswith(b":")
