"""Timelines over HTTP."""

from typing import Any

import pytest

from tests.api import profile
from tests.api.conftest import Person, Server
from tests.api.test_statuses import post
from townsquare.model.status import Status
from townsquare.store.port import Put
from townsquare.store.statuses import making
from townsquare.store.strict import StrictStore
from townsquare.store.tables import STATUSES, THREADS, ThreadRow
from townsquare.store.threads import MOST_READ
from townsquare.store.together import all_of

HOME = "/api/v1/timelines/home"


async def get(server: Server, who: Person | None, path: str, **params: Any) -> list[str]:
    """The texts of a page."""
    answer = await server.client.get(path, headers=who.headers if who else {}, params=params)
    assert answer.status_code == 200, answer.text
    return [status["content"][3:-4] for status in answer.json()]


async def test_own_posts_are_home_at_once(server: Server) -> None:
    ann = await server.sign_in("ann")
    for text in ("1", "2", "3"):
        await post(server, ann, text)
        assert (await get(server, ann, "/api/v1/timelines/home"))[0] == text
    assert await get(server, ann, "/api/v1/timelines/home") == ["3", "2", "1"]


async def test_pages_of_the_local_timeline(server: Server) -> None:
    ann = await server.sign_in("ann")
    for n in range(7):
        await post(server, ann, str(n), visibility="unlisted" if n == 3 else "public")
        server.clock.advance(seconds=86_400 * 3)
    page = await server.client.get("/api/v1/timelines/public", params={"limit": 4})
    seen = [status["content"] for status in page.json()]
    while "next" in page.links:
        page = await server.client.get(page.links["next"]["url"])
        seen += [status["content"] for status in page.json()]
    assert seen == [f"<p>{n}</p>" for n in (6, 5, 4, 2, 1, 0)]
    oldest = page.json()[-1]["id"]
    assert await get(server, None, "/api/v1/timelines/public", min_id=oldest, limit=2) == ["2", "1"]
    assert await get(server, None, "/api/v1/timelines/public", since_id=oldest, limit=2) == ["6", "5"]
    assert await get(server, None, "/api/v1/timelines/public", remote=True) == []


async def test_hashtags_any_all_none(server: Server) -> None:
    ann = await server.sign_in("ann")
    for text in ("#a", "#a #B", "#c", "#b #c"):
        await post(server, ann, text)
    tag = "/api/v1/timelines/tag/A"
    assert len(await get(server, None, tag)) == 2
    assert len(await get(server, None, tag, **{"any[]": "c"})) == 4
    assert len(await get(server, None, tag, **{"all[]": "b"})) == 1
    assert len(await get(server, None, tag, **{"none[]": "b"})) == 1
    assert len(await get(server, None, tag, only_media=True)) == 0


async def follow(server: Server, who: Person, *whom: Person) -> None:
    for each in whom:
        path = f"/api/v1/accounts/{each.account.account_id}/follow"
        assert (await server.client.post(path, headers=who.headers)).status_code == 200
    await server.drain()


async def test_replies_reach_those_who_follow_both(server: Server) -> None:
    ann, bob, eve, mia = [await server.sign_in(name) for name in ("ann", "bob", "eve", "mia")]
    await follow(server, bob, ann, eve)
    await follow(server, mia, ann)
    await follow(server, eve, ann)
    for who in (ann, bob, eve, mia):
        await get(server, who, HOME)
    root = await post(server, eve, "root")
    own = await post(server, ann, "own")
    await post(server, ann, "to eve", in_reply_to_id=root["id"])
    await post(server, ann, "to self", in_reply_to_id=own["id"])
    await server.drain()
    expected = {
        "bob": ["to self", "to eve", "own", "root"],
        "mia": ["to self", "own"],
        "eve": ["to self", "to eve", "own", "root"],
    }
    for who in (bob, mia, eve):
        assert await get(server, who, HOME) == expected[who.account.username]
        await server.ports.feeds.drop([who.account.account_id])
        assert await get(server, who, HOME) == expected[who.account.username]


async def test_boosts_and_languages_that_are_not_wanted(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await follow(server, bob, ann)
    await get(server, bob, HOME)
    path = f"/api/v1/accounts/{ann.account.account_id}/follow"
    theirs = (await post(server, eve, "theirs"))["id"]
    await server.client.post(path, headers=bob.headers, json={"reblogs": False, "languages": ["en"]})
    await server.drain()
    await server.client.post(f"/api/v1/statuses/{theirs}/reblog", headers=ann.headers)
    await post(server, ann, "deutsch", language="de")
    await post(server, ann, "english", language="en")
    await server.drain()
    assert await get(server, bob, HOME) == ["english"]
    await server.client.post(path, headers=bob.headers, json={"reblogs": True, "languages": []})
    await server.ports.feeds.drop([bob.account.account_id])
    assert await get(server, bob, HOME) == ["english", "deutsch", "theirs"]


async def test_one_boost_is_enough(server: Server) -> None:
    ann, bob, eve, mia = [await server.sign_in(name) for name in ("ann", "bob", "eve", "mia")]
    await follow(server, mia, ann, bob)
    status = (await post(server, eve, "good"))["id"]
    for who in (ann, bob):
        await server.client.post(f"/api/v1/statuses/{status}/reblog", headers=who.headers)
        server.clock.advance(seconds=1)
    await server.drain()
    assert await get(server, mia, HOME) == ["good"]


async def test_direct_posts_are_home_for_the_named(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    for who in (bob, eve):
        await follow(server, who, ann)
        await get(server, who, HOME)
    await post(server, ann, "@bob hush", visibility="direct")
    await server.drain()
    assert len(await get(server, bob, HOME)) == 1
    assert await get(server, eve, HOME) == []
    assert await get(server, None, "/api/v1/timelines/public") == []


async def test_cve_2026_45076_what_is_hidden_does_not_end_a_timeline(server: Server) -> None:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await follow(server, bob, ann)
    await follow(server, bob, eve)
    await post(server, eve, "old")
    for n in range(200):
        server.clock.advance(seconds=1)
        await post(server, ann, str(n))
    await server.drain()
    await server.client.post(f"/api/v1/accounts/{ann.account.account_id}/mute", headers=bob.headers)
    for path in (HOME, "/api/v1/timelines/public"):
        page = await server.client.get(path, headers=bob.headers)
        seen = page.json()
        while not seen and "next" in page.links:
            page = await server.client.get(page.links["next"]["url"], headers=bob.headers)
            seen = page.json()
        assert [status["content"] for status in seen] == ["<p>old</p>"], path


async def test_below_the_ring_home_goes_on(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    await follow(server, bob, ann)
    author = ann.account.account_id
    statuses = []
    for n in range(900):
        server.clock.advance(seconds=3600)
        status_id = server.ports.new_id()
        statuses.append(Status(status_id=status_id, author=author, text=str(n), root=status_id))
    for status in statuses:
        await server.ports.store.write(*making(status))
    page = await server.client.get(HOME, headers=bob.headers, params={"limit": 40})
    seen = [status["content"][3:-4] for status in page.json()]
    while "next" in page.links:
        page = await server.client.get(page.links["next"]["url"], headers=bob.headers)
        seen += [status["content"][3:-4] for status in page.json()]
    assert seen == [str(n) for n in range(899, -1, -1)]
    oldest = str(statuses[9].status_id)
    assert await get(server, bob, HOME, min_id=oldest, limit=3) == ["12", "11", "10"]


@pytest.mark.slow
async def test_cve_2024_31208_threads_are_bounded(server: Server) -> None:
    """A long chain and a large star, a reply to itself, one into the future, two that answer each other."""
    size = 5_000 if profile.NAME == "mongo" else 10_000  # the stand-in looks through all rows for each it is given
    assert size > MOST_READ
    ann = await server.sign_in("ann")
    author = ann.account.account_id
    root = int((await post(server, ann, "root"))["id"])
    chain, star = root + 1, root + 2 * size + 1
    parents = {chain + n: (chain + n - 1 if n else root) for n in range(size)}
    parents |= {star + n: root for n in range(size)}
    odd = root + 4 * size + 1
    parents |= {odd: odd, odd + 1: odd + 2, odd + 2: odd + 1}
    rows = [
        ThreadRow(root=root, status_id=each, parent=parent, author=author, visibility="public")
        for each, parent in parents.items()
    ]
    bodies = [
        Status(status_id=each, author=author, text="x", root=root, reply_to=parent, reply_to_author=author)
        for each, parent in parents.items()
    ]
    for start in range(0, len(rows), 200):
        # Each in a call of its own: together they would be one mutation.
        await all_of(server.ports.store.write([Put(THREADS, row)]) for row in rows[start : start + 200])
        await server.ports.store.write([Put(STATUSES, row) for row in bodies[start : start + 200]])
    for who, most in ((ann, 1024 + 256), (None, 60 + 40)):
        for each in (root, chain + size - 1, chain + size // 2, star + size - 1, odd, odd + 1, odd + 2):
            answer = await server.client.get(f"/api/v1/statuses/{each}/context", headers=who.headers if who else {})
            assert answer.status_code == 200
            found = answer.json()
            assert len(found["ancestors"]) + len(found["descendants"]) <= most


@pytest.mark.parametrize(
    ("path", "cold", "warm"),
    [
        (HOME, 2, 0),
        ("/api/v1/timelines/public", 2, 2),
        ("/api/v1/timelines/tag/a", 2, 2),
    ],
)
async def test_round_trips(server: Server, path: str, cold: int, warm: int) -> None:
    """A page costs the same number of round trips whatever stands on it."""
    store = server.ports.store
    assert isinstance(store, StrictStore)
    ann = await server.sign_in("ann")
    people = [await server.sign_in(f"p{n}") for n in range(5)]
    await follow(server, ann, *people)
    for n in range(20):
        await post(server, people[n % 5], f"{n} #a @ann")
    await server.drain()
    await server.client.get("/api/v1/accounts/verify_credentials", headers=ann.headers)
    for each in people:  # who of them the cache still knows depends on the order in which the tasks were done
        await server.client.get(f"/api/v1/accounts/{each.account.account_id}")
    store.reset()
    assert len((await server.client.get(path, headers=ann.headers)).json()) == 20
    assert store.round_trips == cold
    store.reset()
    await server.client.get(path, headers=ann.headers)
    assert store.round_trips == warm
