"""Whatever is sent to whatever route, the answer is the API's own: CVE-2025-61672, CVE-2026-23963, CVE-2021-21393,
CVE-2020-26890. Each body is what a client might send, with one part of it made bad, by a seeded choice."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
import pytest

from tests.api.belongings import Belongings, belongings_of, everything_kept
from tests.api.browsing import forms_of
from tests.api.conftest import Person, Server
from tests.api.raw import Answer, call
from townsquare.web.routes import Access, Route
from townsquare.web.server.table import ALL_ROUTES

ROUNDS = 4
LONG = "x" * 900_000
LONG = "x" * 900_000
TEXTS = [
    "", " ", "0", "-1", "1e400", "null", "true", "[]", "{}", "9" * 30, "é" * 300,
    "a\u0301" * 400, "\u202e\u2066", "\ud7ff\ue000\ufffd",
    "\r\nSet-Cookie: a=b", "../../etc/passwd", "%2e%2e%2f", "<script>", "' or 1=1 --", "javascript:alert(1)",
    "http://127.0.0.1/", "@" * 500, "#" * 500, "a.b@" * 200, "x" * 5_000, "2026-02-30T25:61:61Z",
    "0001-01-01T00:00:00Z",
    "👩‍👩‍👧‍👦" * 50, "\u0000", "\t\n\v\f", "٣", "²", "1_000", "0x10", "NaN", "Infinity",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 1.5, -0.0, 1e300, [], {}, [[]], [{}],
    [None],
    {"0": "a"}, {"0": {"id": None}}, {"-1": 1}, {"x": {"y": []}}, ["a", 1, None, {}], [0] * 300, {"": ""},
    *TEXTS,
]  # fmt: skip
_LAST = ("/auth/sign_out", "/do/posts/{id}/delete")  # after these there is less to try
WRITES = sorted(
    (route for route in ALL_ROUTES if route.method in ("POST", "PUT", "PATCH", "DELETE")),
    key=lambda route: route.path in _LAST or route.method == "DELETE",
)
READS = [route for route in ALL_ROUTES if route.method == "GET"]
QUERIES = [
    "limit", "offset", "max_id", "min_id", "since_id", "id", "id[]", "q", "type", "acct", "any[]", "types[]", "resolve",
    "local", "only_media", "exclude_types[]", "account_id", "timeline[]", "client_id", "redirect_uri", "state", "next",
    "token", "response_type", "resource", "order", "pinned", "tagged", "url", "reason", "confirmed", "again", "lang",
    "tab", "saved", "text", "reply_to", "edit", "back", "at", "part", "page",
]  # fmt: skip


_POLL = {"options": ["a", "b"], "expires_in": 600, "multiple": "true", "hide_totals": False}
_MEDIA = [{"id": "1", "description": "a", "focus": "0.1,0.2"}]
_LINE = {"name": "home", "value": "here"}
_SOURCE = {"privacy": "public", "sensitive": True, "language": "en", "quote_policy": "nobody"}
_PERSON = {
    "display_name": "Ann", "note": "hello", "locked": True, "bot": False, "discoverable": True, "indexable": True,
    "hide_collections": False, "show_media": True, "attribution_domains": ["example.org"], "source": _SOURCE,
    "fields_attributes": [_LINE], "avatar_description": "a", "header_description": "b",
}  # fmt: skip
_LOG_IN = {"login": "ann", "password": "wrong", "next": "/"}
_CLIENT = {"client_id": "a", "client_secret": "b", "redirect_uri": "https://a.example/", "scope": "read"}
_STATUS = {
    "status": "hello", "spoiler_text": "cw", "sensitive": True, "language": "en", "visibility": "public",
    "in_reply_to_id": "", "media_ids": [], "poll": _POLL, "quote_approval_policy": "nobody", "scheduled_at": "",
    "quoted_status_id": "",
}  # fmt: skip
_COMPOSED = {
    "status": "hello", "spoiler_text": "cw", "sensitive": True, "visibility": "public", "language": "en",
    "reply_to": "", "key": "k", "back": "/", "media_ids": [], "options": ["a", "b"], "expires_in": 600,
    "multiple": False, "description0": "a", "remove": "1",
}  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {  # what a client might send; one part of it is then made bad
    "POST /api/v1/accounts/{id}/follow": {"reblogs": True, "notify": False, "languages": ["en"]},
    "POST /api/v1/accounts/{id}/mute": {"notifications": True, "duration": 60},
    "POST /api/v1/accounts/{id}/note": {"comment": "a friend"},
    "PATCH /api/v1/accounts/update_credentials": _PERSON,
    "PATCH /api/v1/profile": _PERSON,
    "POST /api/v1/apps": {"client_name": "a", "redirect_uris": ["https://a.example/"], "scopes": "read", "website": ""},
    "POST /api/v1/statuses": _STATUS,
    "PUT /api/v1/statuses/{id}": {**_STATUS, "media_attributes": _MEDIA},
    "PUT /api/v1/statuses/{id}/interaction_policy": {"quote_approval_policy": "nobody"},
    "POST /api/v1/statuses/{id}/reblog": {"visibility": "public"},
    "POST /api/v1/polls/{id}/votes": {"choices": [0]},
    "PUT /api/v1/media/{id}": {"description": "a", "focus": "0,0"},
    "POST /api/v1/media": {"description": "a", "focus": "0,0", "file": "x"},
    "POST /api/v2/media": {"description": "a", "focus": "0,0", "file": "x"},
    "POST /api/v1/markers": {"home": {"last_read_id": "1"}, "notifications": {"last_read_id": "2"}},
    "DELETE /api/v1/notifications/destroy_multiple": {"ids": ["1"]},
    "POST /api/v1/accounts": {
        "username": "new", "email": "new@example.org", "password": "", "agreement": True, "locale": "en", "reason": "a"
    },
    "POST /api/v1/emails/confirmations": {"email": "a@example.org"},
    "POST /oauth/token": {**_CLIENT, "grant_type": "authorization_code", "code": "c", "code_verifier": "v" * 43},
    "POST /oauth/revoke": {**_CLIENT, "token": "t"},
    "POST /oauth/authorize": {**_CLIENT, "response_type": "code", "state": "s", "code_challenge": "c", "decision": "a"},
    "POST /auth/sign_in": _LOG_IN,
    "POST /auth/sign_up": {"username": "new", "email": "new@example.org", "password": "", "agreement": "1"},
    "POST /auth/confirmation": {"email": "a@example.org"},
    "POST /auth/confirmation/confirm": {"token": "t"},
    "POST /do/post": _COMPOSED,
    "POST /do/posts/{id}/edit": _COMPOSED,
    "POST /do/posts/{id}/favourite": {"back": "/", "at": "post-1", "part": "post"},
    "POST /do/people/{id}/follow": {"back": "/", "at": "post-1"},
    "POST /do/settings/profile": {
        "display_name": "Ann", "note": "hello", "names": ["home"], "values": ["here"], "locked": True, "bot": False,
    },
    "POST /do/settings/posting": {"privacy": "public", "language": "en", "sensitive": True},
    "POST /do/settings/look": {"look": "dark", "theme": "dark", "motion": "none", "locale": "en"},
    "POST /do/settings/email": {"email": "b@example.org", "password": ""},
    "POST /auth/password": {"email": "a@example.org"},
    "POST /auth/password/edit": {"token": "t", "password": "short"},
}  # fmt: skip
_HASHES = ("/auth/sign_in",)  # each try costs a password hash, so these get a few


class Town(NamedTuple):
    """Ann with her things, a program's own token, and what proves that a form is from our own page."""

    server: Server
    ann: Person
    things: Belongings
    program: dict[str, str]
    form: tuple[str, str]  # cookie, csrf token

    async def send(self, route: Route, kind: str, content: bytes, *, signed_in: bool = True) -> Answer:
        """Send a body as somebody who may."""
        headers = {"Content-Type": kind}
        if route.html:
            headers["Cookie"] = self.form[0] if signed_in else ""
        elif route.access is Access.APP and route.method == "POST":
            headers |= self.program
        elif signed_in:
            headers |= self.ann.headers
        return await call(
            self.server,
            route.method,
            self.things.path_of(route),
            headers=headers,
            body=content,
            query=self._proof(route),
        )

    def _proof(self, route: Route) -> bytes:
        return b"csrf=" + self.form[1].encode() if route.html else b""


@pytest.fixture
async def town(server: Server) -> Town:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    things = await belongings_of(server, ann, bob)
    app = {"client_name": "a", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": "read write"}
    made = (await server.client.post("/api/v1/apps", data=app)).json()
    grant = {"grant_type": "client_credentials", "scope": "read write"}
    token = (await server.client.post("/oauth/token", data=grant | made | {"scope": "read write"})).json()
    cookie = f"session={ann.secret}"
    page = await server.client.get("/auth/sign_in?again=1", headers={"Cookie": cookie})
    program = {"Authorization": f"Bearer {token['access_token']}"}
    return Town(server, ann, things, program, (cookie, forms_of(page)[0].values["csrf"]))


def test_the_table_of_bodies_names_routes() -> None:
    names = {f"{route.method} {route.path}" for route in WRITES}
    assert set(GOOD) <= names
    assert len(GOOD) > 25


def spoilt(random: Random, value: Any) -> Any:
    """The value with one part of it, at any depth, replaced by a bad one."""
    if isinstance(value, dict) and value and random.random() < 0.95:
        name = random.choice(list(value))
        return {**value, name: spoilt(random, value[name])}
    if isinstance(value, list) and value and random.random() < 0.6:
        return [*value[:-1], spoilt(random, value[-1])]
    return random.choice(VALUES)


def bodies(random: Random, route: Route, count: int) -> Iterator[Any]:
    """Bodies for a route: mostly good but for one part."""
    good = GOOD.get(f"{route.method} {route.path}")
    if good is None:
        for _ in range(2):
            yield {"id": random.choice(VALUES), "status": random.choice(VALUES), "back": random.choice(VALUES)}
        return
    for _ in range(3 if route.path in _HASHES else count * max(1, len(good) // 2)):
        yield spoilt(random, good)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "urlencoded", "multipart"])
async def test_cve_2025_61672_no_body_is_a_fault_of_ours(town: Town, form: str) -> None:
    """CVE-2025-61672, CVE-2020-26890: some hundred bodies over every route that takes one."""
    random = Random(f"bodies as {form}")
    codes: Counter[int] = Counter()
    for route in WRITES:
        for n, body in enumerate(bodies(random, route, ROUNDS)):
            kind, content = ENCODERS[form](body if isinstance(body, dict) or form == "json" else {"a": body})
            answer = await town.send(route, kind, content, signed_in=n % 8 > 0)
            _is_proper(answer, route, body)
            codes[answer.status] += 1
    assert min(codes[200], codes[422]) > 20  # else little was reached


def _as_json(body: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(body).encode()


def _as_form(body: dict[str, Any]) -> tuple[str, bytes]:
    return "application/x-www-form-urlencoded", urlencode(_pairs(body), errors="replace").encode()


def _as_multipart(body: dict[str, Any]) -> tuple[str, bytes]:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in _pairs(body)]
    for name in ("file", "avatar"):
        parts.append(f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="../a.png"\r\n\r\nGIF89a\r\n')
    return "multipart/form-data; boundary=b", "".join([*parts, "--b--\r\n"]).encode(errors="replace")


ENCODERS: dict[str, Any] = {"json": _as_json, "urlencoded": _as_form, "multipart": _as_multipart}


def _pairs(body: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in body.items():
        at = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, dict):
            pairs += _pairs(value, at)
        elif isinstance(value, list):
            pairs += [(f"{at}[]", str(item)) for item in value]
        else:
            pairs.append((at, str(value)))
    return pairs


def _is_proper(answer: Answer, route: Route, sent: Any) -> None:
    said = f"{route.method} {route.path} {str(sent)[:400]}: {answer.status} {answer.body[:200]!r}"
    assert answer.status < 500, said
    if answer.status >= 400 and not route.html:
        assert answer.headers["content-type"].startswith("application/json"), said
        assert answer.error, said


@pytest.mark.slow
async def test_cve_2025_61672_no_query_is_a_fault_of_ours(town: Town) -> None:
    """CVE-2025-61672, Pleroma 2.1.1: every route that reads, with odd parameters of pages and its own."""
    random = Random("queries")
    for n in range(ROUNDS * 2):
        for route in READS:
            shapes = ("", "", "[]", "[a]", "[][a]")
            names = [random.choice(QUERIES) + random.choice(shapes) for _ in range(random.randrange(1, 4))]
            pairs = [(name, random.choice(TEXTS)) for name in names]
            query = urlencode(pairs, errors="replace").encode()
            headers = {**town.ann.headers, "Cookie": town.form[0]} if n % 4 else {}
            answer = await call(town.server, "GET", town.things.path_of(route), query=query, headers=headers)
            _is_proper(answer, route, pairs)


@pytest.mark.parametrize("name", ["vote-{}", "vote-{}[]", "vote-{}[a]", "vote-{}[][a]", "vote-{}[0][0]"])
async def test_cve_2025_61672_no_vote_on_a_page_is_a_fault_of_ours(town: Town, name: str) -> None:
    """CVE-2025-61672: the name of this field holds the id of the poll."""
    (route,) = [each for each in WRITES if each.path == "/do/polls/{id}/vote"]
    things = replace(town.things, private=town.things.public)
    for value in TEXTS:
        body = [(name.format(things.private), value), ("part", "post")]
        kind, content = "application/x-www-form-urlencoded", urlencode(body, errors="replace").encode()
        _is_proper(await town._replace(things=things).send(route, kind, content), route, body)


@pytest.mark.slow
async def test_cve_2026_23963_a_megabyte_is_kept_nowhere(town: Town) -> None:
    """CVE-2026-23963, CVE-2021-21393: in each field of each route alone; none of it is found in what is kept."""
    for route in WRITES:
        good = GOOD.get(f"{route.method} {route.path}", {"id": ""})
        for name in good if route.path not in _HASHES else ():
            value = [LONG] if isinstance(good[name], list) else LONG
            _is_proper(await town.send(route, *_as_json({**good, name: value})), route, name)
    kept = await everything_kept(town.server)
    longest = max((len(msgspec.msgpack.encode(row)), name) for name, rows in kept.items() for row in rows.values())
    assert longest[0] < 20_000, longest
