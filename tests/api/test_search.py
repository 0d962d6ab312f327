"""Search and hashtags over HTTP."""

import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.conftest import Person, Server, client_of
from townsquare.model.errors import Unavailable
from townsquare.search.memory import MemorySearch
from townsquare.search.port import Query
from townsquare.social.drafts import Draft, PollDraft
from townsquare.social.edits import Change, edit
from townsquare.social.statuses import delete
from townsquare.social.statuses import post as make_post
from townsquare.web.api.search import ROUTES
from townsquare.web.pages.search import ROUTES as PAGES
from townsquare.web.server.app import make_app


async def search(server: Server, who: Person | None, q: str, **params: Any) -> dict[str, Any]:
    headers = who.headers if who else {}
    answer = await server.client.get("/api/v2/search", params={"q": q, **params}, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) == {"accounts", "statuses", "hashtags"}
    return found


async def post(server: Server, who: Person, text: str, **fields: Any) -> int:
    server.clock.advance(seconds=0.01)
    return await make_post(server.ports, author=who.account, user=who.user, draft=Draft(text=text, **fields))


async def statuses(server: Server, who: Person | None, q: str, **params: Any) -> list[int]:
    return [int(each["id"]) for each in (await search(server, who, q, type="statuses", **params))["statuses"]]


async def change(server: Server, who: Person, **form: str) -> None:
    url = "/api/v1/accounts/update_credentials"
    assert (await server.client.patch(url, headers=who.headers, data=form)).status_code == 200
    await server.drain()


async def test_accounts_are_found_the_exact_one_first(server: Server) -> None:
    bobby, bob, ann = [await server.sign_in(name) for name in ("bobby", "bob", "ann")]
    await change(server, bobby, display_name="Bobby B")
    await change(server, bob, display_name="Bob")
    for q in ("bob", "@bob", "BOB@localhost:3000"):
        found = [each["acct"] for each in (await search(server, ann, q))["accounts"]]
        assert found[0] == "bob"
    assert found == ["bob"]
    found = [each["acct"] for each in (await search(server, ann, "bob"))["accounts"]]
    assert found == ["bob", "bobby"]
    answer = await server.client.get("/api/v1/accounts/search?q=bob&limit=1&offset=1", headers=ann.headers)
    assert [each["acct"] for each in answer.json()] == ["bobby"]
    await server.client.post(f"/api/v1/accounts/{bobby.account.account_id}/follow", headers=ann.headers)
    answer = await server.client.get("/api/v1/accounts/search?q=bob&following=true", headers=ann.headers)
    assert [each["acct"] for each in answer.json()] == ["bobby"]
    (found_one,) = (await search(server, ann, "http://localhost:3000/@bob"))["accounts"]
    assert found_one["acct"] == "bob"


async def test_search_finds_only_what_one_may_see_and_the_author_allowed__Search(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await change(server, ann, indexable="true")
    public = await post(server, ann, "xylophone public")
    private = await post(server, ann, "xylophone private", visibility="private")
    direct = await post(server, ann, "@eve xylophone direct", visibility="direct")
    quiet = await post(server, bob, "xylophone of one who is not indexable")
    await server.drain()
    assert await statuses(server, ann, "xylophone") == [direct, private, public]
    assert await statuses(server, bob, "xylophone") == [quiet, public]
    assert await statuses(server, eve, "xylophone") == [direct, public]
    assert await statuses(server, None, "xylophone") == []
    assert await statuses(server, eve, "xylophone", account_id=str(bob.account.account_id)) == []
    assert await statuses(server, eve, "xylophone", max_id=str(direct)) == [public]
    assert await statuses(server, eve, "xylophone", limit=1, offset=1) == [public]
    await delete(server.ports, author=ann.account, status_id=direct, delete_media=True)
    assert await statuses(server, eve, "xylophone") == [public]
    await server.client.post(f"/api/v1/accounts/{ann.account.account_id}/block", headers=eve.headers)
    assert await statuses(server, eve, "xylophone") == []
    await server.client.post(f"/api/v1/accounts/{eve.account.account_id}/block", headers=bob.headers)
    assert await statuses(server, bob, "xylophone") == [quiet, public]


async def test_an_edited_away_word_is_not_found__Search(server: Server) -> None:
    ann = await server.sign_in("ann")
    status_id = await post(server, ann, "an embarrassing wurd")
    await server.drain()
    server.clock.advance(seconds=1)
    await edit(server.ports, author=ann.account, user=ann.user, status_id=status_id, change=Change(text="a fine word"))
    await server.drain()
    assert await statuses(server, ann, "wurd") == []
    assert await statuses(server, ann, "fine word") == [status_id]


async def test_what_is_no_longer_indexable_is_not_found__Search(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    await change(server, ann, indexable="true")
    await post(server, ann, "quixotic")
    await server.drain()
    assert len(await statuses(server, bob, "quixotic")) == 1
    await change(server, ann, indexable="false")
    assert await statuses(server, bob, "quixotic") == []
    assert len(await statuses(server, ann, "quixotic")) == 1


async def test_old_statuses_are_found_once_their_author_allows_it(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    ids = [await post(server, ann, f"quixotic {n}") for n in range(250)]
    await server.drain()
    assert await statuses(server, bob, "quixotic") == []
    await change(server, ann, indexable="true")
    assert await statuses(server, bob, "quixotic", limit=2) == [ids[-1], ids[-2]]
    assert await statuses(server, bob, "quixotic 0") == [ids[0]]


@pytest.mark.parametrize(
    "q",
    ["@", "@@@@", "#", '"', " " * 100_000 + "a", "(" * 1000 + "a" + ")" * 1000, "a OR NOT (b AND", "*", "NEAR(", "'",
     "a\x01b", "ﷺ" * 300, "-", "a:b", "\ud7ff", "%", "_", "^a", "http://127.0.0.1:1/x",
     "http://localhost:3000/@x/" + "9" * 30],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["", "accounts", "statuses", "hashtags"])
async def test_any_string_may_be_searched_for__Pleroma_2_1_1(server: Server, q: str, kind: str) -> None:
    ann = await server.sign_in("ann")
    begun = time.process_time()
    answer = await server.client.post("/api/v2/search", headers=ann.headers)
    assert answer.status_code == 404
    params = {"q": q[-5000:], "type": kind, "resolve": "true"}
    answer = await server.client.get("/api/v2/search", params=params, headers=ann.headers)
    assert answer.status_code == 200, answer.text
    assert time.process_time() - begun < 1.0


async def test_odd_parameters_are_refused(server: Server) -> None:
    ann = await server.sign_in("ann")
    for query, status in (("", 400), ("?q=", 400), ("?q=a&type=x", 400), ("?q=%00", 400), ("?q=a&account_id=x", 200)):
        assert (await server.client.get(f"/api/v2/search{query}", headers=ann.headers)).status_code == status


async def test_hashtags_are_found_with_their_history(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    await post(server, ann, "#Cats and #catsOfTown")
    await post(server, ann, "#cats")
    await post(server, bob, "#CATS")
    await post(server, bob, "#secretcats", visibility="private")
    await server.drain()
    found = (await search(server, ann, "#cats"))["hashtags"]
    assert [each["name"] for each in found] == ["Cats", "catsOfTown"]
    tag = (await server.client.get("/api/v1/tags/cats")).json()
    assert tag["name"] == "Cats"
    assert tag["url"] == "http://localhost:3000/tags/cats"
    assert (tag["history"][0]["uses"], tag["history"][0]["accounts"]) == ("3", "2")
    assert [each["uses"] for each in tag["history"][1:]] == ["0"] * 6
    unused = (await server.client.get("/api/v1/tags/dogs")).json()
    assert (unused["id"], unused["name"]) == ("", "dogs")
    assert (await server.client.get("/api/v1/tags/no-tag")).status_code == 404


async def test_operators_narrow_what_is_found__Search(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    await change(server, ann, indexable="true")
    plain = await post(server, ann, "marmalade on toast", language="en")
    reply = await post(server, bob, "@ann marmalade again", reply_to=plain, language="de", sensitive=True)
    server.clock.advance(seconds=86_400 * 3)
    link = await post(server, ann, "toast with marmalade https://example.org/x", language="pt-BR")
    poll = await post(server, ann, "marmalade?", poll=PollDraft(options=("yes", "no"), expires_in=3600))
    await server.drain()
    day = datetime.fromtimestamp(server.clock.ms / 1000, UTC).date()
    every = [poll, link, reply, plain]
    for q, ids in {
        "marmalade": every,
        "marmalade from:ann": [poll, link, plain],
        "from:@bob@localhost:3000": [reply],
        "marmalade from:me": [poll, link, plain],
        "from:nobody marmalade": [],
        "from:ann from:bob": [],
        "marmalade -from:ann": [reply],
        "marmalade -from:nobody": every,
        "has:poll": [poll],
        "marmalade has:link": [link],
        "marmalade -has:link -has:poll": [reply, plain],
        "marmalade has:media": [],
        "is:reply": [reply],
        "marmalade is:sensitive": [reply],
        "marmalade language:de": [reply],
        "marmalade language:pt language:pt-br": [link],
        f"marmalade before:{day}": [reply, plain],
        f"marmalade during:{day}": [poll, link],
        f"marmalade after:{day}": [],
        f"marmalade -before:{day}": [poll, link],
        '"marmalade on"': [plain],
        "marmalade -toast": [poll, reply],
        'toast -"on toast"': [link],
        "marmalade colour:orange": [],
        "in:library marmalade": every,
        "in:public marmalade": [poll, link, plain],
    }.items():
        assert await statuses(server, ann, q) == ids, q
    assert await statuses(server, bob, "in:library marmalade") == [reply]
    assert await statuses(server, bob, "from:me") == [reply]
    assert await statuses(server, ann, "from:bob", account_id=str(ann.account.account_id)) == []
    assert await statuses(server, ann, f"before:{day}", max_id=str(reply)) == [plain]
    found = await search(server, ann, "ann from:ann")
    assert (found["accounts"], found["hashtags"]) == ([], [])


async def test_no_operator_finds_what_is_for_others__Search(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await change(server, ann, indexable="true")
    await post(server, ann, "ocelot private", visibility="private", language="en")
    await post(server, ann, "@bob ocelot direct", visibility="direct", language="en")
    await post(server, ann, "ocelot unlisted", visibility="unlisted", language="en")
    await post(server, bob, "ocelot of one who did not agree", language="en")
    await server.drain()
    for q in ("ocelot", "from:ann", "from:bob", "language:en", "-dog", "during:2026", "in:library", "in:public",
              "in:all -has:media", '"ocelot"', "from:ann -is:reply", f"{ann.account.account_id} -dog"):  # fmt: skip
        assert await statuses(server, eve, q) == [], q
    assert len(await statuses(server, ann, "from:me language:en")) == 3
    assert len(await statuses(server, bob, "language:en")) == 2


async def test_the_page_says_which_operators_there_are(server: Server) -> None:
    ann = await server.sign_in("ann")
    status_id = await post(server, ann, "walnut one", language="en")
    await post(server, ann, "walnut two", language="fr")
    await server.drain()
    ids = await statuses(server, ann, "walnut language:en")
    assert ids == [status_id]
    async with server.with_routes(PAGES) as client:
        page = await client.get("/search?q=walnut+language:en")
    assert page.status_code == 200
    assert "from:name" in page.text


class _Away(MemorySearch):
    async def find(self, query: Query) -> list[int]:
        raise Unavailable("Search does not answer just now")


async def test_an_index_that_is_away_is_503(server: Server) -> None:
    ann = await server.sign_in("ann")
    away = client_of(make_app(dataclasses.replace(server.ports, search=_Away()), ROUTES))
    async with away:
        answer = await away.get("/api/v2/search?q=fox", headers=ann.headers)
    assert answer.status_code == 503
