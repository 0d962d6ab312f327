"""Accounts over HTTP: look at them, change one's own, follow, block, mute."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.conftest import Person, Server
from townsquare.social import accounts
from townsquare.social.drafts import Draft
from townsquare.social.statuses import post as make_post
from townsquare.store.tables import HANDLES

V1 = "/api/v1"


async def get(server: Server, path: str, who: Person | None = None, **params: Any) -> httpx.Response:
    return await server.client.get(V1 + path, headers=who.headers if who else {}, params=params)


async def send(server: Server, path: str, who: Person, **form: Any) -> httpx.Response:
    return await server.client.post(V1 + path, headers=who.headers, data=form)


async def post(server: Server, who: Person, text: str, **fields: Any) -> int:
    server.clock.advance(seconds=0.01)
    return await make_post(server.ports, author=who.account, user=who.user, draft=Draft(text=text, **fields))


def ids(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(each["id"]) for each in answer.json()]


async def test_an_account_is_found_by_id_and_by_handle(server: Server) -> None:
    ann = await server.sign_in("Ann")
    me = ann.account.account_id
    page = (await get(server, f"/accounts/{me}")).json()
    assert (page["id"], page["acct"], page["username"]) == (str(me), "Ann", "Ann")
    for acct in ("ann", "@ANN", "Ann@localhost:3000", "ann@localhost"):
        assert (await get(server, "/accounts/lookup", acct=acct)).json()["id"] == str(me)
    assert ids(await server.client.get(f"{V1}/accounts?id[]={me}&id[]=7&id[]=x&id[]={me}")) == [me]
    for bad in ("7", "x", "99999999999999999999999", "-1", "1.5"):
        assert (await get(server, f"/accounts/{bad}")).status_code == 404
    assert (await get(server, "/accounts/lookup", acct="nobody")).status_code == 404
    assert (await get(server, "/accounts/lookup")).status_code == 400


async def test_credentials_are_complete_and_change(server: Server) -> None:
    ann = await server.sign_in("ann")
    page = (await get(server, "/accounts/verify_credentials", ann)).json()
    assert page["source"] == {
        "attribution_domains": [], "privacy": "public", "sensitive": False, "language": None, "note": "", "fields": [],
        "follow_requests_count": 0, "hide_collections": False, "discoverable": None, "indexable": False,
        "quote_policy": "public",
    }  # fmt: skip
    assert page["role"]["permissions"] == "65536"
    answer = await server.client.patch(
        f"{V1}/accounts/update_credentials",
        headers=ann.headers,
        data={
            "display_name": "Ann ✨",
            "note": "I like <b>\nhttps://a.example",
            "locked": "true",
            "bot": "1",
            "discoverable": "true",
            "source[privacy]": "unlisted",
            "source[sensitive]": "true",
            "source[language]": "de",
            "fields_attributes[0][name]": "Site",
            "fields_attributes[0][value]": "https://ann.example",
            "fields_attributes[1][name]": "",
            "fields_attributes[1][value]": "",
        },
    )
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert page["display_name"] == "Ann ✨"
    assert "&lt;b&gt;" in page["note"]
    assert (page["locked"], page["bot"], page["discoverable"]) == (True, True, True)
    assert page["source"]["note"] == "I like <b>\nhttps://a.example"
    assert (page["source"]["privacy"], page["source"]["sensitive"], page["source"]["language"]) == (
        "unlisted",
        True,
        "de",
    )
    assert page["source"]["fields"] == [{"name": "Site", "value": "https://ann.example", "verified_at": None}]
    assert (await get(server, f"/accounts/{ann.account.account_id}")).json()["display_name"] == "Ann ✨"
    answer = await server.client.patch(
        f"{V1}/accounts/update_credentials",
        headers=ann.headers,
        json={"fields_attributes": [{"name": "a", "value": "b"}], "locked": False, "source": {"language": ""}},
    )
    assert [field["name"] for field in answer.json()["fields"]] == ["a"]
    assert answer.json()["source"]["language"] is None
    assert answer.json()["display_name"] == "Ann ✨"


@pytest.mark.parametrize(
    ("form", "field", "code"),
    [
        ({"display_name": "x" * 41}, "display_name", "ERR_TOO_LONG"),
        ({"note": "x" * 501}, "note", "ERR_TOO_LONG"),
        ({f"fields_attributes[{n}][name]": "x" for n in range(5)}, "fields", "ERR_TOO_LONG"),
        ({"fields_attributes[0][name]": "x" * 256}, "fields", "ERR_TOO_LONG"),
        ({"fields_attributes[0][value]": "x"}, "fields", "ERR_BLANK"),
        ({"source[privacy]": "everyone"}, "privacy", "ERR_INCLUSION"),
        ({"source[language]": "<script>"}, "language", "ERR_INVALID"),
        ({"source[quote_policy]": "x"}, "quote_policy", "ERR_INCLUSION"),
        ({"attribution_domains[]": "not a domain"}, "attribution_domains", "ERR_INVALID"),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_nothing_changes(
    server: Server, form: dict[str, str], field: str, code: str
) -> None:
    ann = await server.sign_in("ann")
    answer = await server.client.patch(
        f"{V1}/accounts/update_credentials", headers=ann.headers, data={"bot": "true", **form}
    )
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("Validation failed: ")
    assert answer.json()["details"][field][0]["error"] == code
    assert not (await get(server, "/accounts/verify_credentials", ann)).json()["bot"]


async def test_a_note_of_links_counts_each_as_23(server: Server) -> None:
    ann = await server.sign_in("ann")
    note = " ".join(f"https://example.org/{n}/{'x' * 60}" for n in range(15))
    answer = await server.client.patch(f"{V1}/accounts/update_credentials", headers=ann.headers, json={"note": note})
    assert answer.status_code == 200


async def test_a_follow_and_its_options(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    his = bob.account.account_id
    answer = await server.client.post(
        f"{V1}/accounts/{his}/follow",
        headers=ann.headers,
        data={"reblogs": "false", "notify": "1", "languages[]": "de"},
    )
    shown = answer.json()
    assert (shown["following"], shown["showing_reblogs"], shown["notifying"]) == (True, False, True)
    assert shown["languages"] == ["de"]
    assert set(shown) == {
        "id", "following", "showing_reblogs", "notifying", "languages", "followed_by", "blocking", "blocked_by",
        "muting", "muting_notifications", "muting_expires_at", "requested", "requested_by", "domain_blocking",
        "endorsed", "note",
    }  # fmt: skip
    await server.drain()
    page = (await get(server, f"/accounts/{his}")).json()
    assert page["followers_count"] == 1
    assert ids(await get(server, f"/accounts/{his}/followers")) == [ann.account.account_id]
    assert ids(await get(server, f"/accounts/{ann.account.account_id}/following")) == [his]
    (back,) = (await get(server, "/accounts/relationships", bob, **{"id[]": ann.account.account_id})).json()
    assert back["followed_by"]
    assert not (await send(server, f"/accounts/{his}/unfollow", ann)).json()["following"]
    await server.drain()
    assert ids(await get(server, f"/accounts/{his}/followers")) == []
    assert (await send(server, f"/accounts/{ann.account.account_id}/follow", ann)).status_code == 403
    assert (await send(server, "/accounts/7/follow", ann)).status_code == 404


async def test_a_locked_account_answers_requests(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await server.client.patch(f"{V1}/accounts/update_credentials", headers=bob.headers, data={"locked": "true"})
    for each in (ann, eve):
        shown = (await send(server, f"/accounts/{bob.account.account_id}/follow", each)).json()
        assert (shown["following"], shown["requested"]) == (False, True)
    assert set(ids(await get(server, "/follow_requests", bob))) == {ann.account.account_id, eve.account.account_id}
    assert (await get(server, "/accounts/verify_credentials", bob)).json()["source"]["follow_requests_count"] == 2
    shown = (await send(server, f"/follow_requests/{ann.account.account_id}/authorize", bob)).json()
    assert shown["followed_by"]
    shown = (await send(server, f"/follow_requests/{eve.account.account_id}/reject", bob)).json()
    assert not shown["followed_by"]
    assert ids(await get(server, "/follow_requests", bob)) == []
    answer = await send(server, f"/follow_requests/{eve.account.account_id}/authorize", bob)
    assert answer.status_code == 404


async def test_unlocking_lets_all_in_who_asked(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    url = f"{V1}/accounts/update_credentials"
    await server.client.patch(url, headers=bob.headers, data={"locked": "true"})
    await send(server, f"/accounts/{bob.account.account_id}/follow", ann)
    await server.client.patch(url, headers=bob.headers, data={"locked": "false"})
    await server.drain()
    assert ids(await get(server, f"/accounts/{bob.account.account_id}/followers")) == [ann.account.account_id]


async def test_blocks_mutes_and_notes(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    his, hers = bob.account.account_id, ann.account.account_id
    assert (await send(server, f"/accounts/{his}/block", ann)).json()["blocking"]
    assert ids(await get(server, "/blocks", ann)) == [his]
    assert (await send(server, f"/accounts/{hers}/follow", bob)).status_code == 403
    assert (await send(server, f"/accounts/{hers}/block", ann)).status_code == 403
    assert not (await send(server, f"/accounts/{his}/unblock", ann)).json()["blocking"]
    shown = (await send(server, f"/accounts/{his}/mute", ann, duration=3600, notifications="false")).json()
    assert (shown["muting"], shown["muting_notifications"]) == (True, False)
    (muted,) = (await get(server, "/mutes", ann)).json()
    assert muted["mute_expires_at"] == shown["muting_expires_at"] is not None
    server.clock.advance(seconds=3601)
    assert (await get(server, "/mutes", ann)).json() == []
    assert (await send(server, f"/accounts/{his}/mute", ann, duration=-1)).status_code == 422
    assert (await send(server, f"/accounts/{his}/note", ann, comment="met in 2025")).json()["note"] == "met in 2025"
    assert (await send(server, f"/accounts/{his}/note", ann, comment="x" * 2001)).status_code == 422
    (back,) = (await get(server, "/accounts/relationships", bob, **{"id[]": hers})).json()
    assert back["note"] == ""
    assert (await send(server, f"/accounts/{his}/note", ann)).json()["note"] == ""


async def test_followers_are_paged_by_account_id_and_can_be_hidden(server: Server) -> None:
    bob = await server.sign_in("bob")
    his = bob.account.account_id
    fans = [await server.sign_in(f"fan{n}") for n in range(5)]
    for fan in fans:
        await send(server, f"/accounts/{his}/follow", fan)
    await server.drain()
    answer = await get(server, f"/accounts/{his}/followers", limit=2)
    seen = ids(answer)
    while "next" in answer.links:
        answer = await server.client.get(answer.links["next"]["url"])
        seen += ids(answer)
    assert seen == sorted((fan.account.account_id for fan in fans), reverse=True)
    await server.client.patch(
        f"{V1}/accounts/update_credentials", headers=bob.headers, data={"hide_collections": "true"}
    )
    assert ids(await get(server, f"/accounts/{his}/followers", fans[0])) == []
    assert len(ids(await get(server, f"/accounts/{his}/followers", bob))) == 5


async def test_an_accounts_statuses_by_filter(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    plain = await post(server, ann, "hello #Cats")
    reply = await post(server, ann, "to myself", reply_to=plain)
    other = await post(server, bob, "hi")
    answer = await post(server, ann, "@bob hi", reply_to=other)
    server.clock.advance(seconds=40 * 86_400)
    private = await post(server, ann, "for followers", visibility="private")
    direct = await post(server, ann, "@bob psst", visibility="direct")
    path = f"/accounts/{ann.account.account_id}/statuses"
    assert ids(await get(server, path)) == [answer, reply, plain]
    assert ids(await get(server, path, ann)) == [direct, private, answer, reply, plain]
    assert ids(await get(server, path, bob)) == [direct, answer, reply, plain]
    assert ids(await get(server, path, exclude_replies="true")) == [reply, plain]
    assert ids(await get(server, path, tagged="cats")) == [plain]
    assert ids(await get(server, path, only_media="true")) == []
    assert ids(await get(server, path, pinned="true")) == []
    assert ids(await get(server, path, ann, min_id=plain, limit=2)) == [answer, reply]
    page = await get(server, path, ann, limit=2)
    seen = ids(page)
    while "next" in page.links:
        page = await server.client.get(page.links["next"]["url"], headers=ann.headers)
        seen += ids(page)
    assert seen == [direct, private, answer, reply, plain]
    assert (await get(server, path, limit="x", max_id="x")).status_code == 400


async def test_hidden_statuses_do_not_end_a_list__CVE_2026_45076(server: Server) -> None:
    ann = await server.sign_in("ann")
    old = await post(server, ann, "seen by all")
    for n in range(200):
        await post(server, ann, f"hidden {n}", visibility="private")
    page = await get(server, f"/accounts/{ann.account.account_id}/statuses", limit=5)
    seen = ids(page)
    for _ in range(30):
        if "next" not in page.links:
            break
        page = await server.client.get(page.links["next"]["url"])
        seen += ids(page)
    assert seen == [old]
    newest = await post(server, ann, "seen by all, too")
    page = await get(server, f"/accounts/{ann.account.account_id}/statuses", limit=5, min_id=old)
    seen = ids(page)
    while not seen:
        page = await server.client.get(page.links["prev"]["url"])
        seen = ids(page)
    assert seen == [newest]


async def test_what_was_seen_is_gone_after_the_ties_are_cut__CVE_2024_53867(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    hers = ann.account.account_id
    private = await post(server, ann, "for followers", visibility="private")
    path = f"/accounts/{hers}/statuses"

    async def sees() -> bool:
        return ids(await get(server, path, bob)) == [private]

    await send(server, f"/accounts/{hers}/follow", bob)
    assert await sees()
    await send(server, f"/accounts/{hers}/unfollow", bob)
    assert not await sees()
    await send(server, f"/accounts/{hers}/follow", bob)
    assert await sees()
    await send(server, f"/accounts/{bob.account.account_id}/remove_from_followers", ann)
    assert not await sees()
    await send(server, f"/accounts/{hers}/follow", bob)
    await send(server, f"/accounts/{bob.account.account_id}/block", ann)
    assert not await sees()
    assert ids(await get(server, f"/accounts/{hers}/followers", bob)) == []


async def test_a_deleted_account_is_gone_and_its_name_taken__Pleroma_2_0_3(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    hers = ann.account.account_id
    await send(server, f"/accounts/{hers}/follow", bob)
    await post(server, ann, "hello @bob unmistakable", visibility="direct")
    await server.drain()
    await accounts.delete(server.ports, hers)
    await server.drain()
    for path in (f"/accounts/{hers}", f"/accounts/{hers}/statuses", f"/accounts/{hers}/followers"):
        assert (await get(server, path)).status_code == 404
    assert (await get(server, "/accounts/lookup", acct="ann")).status_code == 404
    assert (await get(server, "/accounts/verify_credentials", ann)).status_code == 401
    assert ids(await get(server, f"/accounts/{bob.account.account_id}/following")) == []
    assert (await get(server, "/notifications", bob)).json() == []
    assert (await send(server, f"/accounts/{hers}/follow", bob)).status_code == 404
    assert (await get(server, f"/accounts/{bob.account.account_id}")).json()["following_count"] == 0
    row = await server.ports.store.get(HANDLES, ("", "ann"))
    assert row is not None
    assert row.account_id == hers


async def test_a_suspended_account_shows_nothing__CVE_2026_23961(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    hers = ann.account.account_id
    await post(server, ann, "a remarkable text @bob")
    await server.drain()
    await accounts.suspend(server.ports, hers)
    await server.drain()
    assert (await get(server, f"/accounts/{hers}")).json()["suspended"]
    assert (await get(server, f"/accounts/{hers}/statuses")).status_code == 404
    assert (await get(server, "/notifications", bob)).json() == []
    found = (await server.client.get("/api/v2/search", params={"q": "remarkable"}, headers=bob.headers)).json()
    assert found == {"accounts": [], "statuses": [], "hashtags": []}
    await accounts.suspend(server.ports, hers, suspended=False)
    assert len(ids(await get(server, f"/accounts/{hers}/statuses"))) == 1


async def test_familiar_followers(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    for one, other in ((ann, bob), (bob, eve)):
        await send(server, f"/accounts/{other.account.account_id}/follow", one)
    (found,) = (await get(server, "/accounts/familiar_followers", ann, **{"id[]": eve.account.account_id})).json()
    assert found["id"] == str(eve.account.account_id)
    assert [each["acct"] for each in found["accounts"]] == ["bob"]


async def test_one_follow_of_many_at_once__GHSA_8q93_326v_3m7g(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    path = f"/accounts/{bob.account.account_id}/follow"
    answers = await asyncio.gather(*(send(server, path, ann) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    await server.drain()
    assert (await get(server, f"/accounts/{bob.account.account_id}")).json()["followers_count"] == 1
    assert len((await get(server, "/notifications", bob)).json()) == 1
