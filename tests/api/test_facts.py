"""What requests leave for the analytics."""

from collections import Counter

from tests.api.conftest import Server
from townsquare.analytics.memory import MemoryAnalytics
from townsquare.model.facts import Fact


async def told(server: Server) -> list[Fact]:
    await server.ports.facts.flush()
    await server.drain()
    assert isinstance(server.ports.analytics, MemoryAnalytics)
    return list(server.ports.analytics._facts.values())


async def test_reading_is_noted_under_a_name_of_the_day(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    for n in range(2):
        answer = await server.client.post("/api/v1/statuses", data={"status": f"post {n} #words"}, headers=bob.headers)
        assert answer.status_code == 200
    await server.client.post(f"/api/v1/accounts/{bob.account.account_id}/follow", headers=ann.headers)
    await server.drain()
    paths = (
        "timelines/home",
        "timelines/tag/words",
        f"accounts/{bob.account.account_id}",
        f"statuses/{answer.json()['id']}",
    )
    for path in paths:
        assert (await server.client.get(f"/api/v1/{path}", headers=ann.headers)).status_code == 200
    found = await server.client.get("/api/v2/search", params={"q": "secret words"}, headers=ann.headers)
    assert found.status_code == 200
    facts = await told(server)
    assert Counter(fact.kind for fact in facts if fact.kind.startswith("active")) == {
        "active_day": 2,
        "active_week": 2,
        "active_month": 2,
    }
    seen = [fact for fact in facts if fact.kind == "impression"]
    assert Counter(fact.label for fact in seen) == {"home": 2, "tag": 2, "page": 1}
    (viewed,) = [fact for fact in facts if fact.kind == "profile_view"]
    assert {fact.author for fact in (*seen, viewed)} == {bob.account.account_id}
    searches = [fact for fact in facts if fact.kind == "search"]
    assert {fact.label for fact in searches} == {"accounts", "statuses", "hashtags"}
    assert len({fact.actor for fact in (*seen, viewed, *searches)}) == 1
    assert ann.account.account_id not in {fact.actor for fact in facts if fact.kind not in ("follow",)}
    assert "secret" not in repr(facts)


async def test_answers_are_counted_by_the_minute(server: Server) -> None:
    await server.ports.facts.flush()
    for path in ("/api/v1/instance", "/api/v1/nothing", "/about"):
        await server.client.get(path)
    server.clock.advance(seconds=60)
    counted = {fact.label: fact.value for fact in await told(server) if fact.kind == "request"}
    assert counted["api 2xx"] == 1
    assert sum(counted.values()) == 3
    server.clock.advance(seconds=60)
    assert len([fact for fact in await told(server) if fact.kind == "request"]) == len(counted)
