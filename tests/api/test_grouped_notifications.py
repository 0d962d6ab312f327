"""Notices in groups over HTTP."""

from typing import Any

import httpx

from tests.api.conftest import Person, Server
from townsquare.social.drafts import Draft
from townsquare.social.statuses import post as make_post

V2 = "/api/v2/notifications"


async def call(server: Server, method: str, path: str, who: Person, **params: Any) -> httpx.Response:
    return await server.client.request(method, path, headers=who.headers, params=params)


async def post(server: Server, who: Person, text: str) -> int:
    server.clock.advance(seconds=0.01)
    return await make_post(server.ports, author=who.account, user=who.user, draft=Draft(text=text))


async def crowd(server: Server, acts: list[tuple[str, int]], count: int) -> list[Person]:
    """So many people, each of whom does the acts, an act being what to do with which status."""
    people = [await server.sign_in(f"fan{n}") for n in range(count)]
    for who in people:
        for act, status_id in acts:
            server.clock.advance(seconds=1)
            await call(server, "POST", f"/api/v1/statuses/{status_id}/{act}", who)
    await server.drain()
    return people


async def test_what_many_do_to_one_status_is_one_group(server: Server) -> None:
    bob = await server.sign_in("bob")
    status_id = await post(server, bob, "hello")
    people = await crowd(server, [("favourite", status_id), ("reblog", status_id)], 10)
    for who in people[:3]:
        await call(server, "POST", f"/api/v1/accounts/{bob.account.account_id}/follow", who)
    await post(server, people[0], "@bob hello")
    await server.drain()
    page = (await call(server, "GET", V2, bob)).json()
    groups = {each["type"]: each for each in page["notification_groups"]}
    assert {kind: each["notifications_count"] for kind, each in groups.items()} == {
        "mention": 1, "follow": 3, "reblog": 10, "favourite": 10,
    }  # fmt: skip
    favourites = groups["favourite"]
    assert favourites["group_key"].startswith(f"favourite-{status_id}-")
    assert favourites["sample_account_ids"] == [str(who.account.account_id) for who in people[::-1][:8]]
    assert favourites["status_id"] == str(status_id)
    assert int(favourites["page_max_id"]) == favourites["most_recent_notification_id"]
    assert int(favourites["page_min_id"]) < int(favourites["page_max_id"])
    assert groups["mention"]["group_key"].startswith("ungrouped-")
    assert "status_id" not in groups["follow"]
    named = {each for group in groups.values() for each in group["sample_account_ids"]}
    assert {each["id"] for each in page["accounts"]} == named
    assert len(page["statuses"]) == 2
    flat = (await call(server, "GET", "/api/v1/notifications", bob)).json()
    assert {each["group_key"] for each in flat} == {each["group_key"] for each in page["notification_groups"]}
    assert (await call(server, "GET", f"{V2}/unread_count", bob)).json() == {"count": 4}


async def test_groups_are_opened_listed_and_dismissed(server: Server) -> None:
    bob = await server.sign_in("bob")
    status_id = await post(server, bob, "hello")
    people = await crowd(server, [("favourite", status_id), ("reblog", status_id)], 3)
    page = (await call(server, "GET", V2, bob, **{"types[]": "favourite"})).json()
    (group,) = page["notification_groups"]
    path = f"{V2}/{group['group_key']}"
    one = (await call(server, "GET", path, bob)).json()
    assert one["notification_groups"][0]["notifications_count"] == 3
    assert "page_max_id" not in one["notification_groups"][0]
    answer = await call(server, "GET", f"{path}/accounts", bob, limit=2)
    assert [each["username"] for each in answer.json()] == ["fan2", "fan1"]
    answer = await server.client.get(answer.links["next"]["url"], headers=bob.headers)
    assert [each["username"] for each in answer.json()] == ["fan0"]
    partial = (await call(server, "GET", V2, bob, expand_accounts="partial_avatars")).json()
    assert [each["username"] for each in partial["accounts"]] == ["fan2"]
    assert {each["acct"] for each in partial["partial_accounts"]} == {"fan0", "fan1"}
    assert (await call(server, "GET", path, people[0])).status_code == 404
    assert (await call(server, "POST", f"{path}/dismiss", people[0])).json() == {}
    assert (await call(server, "POST", f"{path}/dismiss", bob)).json() == {}
    assert (await call(server, "GET", path, bob)).status_code == 404
    assert len((await call(server, "GET", V2, bob)).json()["notification_groups"]) == 1
    assert (await call(server, "POST", f"{V2}/clear", bob)).json() == {}
    assert (await call(server, "GET", V2, bob)).json()["notification_groups"] == []


async def test_groups_are_paged_and_counted_below_the_page(server: Server) -> None:
    bob = await server.sign_in("bob")
    statuses = [await post(server, bob, f"number {n}") for n in range(3)]
    await crowd(server, [("favourite", each) for each in statuses], 4)
    answer = await call(server, "GET", V2, bob, limit=2)
    groups = answer.json()["notification_groups"]
    assert [each["status_id"] for each in groups] == [str(each) for each in statuses[:0:-1]]
    assert [each["notifications_count"] for each in groups] == [4, 4]
    seen = {each["group_key"] for each in groups}
    filled = answer
    for _ in range(12):
        if "next" not in answer.links:
            break
        filled = answer
        answer = await server.client.get(answer.links["next"]["url"], headers=bob.headers)
        groups = answer.json()["notification_groups"]
        assert len(groups) <= 2
        seen |= {each["group_key"] for each in groups}
    assert "next" not in answer.links
    assert len(seen) == 3
    answer = await server.client.get(filled.links["prev"]["url"], headers=bob.headers)
    assert 0 < len(answer.json()["notification_groups"]) <= 2
    alone = (await call(server, "GET", V2, bob, **{"grouped_types[]": "follow"})).json()["notification_groups"]
    assert len(alone) == 12
    assert {each["notifications_count"] for each in alone} == {1}


async def test_half_a_day_ends_a_group(server: Server) -> None:
    bob = await server.sign_in("bob")
    status_id = await post(server, bob, "hello")
    await crowd(server, [("favourite", status_id)], 2)
    server.clock.advance(seconds=13 * 3600)
    ann = await server.sign_in("ann")
    await call(server, "POST", f"/api/v1/statuses/{status_id}/favourite", ann)
    await server.drain()
    groups = (await call(server, "GET", V2, bob)).json()["notification_groups"]
    assert [each["notifications_count"] for each in groups] == [1, 2]


async def test_a_key_that_is_none_names_nothing(server: Server) -> None:
    bob = await server.sign_in("bob")
    for key in ("x", "favourite", "favourite-1", "follow-99999999999999999999", "ungrouped-7", "favourite-a-1", "-"):
        assert (await call(server, "GET", f"{V2}/{key}", bob)).status_code == 404
        assert (await call(server, "GET", f"{V2}/{key}/accounts", bob)).json() == []
        assert (await call(server, "POST", f"{V2}/{key}/dismiss", bob)).json() == {}
