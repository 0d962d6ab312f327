"""Every route against everyone who may call it, and what is whose: CVE-2026-28431, CVE-2025-27399, GHSA-58x8-3qxw-6hm7,
GHSA-7pxq-6xx9-xpgm. Made from the routes' own declarations, so a new route is in it from its first day."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.belongings import ABSENT, Belongings, ask, belongings_of, everything_kept, form_for, sent, set_account
from tests.api.conftest import Person, Server
from townsquare.model.account import Role
from townsquare.model.facts import KINDS, Fact, fact_id
from townsquare.model.scopes import SCOPES, allows
from townsquare.social.insights.ask import CHARTS
from townsquare.social.insights.authors import AUTHOR_CHARTS
from townsquare.social.insights.operators import OPERATOR_CHARTS
from townsquare.web.routes import Access, Route
from townsquare.web.server.table import ALL_ROUTES

API_ROUTES = [route for route in ALL_ROUTES if not route.html]
DRAWN = "/avatars/{id}.png"  # made from the number alone, whoever has it
WITH_ID = [route for route in API_ROUTES if "{id}" in route.path and route.path != DRAWN]
OF_SOMEBODY = [route for route in WITH_ID if route.access is not Access.STAFF]


@dataclass(kw_only=True)
class Cast:
    """Who is there: ann has things, bob may see one of them, the others are strangers to her."""

    server: Server
    ann: Person
    bob: Person
    things: Belongings

    async def ask(self, route: Route, who: dict[str, str] | None, at: int | None = None) -> httpx.Response:
        """Call a route, with ann's thing or what else has the id `at`."""
        path = self.things.path_of(route, at)
        form = None if route.method == "GET" else form_for(route)
        return await ask(self.server, route.method, path, headers=who or {}, json=form)


@pytest.fixture
async def town(server: Server) -> Cast:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    things = await belongings_of(server, ann, bob)
    return Cast(server=server, ann=ann, bob=bob, things=things)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


# Who may call what ----------------------------------------------------------------------------------------------------

CLOSED = {
    "unconfirmed": {"confirmed": False},
    "unapproved": {"approved": False},
    "disabled": {"disabled": True},
}


async def test_cve_2026_28431_nobody_gets_past_what_a_route_declares(town: Cast) -> None:
    """CVE-2026-28431: without a token only public routes answer."""
    before = await everything_kept(town.server)
    for route in API_ROUTES:
        answer = await town.ask(route, None)
        if route.access is not Access.PUBLIC:
            assert answer.status_code == 401, f"{route.method} {route.path}: {answer.text}"
        else:
            assert answer.status_code < 500
            assert answer.status_code not in (401, 403) or route.path.startswith("/oauth/"), (
                f"{route.method} {route.path}"
            )
    assert await everything_kept(town.server) == before


async def test_cve_2026_28431_a_programs_own_token_is_nobody(town: Cast) -> None:
    """CVE-2026-28431: an app's own token stands for no user."""
    _, secret = await town.server.token(0, SCOPES)
    for route in API_ROUTES:
        answer = await town.ask(route, bearer(secret))
        if route.access in (Access.USER, Access.PENDING, Access.STAFF):
            expected = (422, "This method requires an authenticated user")
            assert (answer.status_code, answer.json()["error"]) == expected, f"{route.method} {route.path}"


@pytest.mark.parametrize("state", [*CLOSED, "suspended", "deleted"])
async def test_cve_2025_27399_a_closed_log_in_gets_what_anybody_gets(town: Cast, state: str) -> None:
    """CVE-2025-27399: on every route of the table."""
    eve = await town.server.sign_in("eve", **CLOSED.get(state, {}))
    if state not in CLOSED:
        await set_account(town.server, eve, **{state: True})
    before = await everything_kept(town.server)
    for route in API_ROUTES:
        answer = await town.ask(route, eve.headers)
        name = f"{route.method} {route.path}: {answer.text}"
        if route.access is Access.PENDING and state in ("unconfirmed", "unapproved"):
            is_told = state == "unapproved" and route.path.endswith("confirmations")  # confirmed already
            assert answer.status_code == (403 if is_told else 200), name
        elif route.access is not Access.PUBLIC or route.scope:
            assert answer.status_code == (401 if state == "deleted" else 403), name
        else:
            assert answer.status_code < 500, name
    changed = {name for name, rows in (await everything_kept(town.server)).items() if rows != before[name]}
    assert changed == ({"outbox"} if state == "unconfirmed" else set())  # the mail to confirm with, once more


async def test_ghsa_58x8_3qxw_6hm7_each_route_wants_its_scope_and_no_other(town: Cast) -> None:
    """GHSA-58x8-3qxw-6hm7, GHSA-7pxq-6xx9-xpgm: all scopes but the route's are refused, the route's own is enough."""
    eve = await town.server.sign_in("eve")
    secrets: dict[tuple[str, ...], str] = {}
    for route in API_ROUTES:
        if not route.scope:
            continue
        others = tuple(scope for scope in SCOPES if not any(allows([scope], each) for each in route.scope))
        for granted in (others, *((each,) for each in route.scope)):
            if granted not in secrets:
                secrets[granted] = (await town.server.token(eve.account.account_id, granted))[1]
            answer = await town.ask(route, bearer(secrets[granted]))
            is_outside = (answer.status_code, "outside the authorized scopes" in answer.text) == (403, True)
            assert is_outside is (granted == others), f"{route.method} {route.path} {granted}: {answer.text}"


async def test_cve_2026_28431_only_the_staff_does_what_is_for_the_staff(town: Cast) -> None:
    """CVE-2026-28431: no scope makes a member of the staff, and each role of the staff is one."""
    _, secret = await town.server.token(town.ann.account.account_id, SCOPES)
    before = await everything_kept(town.server)
    for route in API_ROUTES:
        if route.access is Access.STAFF:
            answer = await town.ask(route, bearer(secret))
            assert (answer.status_code, answer.json()) == (403, {"error": "This action is not allowed"}), route.path
    assert await everything_kept(town.server) == before
    for role in (Role.MODERATOR, Role.ADMIN, Role.OWNER):
        member = await town.server.sign_in(role.value, SCOPES, role=role)
        for route in API_ROUTES:
            if route.access is Access.STAFF:
                answer = await town.ask(route, member.headers)
                assert answer.status_code not in (401, 403), f"{role} {route.method} {route.path}: {answer.text}"


# What is whose --------------------------------------------------------------------------------------------------------

# An account's own page and what one may do towards any account stand open to everybody; what they give is tested with
# the accounts. All else that an id names is ann's alone.
OPEN = {route.path for route in OF_SOMEBODY if route.path.startswith("/api/v1/accounts/{id}")}


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


PRIVATE = [route for route in OF_SOMEBODY if route.path not in OPEN]
STRANGERS = ("stranger", "blocked", "admin", "absent")


@pytest.mark.parametrize("who", STRANGERS)
async def test_cve_2026_28431_what_is_anns_is_not_there_for_others(town: Cast, who: str) -> None:
    """CVE-2026-28431, CVE-2025-67500: byte for byte what an id that was never given gets, and nothing changes."""
    eve = await town.server.sign_in("eve")
    if who == "blocked":
        await sent(town.server, town.ann, "POST", f"/api/v1/accounts/{eve.account.account_id}/block")
        await town.server.drain()
    elif who == "admin":
        await set_account(town.server, eve, role=Role.ADMIN)
    before = await everything_kept(town.server)
    for route in PRIVATE:
        theirs = await town.ask(route, eve.headers)
        absent = await town.ask(route, eve.headers, at=ABSENT)
        assert theirs.status_code == 404, f"{named(route)}: {theirs.text}"
        assert (theirs.content, _telling(theirs)) == (absent.content, _telling(absent)), named(route)
    assert await everything_kept(town.server) == before


def _telling(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if not name.startswith("x-r")}


async def test_cve_2026_28431_what_is_anns_is_there_for_ann(town: Cast) -> None:
    """CVE-2026-28431: the same calls work for the one whose it is, so the test above does not pass for nothing."""
    refused = {}
    first = [route for route in PRIVATE if route.method != "DELETE"]
    for route in [*first, *(route for route in PRIVATE if route.method == "DELETE")]:
        answer = await town.ask(route, town.ann.headers)
        if answer.status_code != 200:
            refused[named(route)] = answer.status_code
    assert refused == {
        "POST /api/v1/follow_requests/{id}/reject": 404,  # accepted already, by the call before
        "POST /api/v1/polls/{id}/votes": 422,  # nobody votes in their own
        "GET /api/v1/timelines/list/{id}": 404,  # nobody has lists
        "GET /api/v1/notifications/requests/{id}": 404,  # nothing is held back
        "POST /api/v1/notifications/requests/{id}/accept": 404,
        "POST /api/v1/notifications/requests/{id}/dismiss": 404,
    }


@pytest.mark.parametrize("bad", ["0", "-1", "99999999999999999999", "%C2%B2", "1e3", "x" * 300, "٣", "1;", "'"])
async def test_cve_2025_46559_what_is_no_id_is_not_found(town: Cast, bad: str) -> None:
    """CVE-2025-46559: on every route that takes an id."""
    member = await town.server.sign_in("member", SCOPES, role=Role.MODERATOR)
    for route in WITH_ID:
        path = route.path.replace("{id}", bad)
        headers = member.headers if route.access is Access.STAFF else town.ann.headers
        answer = await ask(town.server, route.method, path, headers=headers, json=form_for(route))
        nothing = route.path.endswith(("/lists", "/identity_proofs", "/featured_tags", "/endorsements"))
        assert answer.status_code == 404 or nothing, f"{named(route)}: {answer.text}"


# Whose numbers --------------------------------------------------------------------------------------------------------


def facts_about(person: Person, status: int, at_ms: int, count: int) -> list[Fact]:
    """Facts of every kind that name the person as author."""
    return [
        Fact(
            id=fact_id(kind, status, person.account.account_id, n),
            kind=kind,
            at_ms=at_ms + n,
            actor=person.account.account_id if kind == "post" else 1_000 + n,
            author=person.account.account_id,
            object=status,
            visibility=("public", "private")[n % 2],
            label="home",
        )
        for kind in KINDS
        for n in range(count)
    ]


async def numbers(town: Cast, who: Person, names: Iterable[str]) -> dict[str, Any]:
    """What the charts with these names say to somebody; what everybody is told of the facts is left out."""
    found = {}
    for name in names:
        answer = await ask(town.server, "GET", f"/api/v1/insights/{name}", headers=who.headers)
        assert answer.status_code == 200, f"{name}: {answer.text}"
        said = answer.json()
        found[name] = said.get("series", said)
    return found


async def test_cve_2026_28431_an_author_sees_only_their_own_numbers(town: Cast) -> None:
    """CVE-2026-28431: what happens around others changes no number of ann's, and a status of hers is hers alone."""
    server, at_ms = town.server, town.server.clock.ms
    await server.ports.analytics.put(facts_about(town.ann, town.things.public, at_ms, 4))
    server.clock.advance(seconds=30)
    names = [chart.name for chart in AUTHOR_CHARTS]
    alone = await numbers(town, town.ann, names)
    assert all(any(any(line["values"]) for line in lines) for lines in alone.values())
    theirs = await sent(server, town.bob, "POST", "/api/v1/statuses", status="of bob's")
    await server.ports.analytics.put(facts_about(town.bob, int(theirs["id"]), at_ms, 9))
    server.clock.advance(seconds=30)
    assert await numbers(town, town.ann, names) == alone
    assert await numbers(town, town.bob, names) != alone
    for chart in OPERATOR_CHARTS:
        for person in (town.ann, await server.sign_in(f"x{chart.name[:9]}{len(chart.name)}", SCOPES)):
            answer = await ask(server, "GET", f"/api/v1/insights/{chart.name}", headers=person.headers)
            assert answer.status_code == 403, chart.name


async def test_cve_2026_28431_the_staff_reads_no_private_text(town: Cast) -> None:
    """CVE-2026-28431: of statuses, the server's charts show public ones only, whatever facts say of the others."""
    server = town.server
    for status in (town.things.private, town.things.direct, town.things.public):
        await server.ports.analytics.put(
            [
                msgspec.structs.replace(fact, visibility="public")
                for fact in facts_about(town.ann, status, server.clock.ms, 3)
            ]
        )
    server.clock.advance(seconds=30)
    admin = await server.sign_in("boss", SCOPES, role=Role.ADMIN)
    said = ""
    for chart in OPERATOR_CHARTS:
        for end in ("", ".csv"):
            answer = await ask(server, "GET", f"/api/v1/insights/{chart.name}{end}", headers=admin.headers)
            assert answer.status_code == 200, answer.text
            said += answer.text
    assert "for all" in said
    for hidden in ("for friends", "secret", str(town.things.private), str(town.things.direct)):
        assert hidden not in said


@pytest.mark.parametrize("audience", ["operator", "author"])
async def test_ghsa_58x8_3qxw_6hm7_each_chart_wants_the_scope_of_its_audience(town: Cast, audience: str) -> None:
    """GHSA-58x8-3qxw-6hm7: a token for the one is none for the other, not even of an admin."""
    admin = await town.server.sign_in("boss", SCOPES, role=Role.ADMIN)
    needed, other = ("admin:read", "read:statuses") if audience == "operator" else ("read:statuses", "admin:read")
    _, fits = await town.server.token(admin.account.account_id, [needed])
    _, misfits = await town.server.token(admin.account.account_id, [other])
    for chart in CHARTS.values():
        if chart.audience == audience:
            path = f"/api/v1/insights/{chart.name}"
            assert (await ask(town.server, "GET", path, headers=bearer(fits))).status_code == 200, path
            refused = await ask(town.server, "GET", path, headers=bearer(misfits))
            expected = (403, {"error": "This action is outside the authorized scopes"})
            assert (refused.status_code, refused.json()) == expected, path
            assert (await ask(town.server, "GET", path)).status_code == 401
    listed = (await ask(town.server, "GET", "/api/v1/insights", headers=bearer(fits))).json()
    assert {chart["audience"] for chart in listed} == {audience}
