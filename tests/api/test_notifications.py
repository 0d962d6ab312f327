"""Notices and direct conversations over HTTP."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Person, Server
from townsquare.social.drafts import Draft
from townsquare.social.statuses import post as make_post

V1 = "/api/v1"


async def call(server: Server, method: str, path: str, who: Person, **params: Any) -> httpx.Response:
    return await server.client.request(method, V1 + path, headers=who.headers, params=params)


async def post(server: Server, who: Person, text: str, **fields: Any) -> int:
    server.clock.advance(seconds=0.01)
    return await make_post(server.ports, author=who.account, user=who.user, draft=Draft(text=text, **fields))


async def test_notices_are_complete_and_paged(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    status_id = await post(server, bob, "hello")
    await call(server, "POST", f"/statuses/{status_id}/favourite", ann)
    await call(server, "POST", f"/statuses/{status_id}/reblog", ann)
    await call(server, "POST", f"/accounts/{bob.account.account_id}/follow", ann)
    await post(server, ann, "@bob hello")
    await server.drain()
    page = (await call(server, "GET", "/notifications", bob)).json()
    assert {each["type"] for each in page} == {"favourite", "reblog", "follow", "mention"}
    for each in page:
        assert each["account"]["acct"] == "ann"
        alone = each["type"] == "mention"
        assert (each["group_key"] == f"ungrouped-{each['id']}") is alone
        assert each["created_at"].endswith("Z")
        assert ("status" in each) == (each["type"] != "follow")
    (favourite,) = [each for each in page if each["type"] == "favourite"]
    assert favourite["status"]["id"] == str(status_id)
    one = (await call(server, "GET", f"/notifications/{favourite['id']}", bob)).json()
    assert one == favourite
    answer = await call(server, "GET", "/notifications", bob, limit=3)
    seen = [each["id"] for each in answer.json()]
    answer = await server.client.get(answer.links["next"]["url"], headers=bob.headers)
    seen += [each["id"] for each in answer.json()]
    assert seen == [each["id"] for each in page]
    assert "next" not in answer.links
    assert (await call(server, "GET", "/notifications/unread_count", bob)).json() == {"count": 4}
    only = (await call(server, "GET", "/notifications", bob, **{"types[]": "follow"})).json()
    assert [each["type"] for each in only] == ["follow"]
    left = (await call(server, "GET", "/notifications", bob, **{"exclude_types[]": "follow"})).json()
    assert len(left) == 3
    assert (await call(server, "GET", "/notifications", bob, account_id=bob.account.account_id)).json() == []


async def test_what_is_undone_takes_its_notice_along(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    status_id = await post(server, bob, "hello")
    for act in ("favourite", "reblog"):
        await call(server, "POST", f"/statuses/{status_id}/{act}", ann)
    await server.drain()
    assert len((await call(server, "GET", "/notifications", bob)).json()) == 2
    server.clock.advance(seconds=1)
    for act in ("unfavourite", "unreblog"):
        await call(server, "POST", f"/statuses/{status_id}/{act}", ann)
    await server.drain()
    assert (await call(server, "GET", "/notifications", bob)).json() == []


async def test_notices_are_dismissed_one_by_one_and_all(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    for n in range(4):
        await post(server, ann, f"@bob {n}")
    await server.drain()
    ids = [each["id"] for each in (await call(server, "GET", "/notifications", bob)).json()]
    assert (await call(server, "POST", f"/notifications/{ids[0]}/dismiss", bob)).json() == {}
    assert (await call(server, "POST", f"/notifications/{ids[0]}/dismiss", bob)).status_code == 404
    await server.client.delete(
        f"{V1}/notifications/destroy_multiple?ids[]={ids[1]}&ids[]=7&ids[]=x", headers=bob.headers
    )
    left = [each["id"] for each in (await call(server, "GET", "/notifications", bob)).json()]
    assert left == ids[2:]
    await call(server, "POST", "/notifications/clear", bob)
    assert (await call(server, "GET", "/notifications", bob)).json() == []


@pytest.mark.parametrize("what", ["notifications", "conversations"])
async def test_another_ones_ids_open_nothing__CVE_2026_28431_and_CVE_2023_42453(server: Server, what: str) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await post(server, ann, "@bob psst", visibility="direct")
    await server.drain()
    (item,) = (await call(server, "GET", f"/{what}", bob)).json()
    paths = {
        "notifications": [("GET", ""), ("POST", "/dismiss")],
        "conversations": [("POST", "/read"), ("POST", "/unread"), ("DELETE", "")],
    }[what]
    for method, rest in paths:
        for each in (item["id"], "7", "../1", "%2e%2e"):
            answer = await call(server, method, f"/{what}/{each}{rest}", eve)
            assert answer.status_code == 404, (method, rest, each)
        answer = await server.client.request(method, f"{V1}/{what}/{item['id']}{rest}")
        assert answer.status_code == 401
    assert (await call(server, "GET", f"/{what}", eve)).json() == []
    assert len((await call(server, "GET", f"/{what}", bob)).json()) == 1


async def test_a_conversation_is_read_and_removed(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    first = await post(server, ann, "@bob psst", visibility="direct")
    await server.drain()
    (seen,) = (await call(server, "GET", "/conversations", bob)).json()
    assert seen["unread"]
    assert [each["acct"] for each in seen["accounts"]] == ["ann"]
    assert seen["last_status"]["id"] == str(first)
    (own,) = (await call(server, "GET", "/conversations", ann)).json()
    assert not own["unread"]
    assert not (await call(server, "POST", f"/conversations/{seen['id']}/read", bob)).json()["unread"]
    assert (await call(server, "POST", f"/conversations/{seen['id']}/unread", bob)).json()["unread"]
    assert (await call(server, "DELETE", f"/conversations/{seen['id']}", bob)).json() == {}
    assert (await call(server, "GET", "/conversations", bob)).json() == []
    await post(server, ann, "@bob again", visibility="direct", reply_to=first)
    await server.drain()
    assert len((await call(server, "GET", "/conversations", bob)).json()) == 1
