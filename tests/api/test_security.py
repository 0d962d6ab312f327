"""Published faults of servers like this one that belong to no single page of the API. docs/security-cases.tsv lists
them all and where each is tested."""

from collections.abc import AsyncIterator
from typing import Any

import html5lib
import pytest

from tests.api.belongings import ABSENT, ask, belongings_of, sent
from tests.api.conftest import Server
from tests.api.raw import call
from tests.api.sockets import open_socket
from tests.social.far_server import FarServer, far_server
from townsquare.web.limits import RULES
from townsquare.web.routes import Limit
from townsquare.web.server.table import ALL_ROUTES

MARKUP = '"><img src=x onerror=alert(1)><script>alert(1)</script><svg/onload=x>&lt;b&gt;'
ALLOWED = {
    "p": set(), "br": set(), "a": {"href", "class", "rel", "target", "translate"}, "span": {"class", "translate"},
}  # fmt: skip
HTML_FIELDS = {"content", "note", "value"}  # `value` of a profile's field; what else there is, is plain text


# Caches ---------------------------------------------------------------------------------------------------------------


async def test_cve_2026_25540_what_caches_may_keep_is_the_same_for_all(server: Server) -> None:
    """CVE-2026-25540: an answer that is marked public is byte for byte what everybody gets, in either order."""
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    things = await belongings_of(server, ann, bob)
    shared = 0
    for route in ALL_ROUTES:
        if route.method != "GET":
            continue
        path = things.path_of(route)
        answers = []
        for who in (ann, None, bob, None):
            headers = {**who.headers, "Cookie": f"session={who.secret}"} if who else {}
            answers.append(await call(server, "GET", path, headers={**headers, "Accept-Language": "de"}))
        public = [each for each in answers if "public" in each.headers["cache-control"]]
        assert len({each.body for each in public}) <= 1, path
        assert all("set-cookie" not in each.headers for each in public), path
        shared += bool(public)
        if "authorization" not in answers[0].headers["vary"].lower():
            assert len({each.body for each in answers}) == 1 or "cookie" in answers[0].headers["vary"].lower(), path
    assert shared > 20


# Limits ---------------------------------------------------------------------------------------------------------------


async def test_atproto_limiter_bypass_key_has_no_effect(server: Server) -> None:
    """atproto: limiter bypass key. No header, and no parameter, lifts a limit."""
    limit = RULES[Limit.APPS][-1].limit
    tricks = [
        {"X-RateLimit-Bypass": ""}, {"X-RateLimit-Bypass": "true"}, {"X-Forwarded-For": "127.0.0.1"},
        {"Authorization": "Bypass x"}, {"X-HTTP-Method-Override": "GET"}, {"X-Internal": "1"},
    ]  # fmt: skip
    for _ in range(limit):
        assert (await call(server, "POST", "/api/v1/apps", address="192.0.2.9")).status == 422
    for path in ("/api/v1/apps", "/api/v1/apps/"):
        for headers in tricks:
            answer = await call(server, "POST", path, address="192.0.2.9", headers=headers, query=b"bypass=1")
            assert answer.status == 429, headers


# Streams --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_ghsa_vp5r_5pgw_jwqx_a_revoked_token_ends_its_streams(server: Server) -> None:
    """GHSA-vp5r-5pgw-jwqx: by the method of the API itself, the open stream ends and no new one opens."""
    app = {"client_name": "a", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": "read"}
    made = (await server.client.post("/api/v1/apps", data=app)).json()
    ann = await server.sign_in("ann")
    _, secret = await server.token(ann.account.account_id, ["read"], client_id=made["client_id"])
    opened = open_socket(server.app, access_token=secret, stream="user")
    assert (await opened.next())["type"] == "websocket.accept"
    form = {"client_id": made["client_id"], "client_secret": made["client_secret"], "token": secret}
    assert (await server.client.post("/oauth/revoke", data=form)).status_code == 200
    assert (await opened.next())["type"] == "websocket.close"
    await opened.end()
    again = open_socket(server.app, access_token=secret, stream="user")
    assert (await again.next())["status"] == 401
    await again.end()


# Requests to elsewhere ------------------------------------------------------------------------------------------------


@pytest.fixture
async def far() -> AsyncIterator[FarServer]:
    async with far_server() as server:
        yield server


async def test_ghsa_c482_7gjx_pp36_a_search_asks_nobody(server: Server, far: FarServer) -> None:
    """GHSA-c482-7gjx-pp36, GHSA-mqv7-gxh4-r5vf, CVE-2026-42180: addresses that people type reach no port."""
    ann = await server.sign_in("ann")
    urls = [far.url("/x"), f"http://127.0.0.1:{far.port}/x", f"http://localhost:{far.port}/@ann/1"]
    for url in urls:
        for resolve in ("true", "1"):
            answer = await ask(
                server, "GET", "/api/v2/search", params={"q": url, "resolve": resolve}, headers=ann.headers
            )
            assert answer.json() == {"accounts": [], "statuses": [], "hashtags": []}
        for field in ("avatar", "header"):
            form = {field: url}
            await ask(server, "PATCH", "/api/v1/accounts/update_credentials", json=form, headers=ann.headers)
        assert (await ask(server, "POST", "/api/v1/media", json={"file": url}, headers=ann.headers)).status_code == 422
    shown = await sent(server, ann, "GET", "/api/v1/accounts/verify_credentials")
    assert str(far.port) not in shown["avatar"] + shown["header"]
    assert far.asked == []


HANDLES = [
    "user@localh.example:{port}/secret?x=1#", "user@127.0.0.1:{port}", "@user@[::1]:{port}", "user@localhost:{port}",
    "acct:user@127.0.0.1:{port}", "user@x@127.0.0.1:{port}", "user@127.0.0.1:{port}%23", "user@host..example",
]  # fmt: skip


async def test_cve_2025_25194_what_is_no_handle_is_nobody(server: Server, far: FarServer) -> None:
    """CVE-2025-25194: a host is only a name; with an address, a port, a path or a query it is none of ours."""
    ann = await server.sign_in("ann")
    await server.sign_in("user")
    for handle in HANDLES:
        name = handle.format(port=far.port)
        for path, params in (
            ("/api/v2/search", {"q": name, "resolve": "true", "type": "accounts"}),
            ("/api/v1/accounts/search", {"q": name, "resolve": "true"}),
        ):
            found = (await ask(server, "GET", path, params=params, headers=ann.headers)).json()
            assert (found["accounts"] if isinstance(found, dict) else found) == [], name
        assert (await ask(server, "GET", "/api/v1/accounts/lookup", params={"acct": name})).status_code == 404
        assert (await ask(server, "GET", "/.well-known/webfinger", params={"resource": name})).status_code in (400, 404)
        posted = await sent(server, ann, "POST", "/api/v1/statuses", status=f"hello @{name}", visibility="direct")
        assert [each["acct"] for each in posted["mentions"]] == [], name
    assert far.asked == []


@pytest.mark.parametrize(
    "name", ["a.png&proxy=http://127.0.0.1/", "a.png?x", "a.svg", "a.html", "a.json", "{28}.png\n", "{28}.php", "{28}"]
)
async def test_cve_2026_29178_a_files_name_is_from_a_closed_list(server: Server, name: str) -> None:
    """CVE-2026-29178, Akkoma 2024.03: uploads. What we did not name ourselves is not looked for."""
    path = f"/media/aa/bb/{name.replace('{28}', 'a' * 28)}"
    assert (await call(server, "GET", path, query=b"file_type=png%26proxy=http://127.0.0.1/")).status == 404


@pytest.mark.parametrize("kind", ["application/activity+json", "image/png", "text/plain", "application/ld+json"])
async def test_akkoma_2024_03_uploads_of_json_are_refused(server: Server, kind: str) -> None:
    """Akkoma 2024.03: uploads. An activity is no picture, whatever it says it is."""
    ann = await server.sign_in("ann")
    note = b'{"@context":"https://www.w3.org/ns/activitystreams","type":"Note","id":"http://localhost:3000/x"}'
    for name in ("a.json", "a.png", "a.txt"):
        files = {"file": (name, note, kind)}
        answer = await ask(server, "POST", "/api/v1/media", files=files, headers=ann.headers)
        assert answer.status_code == 422
    assert server.ports.media._files == {}  # type: ignore[attr-defined]  # the memory engine


# Text of people -------------------------------------------------------------------------------------------------------


async def test_pleroma_1_0_display_names_and_fields_are_text(server: Server) -> None:
    """Pleroma 1.0: display names; GoToSocial #2722; Pleroma 0.9: content warning; GHSA-2g66-9fr3-ppwj. Markup typed
    anywhere comes back as text, in fields of text as it was and in fields of HTML escaped."""
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    person = {
        "display_name": MARKUP[:40], "note": MARKUP, "avatar_description": MARKUP,
        "fields_attributes": [{"name": MARKUP, "value": MARKUP}, {"name": "https://x.example/", "value": f"a{MARKUP}"}],
    }  # fmt: skip
    await sent(server, ann, "PATCH", "/api/v1/accounts/update_credentials", **person)
    poll = {"options": ["<b>a</b>", MARKUP[:50]], "expires_in": 600}
    status = {"status": f"@bob {MARKUP} #a<b>", "spoiler_text": MARKUP, "poll": poll, "language": "en"}
    posted = await sent(server, ann, "POST", "/api/v1/statuses", **status)
    await server.drain()
    assert posted["spoiler_text"] == MARKUP
    assert [each["title"] for each in posted["poll"]["options"]] == poll["options"]
    at = ann.account.account_id
    for path in (
        f"/api/v1/accounts/{at}", f"/api/v1/statuses/{posted['id']}", f"/api/v1/statuses/{posted['id']}/history",
        "/api/v1/notifications", "/api/v1/timelines/public", "/api/v1/accounts/lookup?acct=ann", "/api/v2/search?q=ann",
    ):  # fmt: skip
        shown = await sent(server, bob, "GET", path)
        assert _check_html(shown) > 0, path
    for odd in ([["a", "b"]], [{"name": {"a": 1}, "value": []}], {"0": {"name": None, "value": None}}, "x", [1]):
        answer = await ask(
            server, "PATCH", "/api/v1/accounts/update_credentials", json={"fields_attributes": odd}, headers=ann.headers
        )
        assert answer.status_code in (200, 422)
        _check_html(await sent(server, bob, "GET", f"/api/v1/accounts/{at}"))


def _check_html(value: Any, name: str = "") -> int:
    """Look at every field of HTML in an answer; how many there were."""
    if isinstance(value, dict):
        return sum(_check_html(each, key) for key, each in value.items())
    if isinstance(value, list):
        return sum(_check_html(each, name) for each in value)
    if name not in HTML_FIELDS or not isinstance(value, str) or not value:
        return 0
    for element in html5lib.parseFragment(value, namespaceHTMLElements=False).iter():
        if element.tag != "DOCUMENT_FRAGMENT":
            assert element.tag in ALLOWED, value
            assert set(element.attrib) <= ALLOWED[element.tag], value
    return 1


# What exists ----------------------------------------------------------------------------------------------------------


async def test_cve_2025_67500_neither_reply_nor_boost_tells_what_exists(server: Server) -> None:
    """CVE-2025-67500: an answer to what is hidden is refused as one to nothing; a boost opens nothing."""
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    things = await belongings_of(server, ann, bob)
    refusals = set()
    for at in (things.private, things.direct, ABSENT):
        form = {"status": "x", "in_reply_to_id": str(at)}
        answer = await ask(server, "POST", "/api/v1/statuses", headers=eve.headers, json=form)
        refusals.add((answer.status_code, answer.content))
    assert [code for code, _ in refusals] == [404]
    path = f"/api/v1/statuses/{things.private}/reblog"
    boost = await sent(server, ann, "POST", path, visibility="public")
    await sent(server, ann, "POST", f"/api/v1/follow_requests/{bob.account.account_id}/authorize")
    for who, at in ((bob, things.private), (bob, things.direct), (ann, things.direct)):
        answer = await ask(server, "POST", f"/api/v1/statuses/{at}/reblog", headers=who.headers)
        assert answer.status_code == 403  # they see it, so it is told that it exists
    for who in (eve, None):
        headers = who.headers if who else {}
        assert (await ask(server, "GET", f"/api/v1/statuses/{boost['id']}", headers=headers)).status_code == 404
    named = {"status": "@eve look", "in_reply_to_id": str(things.direct), "visibility": "public"}
    reply = await sent(server, bob, "POST", "/api/v1/statuses", **named)
    around = await sent(server, eve, "GET", f"/api/v1/statuses/{reply['id']}/context")
    assert around == {"ancestors": [], "descendants": []}
