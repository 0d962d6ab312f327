"""Trends: what many different people take up, and what the staff says of it.

Source: Mastodon API, /methods/trends/, /methods/admin/trends/
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tests.api.conftest import Person, Server
from townsquare.kit.urls import url_hash
from townsquare.model.account import Role
from townsquare.model.facts import DAY_MS, Fact, fact_id
from townsquare.model.scopes import SCOPES
from townsquare.model.status import Card
from townsquare.social import trends
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNTS, CARDS, TAGS, TagRow

HOUR_MS = 3_600_000
STORY = "https://news.example/story"


async def told(server: Server, kind: str, what: int | str, actors: Sequence[int], *, hours_ago: float = 0.5) -> None:
    """So many accounts took something up."""
    at_ms = server.clock.now_ms() - int(hours_ago * HOUR_MS)
    named: dict[str, Any] = {"object": what, "visibility": "public"} if isinstance(what, int) else {"label": what}
    await server.ports.analytics.put(
        [Fact(id=fact_id(kind, what, actor, at_ms), kind=kind, at_ms=at_ms, actor=actor, **named) for actor in actors]
    )


async def get(server: Server, path: str, person: Person | None = None) -> Any:
    answer = await server.client.get(path, headers=person.headers if person else {})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def findable(server: Server, name: str) -> Person:
    person = await server.sign_in(name)
    await server.ports.store.write([Put(ACCOUNTS, msgspec.structs.replace(person.account, discoverable=True))])
    return person


async def post(server: Server, person: Person, **form: str) -> dict[str, Any]:
    answer = await server.client.post("/api/v1/statuses", data=form, headers=person.headers)
    assert answer.status_code == 200, answer.text
    posted: dict[str, Any] = answer.json()
    return posted


async def names(server: Server, path: str = "/api/v1/trends/tags", person: Person | None = None) -> list[str]:
    return [tag["name"] for tag in await get(server, path, person)]


async def test_nothing_is_a_trend_where_nothing_happens(server: Server) -> None:
    await trends.refresh(server.ports)
    for path in ("trends", "trends/tags", "trends/links", "trends/statuses"):
        assert await get(server, f"/api/v1/{path}") == []


async def test_tags_by_how_many_people_and_how_lately(server: Server) -> None:
    await told(server, "tag_account", "yesterday", range(1, 9), hours_ago=30)
    await told(server, "tag_account", "now", range(1, 6))
    await told(server, "tag_account", "few", [1, 2])
    await told(server, "tag_account", "longago", range(1, 50), hours_ago=80)
    await trends.refresh(server.ports)
    assert await names(server) == ["now", "yesterday"]
    assert await names(server, "/api/v1/trends/tags?limit=1&offset=1") == ["yesterday"]
    assert await names(server, "/api/v1/trends") == ["now", "yesterday"]
    server.clock.ms += 4 * DAY_MS
    await trends.refresh(server.ports)
    assert await names(server) == []


async def test_a_trend_comes_as_the_staff_wishes(server: Server) -> None:
    staff = await server.sign_in("mod", SCOPES, role=Role.MODERATOR)
    rows = [TagRow(tag_id=n, name=name, shown=name.title()) for n, name in ((11, "good"), (12, "bad"))]
    await server.ports.store.write([Put(TAGS, row) for row in rows])
    for name in ("good", "bad"):
        await told(server, "tag_account", name, range(1, 6))
    await trends.refresh(server.ports)
    listed = {tag["name"]: tag for tag in await get(server, "/api/v1/admin/trends/tags", staff)}
    assert {name.lower() for name in listed} == {"good", "bad"}
    assert all(tag["requires_review"] and tag["trendable"] and tag["usable"] for tag in listed.values())


async def test_tags_that_the_staff_rejects_are_not_shown(server: Server) -> None:
    staff = await server.sign_in("mod", SCOPES, role=Role.MODERATOR)
    ann = await server.sign_in("ann")
    for text in ("#Good day", "#Bad day"):
        await post(server, ann, status=text)
    await server.drain()
    for name in ("good", "bad"):
        await told(server, "tag_account", name, range(1, 6))
    await trends.refresh(server.ports)
    listed = {tag["name"]: tag["id"] for tag in await get(server, "/api/v1/admin/trends/tags", staff)}
    said = await server.client.post(f"/api/v1/admin/trends/tags/{listed['Bad']}/reject", headers=staff.headers)
    assert (said.status_code, said.json()["trendable"], said.json()["requires_review"]) == (200, False, False)
    assert await names(server) == ["Good"]
    assert len(await get(server, "/api/v1/admin/trends/tags", staff)) == 2
    said = await server.client.post(f"/api/v1/admin/trends/tags/{listed['Bad']}/approve", headers=staff.headers)
    assert said.json()["trendable"] is True
    assert sorted(await names(server)) == ["Bad", "Good"]
    gone = await server.client.post("/api/v1/admin/trends/tags/123/approve", headers=staff.headers)
    assert (gone.status_code, gone.json()) == (404, {"error": "Record not found"})


async def test_links_with_what_their_pages_say_and_their_days(server: Server) -> None:
    staff = await server.sign_in("mod", SCOPES, role=Role.ADMIN)
    cards = [
        Card(url_hash=url_hash(STORY), url=STORY, title="A story", provider_name="News"),
        Card(url_hash=url_hash("https://mute.example/"), url="https://mute.example/", failed=True),
    ]
    await server.ports.store.write([Put(CARDS, card) for card in cards])
    for card in cards:
        await told(server, "link_account", card.url, range(1, 5))
        await told(server, "link", card.url, range(1, 8))
    await trends.refresh(server.ports)
    (link,) = await get(server, "/api/v1/trends/links")
    assert (link["url"], link["title"], link["provider_name"]) == (STORY, "A story", "News")
    assert len(link["history"]) == 7
    assert sum(int(day["accounts"]) for day in link["history"]) == 4
    assert sum(int(day["uses"]) for day in link["history"]) == 7
    (listed,) = await get(server, "/api/v1/admin/trends/links", staff)
    assert listed["requires_review"] is True
    said = await server.client.post(f"/api/v1/admin/trends/links/{listed['id']}/reject", headers=staff.headers)
    assert (said.status_code, said.json()["requires_review"]) == (200, False)
    assert await get(server, "/api/v1/trends/links") == []


async def test_statuses_of_those_who_want_to_be_found(server: Server) -> None:
    ann, bob = await findable(server, "ann"), await server.sign_in("bob")
    staff = await server.sign_in("mod", SCOPES, role=Role.OWNER)
    loved = await post(server, ann, status="loved")
    shy = await post(server, bob, status="by one who does not want to be found")
    warned = await post(server, ann, status="behind a warning", spoiler_text="careful")
    quiet = await post(server, ann, status="for followers", visibility="private")
    for status in (loved, shy, warned, quiet):
        await told(server, "favourite", int(status["id"]), range(1, 6))
    await trends.refresh(server.ports)
    assert [each["id"] for each in await get(server, "/api/v1/trends/statuses")] == [loved["id"]]
    await server.client.post(f"/api/v1/accounts/{ann.account.account_id}/block", headers=bob.headers)
    await server.drain()
    assert await get(server, "/api/v1/trends/statuses", bob) == []
    path = f"/api/v1/admin/trends/statuses/{loved['id']}/reject"
    said = await server.client.post(path, headers=staff.headers)
    assert (said.status_code, said.json()["id"]) == (200, loved["id"])
    assert await get(server, "/api/v1/trends/statuses") == []
    assert [each["id"] for each in await get(server, "/api/v1/admin/trends/statuses", staff)] == [loved["id"]]


async def test_with_a_review_queue_nothing_shows_before_its_word(server: Server) -> None:
    staff = await server.sign_in("mod", SCOPES, role=Role.MODERATOR)
    ann = await findable(server, "ann")
    status = await post(server, ann, status="loved")
    await told(server, "boost", int(status["id"]), range(1, 6))
    await trends.refresh(server.ports)
    strict = msgspec.structs.replace(server.ports.settings, trends_reviewed=True)
    object.__setattr__(server.ports, "settings", strict)
    assert await get(server, "/api/v1/trends/statuses") == []
    said = await server.client.post(f"/api/v1/admin/trends/statuses/{status['id']}/approve", headers=staff.headers)
    assert said.status_code == 200
    assert [each["id"] for each in await get(server, "/api/v1/trends/statuses")] == [status["id"]]


async def test_the_search_page_shows_them_to_who_comes_without_words(server: Server) -> None:
    ann = await findable(server, "ann")
    loved = await post(server, ann, status="loved by many")
    story = Card(url_hash=url_hash(STORY), url=STORY, title="A <story>", provider_name="News")
    await server.ports.store.write([Put(CARDS, story)])
    await told(server, "favourite", int(loved["id"]), range(1, 6))
    await told(server, "link_account", STORY, range(1, 6))
    await told(server, "tag_account", "now", range(1, 6))
    await trends.refresh(server.ports)
    page = (await server.client.get("/search")).text
    assert "loved by many" in page
    assert "A &lt;story&gt;" in page
    assert 'href="/tags/now"' in page
    assert "loved by many" not in (await server.client.get("/search?q=nothing")).text
