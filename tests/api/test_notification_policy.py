"""The policy on notices over HTTP: what is held back, dropped, let in."""

from typing import Any

import pytest

from tests.api.conftest import Person, Server

V1, V2 = "/api/v1/notifications", "/api/v2/notifications"
RULES = ("not_following", "not_followers", "new_accounts", "private_mentions", "limited_accounts")
DAY_S = 86_400


async def call(server: Server, method: str, path: str, who: Person, **params: Any) -> Any:
    answer = await server.client.request(method, path, headers=who.headers, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def mention(server: Server, who: Person, text: str = "@bob hello", **fields: Any) -> str:
    server.clock.advance(seconds=1)
    status = await call(server, "POST", "/api/v1/statuses", who, status=text, **fields)
    await server.drain()
    return str(status["id"])


async def texts(server: Server, who: Person, **params: Any) -> list[str]:
    return [each["status"]["id"] for each in await call(server, "GET", V1, who, **params)]


async def test_all_is_accepted_until_somebody_chooses(server: Server) -> None:
    bob, ann = await server.sign_in("bob"), await server.sign_in("ann")
    policy = await call(server, "GET", f"{V2}/policy", bob)
    assert {policy[f"for_{rule}"] for rule in RULES} == {"accept"}
    assert policy["summary"] == {"pending_requests_count": 0, "pending_notifications_count": 0}
    first = await mention(server, ann)
    changed = await call(server, "PATCH", f"{V2}/policy", bob, for_not_following="drop")
    assert (changed["for_not_following"], changed["for_new_accounts"]) == ("drop", "accept")
    await mention(server, ann)
    assert await texts(server, bob) == [first]
    assert (await call(server, "GET", f"{V1}/policy", bob))["filter_not_following"] is True
    await call(server, "PUT", f"{V1}/policy", bob, filter_not_following="false")
    again = await mention(server, ann)
    assert await texts(server, bob) == [again, first]


async def test_what_is_held_back_waits_to_be_let_in_or_sent_away(server: Server) -> None:
    bob, ann, cat = await server.sign_in("bob"), await server.sign_in("ann"), await server.sign_in("cat")
    await call(server, "PATCH", f"{V2}/policy", bob, for_not_following="filter")
    held = [await mention(server, ann), await mention(server, ann)]
    await mention(server, cat)
    assert await texts(server, bob) == []
    assert len(await texts(server, bob, include_filtered="true")) == 3
    assert (await call(server, "GET", f"{V1}/unread_count", bob)) == {"count": 0}
    assert (await call(server, "GET", V2, bob))["notification_groups"] == []
    assert (await call(server, "GET", f"{V2}/policy", bob))["summary"] == {
        "pending_requests_count": 2, "pending_notifications_count": 3,
    }  # fmt: skip
    of_cat, of_ann = await call(server, "GET", f"{V1}/requests", bob)
    assert (of_ann["account"]["acct"], of_ann["notifications_count"]) == ("ann", "2")
    assert of_ann["last_status"]["id"] == held[1]
    assert await call(server, "GET", f"{V1}/requests/{of_ann['id']}", bob) == of_ann
    assert await call(server, "POST", f"{V1}/requests/{of_ann['id']}/accept", bob) == {}
    assert await texts(server, bob) == held[::-1]
    assert await call(server, "POST", f"{V1}/requests/dismiss", bob, **{"id[]": of_cat["id"]}) == {}
    assert await call(server, "GET", f"{V1}/requests", bob) == []
    later = await mention(server, ann)
    await mention(server, cat)
    assert await texts(server, bob) == [later, *held[::-1]]
    answer = await server.client.post(f"{V1}/requests/7/accept", headers=bob.headers)
    assert answer.status_code == 404


async def test_each_rule_takes_those_it_names(server: Server) -> None:
    bob, ann = await server.sign_in("bob"), await server.sign_in("ann")
    await call(server, "PATCH", f"{V2}/policy", bob, for_new_accounts="drop", for_private_mentions="drop")
    assert await _heard(server, bob, ann) is False
    server.clock.advance(seconds=31 * DAY_S)
    assert await _heard(server, bob, ann) is True
    assert await _heard(server, bob, ann, visibility="direct") is False
    question = await mention(server, bob, "@ann hello", visibility="direct")
    assert await _heard(server, bob, ann, visibility="direct", in_reply_to_id=question) is True
    await call(server, "PATCH", f"{V2}/policy", bob, for_not_followers="drop")
    await call(server, "POST", f"/api/v1/accounts/{bob.account.account_id}/follow", ann)
    assert await _heard(server, bob, ann) is False
    server.clock.advance(seconds=4 * DAY_S)
    assert await _heard(server, bob, ann) is True


async def _heard(server: Server, bob: Person, ann: Person, **fields: Any) -> bool:
    return await mention(server, ann, **fields) in await texts(server, bob, **{"types[]": "mention"})


@pytest.mark.parametrize("word", ["", "none", "ACCEPT"])
async def test_a_word_that_is_none_changes_nothing(server: Server, word: str) -> None:
    bob = await server.sign_in("bob")
    form = {"for_not_following": "drop", "for_new_accounts": word}
    answer = await server.client.patch(f"{V2}/policy", headers=bob.headers, json=form)
    assert answer.status_code == 422
    assert set(answer.json()["details"]) == {"for_new_accounts"}
    assert (await call(server, "GET", f"{V2}/policy", bob))["for_not_following"] == "accept"
