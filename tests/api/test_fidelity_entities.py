"""What is answered has every field of the API's tables, whatever made it."""

from typing import Any

import pytest

from tests.api.conftest import Person, Server
from tests.api.shapes import answer_of, answers, deviations, entities
from townsquare.web.server.table import ALL_ROUTES
from townsquare.workers.schedule import bring_timers


class Checker:
    """Checks answers against the tables of endpoints and entities."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.deviations: list[str] = []

    async def ask(self, method: str, path: str, who: Person | None = None, **form: Any) -> Any:
        """Call a route with a JSON body and check what it answers."""
        self._server.clock.advance(seconds=1)
        headers = who.headers if who else {}
        answer = await self._server.client.request(method, path, headers=headers, json=form)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        body = answer.json()
        found = deviations(body, answer_of(method, path.partition("?")[0]))
        self.deviations += [f"{method} {path}: {each}" for each in found]
        await self._server.drain()
        return body


@pytest.fixture
def checker(server: Server) -> Checker:
    """Against the server under test."""
    return Checker(server)


async def test_notices_of_every_kind_and_what_they_tell_of(server: Server, checker: Checker) -> None:
    ann, bob, eve = await server.sign_in("ann"), await server.sign_in("bob"), await server.sign_in("eve")
    ask = checker.ask
    await ask("POST", f"/api/v1/accounts/{bob.account.account_id}/follow", ann, notify=True)
    await ask("POST", f"/api/v1/accounts/{ann.account.account_id}/follow", bob)
    await ask("PATCH", "/api/v1/accounts/update_credentials", ann, locked=True)
    await ask("POST", f"/api/v1/accounts/{ann.account.account_id}/follow", eve)
    own = await ask("POST", "/api/v1/statuses", ann, status="mine")
    await ask("POST", f"/api/v1/statuses/{own['id']}/favourite", bob)
    await ask("POST", f"/api/v1/statuses/{own['id']}/reblog", bob)
    theirs = await ask("POST", "/api/v1/statuses", bob, status="@ann what is new?", spoiler_text="cw", language="de")
    await ask("POST", "/api/v1/statuses", bob, status="news")
    await ask("POST", f"/api/v1/statuses/{theirs['id']}/reblog", ann)
    await ask("PUT", f"/api/v1/statuses/{theirs['id']}", bob, status="@ann what else is new?")
    poll = await ask(
        "POST",
        "/api/v1/statuses",
        bob,
        status="?",
        poll={"options": ["a", "b"], "expires_in": 300, "hide_totals": True},
    )
    voted = await ask("POST", f"/api/v1/polls/{poll['poll']['id']}/votes", ann, choices=[1])
    assert [each["votes_count"] for each in voted["options"]] == [None, None]
    server.clock.advance(seconds=301)
    await bring_timers(server.ports)
    await server.drain()
    over = await ask("GET", f"/api/v1/polls/{poll['poll']['id']}", ann)
    assert (over["expired"], over["own_votes"]) == (True, [1])
    assert [each["votes_count"] for each in over["options"]] == [0, 1]
    for who in (ann, bob):
        notices = await ask("GET", "/api/v1/notifications?limit=80", who)
        await ask("GET", "/api/v2/notifications?limit=80", who)
        kinds = {each["type"] for each in notices}
        assert "poll" in kinds
        if who is ann:
            assert kinds == {
                "follow", "follow_request", "favourite", "reblog", "mention", "status", "update", "poll",
            }  # fmt: skip
        for each in notices:
            await ask("GET", f"/api/v1/notifications/{each['id']}", who)
            assert ("status" in each) == (each["type"] not in ("follow", "follow_request"))
    assert checker.deviations == []


async def test_statuses_in_all_their_states(server: Server, checker: Checker) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    ask = checker.ask
    root = await ask("POST", "/api/v1/statuses", ann, status="#Root https://example.com/", sensitive=True)
    reply = await ask("POST", "/api/v1/statuses", bob, status="@ann yes", in_reply_to_id=root["id"])
    boost = await ask("POST", f"/api/v1/statuses/{root['id']}/reblog", bob, visibility="private")
    assert (boost["reblog"]["id"], boost["visibility"], boost["application"]) == (root["id"], "private", None)
    assert boost["content"] == boost["reblog"]["content"]
    for act in ("favourite", "bookmark", "mute", "pin"):
        await ask("POST", f"/api/v1/statuses/{root['id']}/{act}", ann)
    await ask("PUT", f"/api/v1/statuses/{root['id']}", ann, status="#Root edited", sensitive=False)
    await ask("POST", "/api/v1/statuses", ann, status="@bob hush", visibility="direct")
    for path in (
        "/api/v1/timelines/home", "/api/v1/timelines/public", "/api/v1/timelines/tag/root", "/api/v1/bookmarks",
        "/api/v1/favourites", "/api/v1/conversations", f"/api/v1/accounts/{ann.account.account_id}/statuses",
        f"/api/v1/accounts/{ann.account.account_id}/statuses?pinned=true", "/api/v2/search?q=root",
        *(f"/api/v1/statuses/{reply['id']}/{part}" for part in ("context", "history", "source")),
        *(f"/api/v1/statuses/{root['id']}/{part}" for part in ("history", "favourited_by", "reblogged_by", "context")),
        "/api/v1/tags/root", "/api/v1/preferences", "/api/v1/profile", "/api/v1/accounts/verify_credentials",
        f"/api/v1/accounts/relationships?id[]={bob.account.account_id}", "/api/v2/instance", "/api/v1/instance",
        "/api/v1/notifications/policy", "/api/v2/notifications/policy", "/api/v1/notifications/requests",
    ):  # fmt: skip
        await ask("GET", path, ann)
    seen = await ask("GET", f"/api/v1/statuses/{root['id']}")
    assert {"favourited", "reblogged", "muted", "bookmarked", "pinned", "filtered"}.isdisjoint(seen)
    gone = await ask("DELETE", f"/api/v1/statuses/{root['id']}", ann)
    assert gone["text"] == "#Root edited"
    assert "content" not in gone
    assert checker.deviations == []


def test_the_tables_name_routes_and_entities_that_are_there() -> None:
    declared = {(route.method, route.path) for route in ALL_ROUTES}
    assert {(method, path) for method, path, _ in answers()} <= declared
    for _, _, kind in answers():
        assert kind == "[String]" or kind.strip("[]") in entities(), kind
    named = {
        word for fields in entities().values() for each in fields for word in each.kind.replace("]", "|").split("|")
    }
    assert {word.strip("[") for word in named if word.strip("[")[:1].isupper()} <= set(entities())


@pytest.mark.parametrize(
    ("value", "kind", "wrong"),
    [
        ([{"id": "1", "status_id": "-2"}], "[FilterStatus]", []),
        ({"id": 1, "status_id": "x"}, "FilterStatus", ["id: id wanted, not 1", "status_id: id wanted, not 'x'"]),
        ({"name": "a", "value": "b"}, "Field", ["verified_at is missing"]),
        (None, "Field|null", []),
        ([], "[str]|null", []),
        (None, "[str]", [": [str] wanted, not None"]),
    ],
)  # fmt: skip
def test_what_deviates_is_found(value: Any, kind: str, wrong: list[str]) -> None:
    found = list(deviations(value, kind))
    assert len(found) == len(wrong)
    assert all(each.endswith(end) for each, end in zip(found, wrong, strict=True))
