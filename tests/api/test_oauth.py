"""Programs that act for people: register, be allowed, get and lose tokens."""

import asyncio
import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import msgspec
import pytest

from tests.api.browsing import forms_of, log_in, send
from tests.api.conftest import Server, client_of, memory_ports
from townsquare.kit.clock import SetClock
from townsquare.model.account import Account
from townsquare.social import sign_up_form, tokens, users
from townsquare.social.ports import Ports
from townsquare.social.server_values import vapid_public_key
from townsquare.store.tables import APPS, CODES
from townsquare.web.csrf import server_key
from townsquare.web.oauth.browser import SCOPES
from townsquare.web.server.app import make_app
from townsquare.web.server.table import ALL_ROUTES

PASSWORD = "correct horse"
CALLBACK = "https://app.example/cb"
OOB = "urn:ietf:wg:oauth:2.0:oob"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def password_hash() -> str:
    return asyncio.run(users_hash())


async def users_hash() -> str:
    return await memory_ports(SetClock()).passwords.hash(PASSWORD)


async def make(ports: Ports, name: str, password_hash: str) -> Account:
    form = sign_up_form.SignUp(username=name, email=f"{name}@example.org", locale="en")
    return (await users.create_user(ports, form, password_hash=password_hash, confirmed=True))[0]


async def register(client: httpx.AsyncClient, **changed: Any) -> dict[str, Any]:
    form = {"client_name": "App", "redirect_uris": CALLBACK, "scopes": "read write follow push"} | changed
    answer = await client.post("/api/v1/apps", json=form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def query_of(app: dict[str, Any], **changed: str) -> dict[str, str]:
    query = {"response_type": "code", "client_id": app["client_id"], "redirect_uri": CALLBACK, "scope": "read write"}
    return query | changed


async def consent(client: httpx.AsyncClient, app: dict[str, Any], **changed: str) -> httpx.Response:
    """Open the consent page as somebody signed in and allow."""
    page = await client.get("/oauth/authorize", params=query_of(app, **changed))
    assert page.status_code == 200, page.text
    return await send(client, page, decision="allow")


def code_in(answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def exchange(client: httpx.AsyncClient, app: dict[str, Any], code: str, **changed: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": CALLBACK,
        "code": code,
    }
    return await client.post("/oauth/token", data=form | changed)


@pytest.fixture
async def ann(server: Server, password_hash: str) -> Account:
    """An account whose browser, the server's client, is signed in."""
    account = await make(server.ports, "ann", password_hash)
    secret, _ = await tokens.issue_token(server.ports, account_id=account.account_id, app=None, scopes=SCOPES)
    server.client.cookies.set("session", secret)
    return account


async def is_good(client: httpx.AsyncClient, token: str) -> bool:
    answer = await client.get("/api/v1/preferences", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code == 200


# Programs.


async def test_registering(server: Server) -> None:
    app = await register(server.client, website="https://app.example", redirect_uris=[CALLBACK, OOB])
    assert app["redirect_uris"] == [CALLBACK, OOB]
    assert app["redirect_uri"] == f"{CALLBACK}\n{OOB}"
    assert app["scopes"] == ["read", "write", "follow", "push"]
    assert app["client_secret_expires_at"] == 0
    assert len(base64.urlsafe_b64decode(app["vapid_key"])) == 65
    assert (await register(server.client))["vapid_key"] == app["vapid_key"]
    token = await server.client.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(app["client_id"], app["client_secret"]),
    )
    assert token.json().keys() == {"access_token", "token_type", "scope", "created_at"}
    headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
    known = (await server.client.get("/api/v1/apps/verify_credentials", headers=headers)).json()
    assert known["name"] == "App"
    assert "client_secret" not in known
    answer = await server.client.get("/api/v1/preferences", headers=headers)
    assert (answer.status_code, answer.json()) == (422, {"error": "This method requires an authenticated user"})


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"client_name": ""}, 422),
        ({"client_name": "x" * 100_000}, 422),
        ({"redirect_uris": ""}, 422),
        ({"redirect_uris": "javascript:alert(1)"}, 422),
        ({"redirect_uris": "https://a.example/cb#f"}, 422),
        ({"redirect_uris": "/cb"}, 422),
        ({"redirect_uris": "https://a.example@evil.example/"}, 422),
        ({"redirect_uris": "https://[::1/"}, 422),
        ({"redirect_uris": "https://a.example/\r\nx: y"}, 422),
        ({"redirect_uris": [CALLBACK, "data:text/html,x"]}, 422),
        ({"redirect_uris": "https://a.example/" + "x" * 100_000}, 400),
        ({"scopes": "read everything"}, 422),
        ({"website": "javascript:alert(1)"}, 422),
        ({"client_name": {"a": 1}}, 422),
    ],
)
async def test_cve_2022_36087_odd_programs_are_refused(server: Server, changed: dict[str, Any], status: int) -> None:
    form = {"client_name": "App", "redirect_uris": CALLBACK} | changed
    answer = await server.client.post("/api/v1/apps", json=form)
    assert answer.status_code == status, answer.text
    assert "error" in answer.json()


@pytest.mark.parametrize("name", ["client_name", "redirect_uris", "scopes", "website"])
async def test_cve_2026_23963_a_megabyte_is_refused_and_not_kept(server: Server, name: str) -> None:
    form = {"client_name": "App", "redirect_uris": CALLBACK} | {name: "x" * 1_000_000}
    answer = await server.client.post("/api/v1/apps", json=form)
    assert answer.status_code in (400, 422)
    assert (await server.ports.store.scan(APPS, limit=1))[0] == []


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "code_challenge"])
async def test_cve_2021_21393_a_megabyte_in_the_consent_form(server: Server, ann: Account, name: str) -> None:
    page = await server.client.get("/oauth/authorize", params=query_of(await register(server.client)))
    answer = await send(server.client, page, **{name: "x" * 1_000_000})
    assert answer.status_code in (400, 401)
    assert "location" not in answer.headers
    assert (await server.ports.store.scan(CODES, limit=1))[0] == []


async def test_cve_2019_5885_every_server_makes_its_own_keys(server: Server) -> None:
    other = memory_ports(SetClock())
    keys = {await vapid_public_key(server.ports), await vapid_public_key(other)}
    secrets = {await server_key(server.ports), await server_key(other)}
    assert len(keys) == len(secrets) == 2
    assert await vapid_public_key(server.ports) in keys
    assert await server_key(server.ports) in secrets


# Consent.


async def test_the_whole_code_flow_with_pkce_and_state(server: Server, ann: Account) -> None:
    app = await register(server.client)
    proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    sent = await consent(server.client, app, state="s&1", **proof)
    location = urlsplit(sent.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
    assert parse_qs(location.query)["state"] == ["s&1"]
    code = code_in(sent)
    assert (await exchange(server.client, app, code)).json()["error"] == "invalid_grant"
    assert (await exchange(server.client, app, code, code_verifier="w" * 43)).json()["error"] == "invalid_grant"
    token = await exchange(server.client, app, code, code_verifier=VERIFIER)
    assert token.status_code == 200
    assert token.headers["cache-control"] == "private, no-store"
    assert token.json()["scope"] == "read write"
    assert await is_good(server.client, token.json()["access_token"])


async def test_one_who_is_not_signed_in_logs_in_first(server: Server, password_hash: str) -> None:
    await make(server.ports, "ann", password_hash)
    app = await register(server.client)
    page = await server.client.get("/oauth/authorize", params=query_of(app, state="x y&z"))
    assert page.status_code == 303
    logged_in = await log_in(server.client, "ann@example.org", PASSWORD, page=page.headers["location"])
    assert logged_in.headers["location"].startswith("/oauth/authorize?")
    again = await server.client.get(logged_in.headers["location"])
    answer = await send(server.client, again, decision="allow")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["state"] == ["x y&z"]


async def test_force_login_asks_again(server: Server, ann: Account) -> None:
    app = await register(server.client)
    page = await server.client.get("/oauth/authorize", params=query_of(app, force_login="true"))
    form = await server.client.get(page.headers["location"])
    assert form.status_code == 200
    assert "login" in forms_of(form)[0].values


async def test_a_code_can_be_shown(server: Server, ann: Account) -> None:
    app = await register(server.client, redirect_uris=OOB)
    sent = await consent(server.client, app, redirect_uri=OOB)
    assert sent.headers["location"].startswith("/oauth/authorize/native?code=")
    page = await server.client.get(sent.headers["location"])
    assert code_in(sent) in page.text
    token = await exchange(server.client, app, code_in(sent), redirect_uri=OOB)
    assert token.status_code == 200


async def test_denying_tells_the_program(server: Server, ann: Account) -> None:
    app = await register(server.client)
    page = await server.client.get("/oauth/authorize", params=query_of(app, state="s"))
    answer = await send(server.client, page, decision="deny")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["error"] == ["access_denied"]
    assert query["state"] == ["s"]


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/cb/../x", "https://app.example/cb?x", "https://app.example/cb#f",
        "https://app.example.evil.example/cb", "https://app.example@evil.example/cb", "http://app.example/cb",
        "https://app.example:444/cb", "https://APP.example/cb", f"{CALLBACK} https://evil.example/", "",
        "https://app.example/cb/", "https://app.example/CB", "//app.example/cb", "https://" + "x" * 60_000,
        "https://[::1%25]/cb", "javascript:alert(1)", "http://127.0.0.1@evil.example/cb",
    ],
)  # fmt: skip
async def test_oauth_redirect_uri(server: Server, ann: Account, uri: str) -> None:
    app = await register(server.client, redirect_uris=[CALLBACK, "http://127.0.0.1/cb"])
    page = await server.client.get("/oauth/authorize", params=query_of(app, redirect_uri=uri))
    assert page.status_code == 400
    assert "location" not in page.headers
    assert not forms_of(page)


async def test_oauth_redirect_uri_twice_is_refused(server: Server, ann: Account) -> None:
    app = await register(server.client)
    pairs = [*query_of(app).items(), ("redirect_uri[]", "https://evil.example/")]
    page = await server.client.get("/oauth/authorize", params=pairs)
    assert page.status_code == 400
    assert "location" not in page.headers


async def test_oauth_redirect_uri_may_have_another_loopback_port(server: Server, ann: Account) -> None:
    app = await register(server.client, redirect_uris=["http://127.0.0.1/cb", "http://[::1]:1/cb"])
    for uri in ("http://127.0.0.1:5000/cb", "http://[::1]:6000/cb"):
        sent = await consent(server.client, app, redirect_uri=uri)
        assert sent.headers["location"].startswith(f"{uri}?code=")
        assert (await exchange(server.client, app, code_in(sent), redirect_uri=uri)).status_code == 200
    page = await server.client.get("/oauth/authorize", params=query_of(app, redirect_uri="http://127.0.0.1:5/other"))
    assert page.status_code == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "nobody"}, {"client_id": "\r\n"}, {"response_type": "token"}, {"scope": "admin:read"},
        {"scope": "everything"}, {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE}, {"code_challenge": "x", "code_challenge_method": "S256"},
    ],
)  # fmt: skip
async def test_odd_requests_are_shown_not_sent(server: Server, ann: Account, changed: dict[str, str]) -> None:
    page = await server.client.get("/oauth/authorize", params=query_of(await register(server.client), **changed))
    assert page.status_code in (400, 401)
    assert "location" not in page.headers


async def test_oauth_csrf_clickjacking(server: Server, ann: Account, password_hash: str) -> None:
    app = await register(server.client)
    page = await server.client.get("/oauth/authorize", params=query_of(app))
    (form,) = forms_of(page)
    assert form.buttons == [("decision", "allow"), ("decision", "deny")]
    without = {name: value for name, value in form.values.items() if name != "csrf"}
    await make(server.ports, "eve", password_hash)
    eve = client_of(server.app)
    await log_in(eve, "eve", PASSWORD)
    (foreign,) = forms_of(await eve.get("/oauth/authorize", params=query_of(app)))
    for values, headers in (
        (without, {}),
        (without | {"csrf": "x"}, {}),
        (without | {"csrf": foreign.values["csrf"]}, {}),
        (form.values, {"Origin": "https://evil.example"}),
        (form.values, {"Sec-Fetch-Site": "cross-site"}),
    ):
        answer = await server.client.post("/oauth/authorize", data=values | {"decision": "allow"}, headers=headers)
        assert answer.status_code == 403
        assert "location" not in answer.headers
    # A GET never approves.
    got = await server.client.get("/oauth/authorize", params=query_of(app) | {"decision": "allow"})
    assert got.status_code == 200


async def test_the_form_may_end_at_the_program_and_nowhere_else(server: Server, ann: Account) -> None:
    app = await register(server.client, redirect_uris=[CALLBACK, "myapp://x", "https://a.example;script-src/cb"])
    for uri, targets in (
        (CALLBACK, "form-action 'self' https://app.example"),
        ("myapp://x", "form-action 'self' myapp:"),
        ("https://a.example;script-src/cb", "form-action 'self'"),
    ):
        page = await server.client.get("/oauth/authorize", params=query_of(app, redirect_uri=uri))
        assert page.headers["content-security-policy"].endswith(targets)


async def test_cve_2020_26891_markup_is_shown_as_text(server: Server, ann: Account) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    app = await register(server.client, client_name=evil)
    pages = [
        await server.client.get("/oauth/authorize", params=query_of(app, state=evil)),
        await server.client.get("/oauth/authorize", params={"client_id": evil}),
        await server.client.get("/oauth/authorize/native", params={"code": evil}),
        await server.client.get("/auth/sign_in", params={"next": evil, "again": evil}),
        await server.client.get("/auth/password/edit", params={"token": evil}),
        await server.client.get("/auth/confirmation", params={"confirmation_token": evil}),
        await log_in(server.client, evil, evil, page="/auth/sign_in?again=1"),
        await send(server.client, await server.client.get("/auth/sign_up"), username=evil, email=evil, password=evil),
    ]
    for page in pages:
        assert "<img src=x" not in page.text
        assert "unsafe" not in page.headers["content-security-policy"]


# Codes and tokens.


async def test_oauth_code_is_good_once_and_a_replay_ends_its_token(server: Server, ann: Account) -> None:
    app = await register(server.client)
    code = code_in(await consent(server.client, app))
    token = (await exchange(server.client, app, code)).json()["access_token"]
    assert await is_good(server.client, token)
    answer = await exchange(server.client, app, code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert not await is_good(server.client, token)


async def test_oauth_code_fifty_at_once(server: Server, ann: Account) -> None:
    app = await register(server.client)
    code = code_in(await consent(server.client, app))
    answers = await asyncio.gather(*(exchange(server.client, app, code) for _ in range(50)))
    good = [answer for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_grant"}
    assert not await is_good(server.client, good[0].json()["access_token"])


async def test_oauth_code_of_another_program_or_address_or_too_old(server: Server, ann: Account) -> None:
    uris = [CALLBACK, "https://app.example/other"]
    app, other = await register(server.client, redirect_uris=uris), await register(server.client)
    code = code_in(await consent(server.client, app))
    assert (await exchange(server.client, other, code)).json()["error"] == "invalid_grant"
    wrong = await exchange(server.client, app, code, redirect_uri=uris[1])
    assert wrong.json()["error"] == "invalid_grant"
    assert (await exchange(server.client, app, code, client_secret="x")).json()["error"] == "invalid_client"
    assert (await exchange(server.client, app, "x" * 60_000)).json()["error"] == "invalid_grant"
    server.clock.advance(seconds=601)
    assert (await exchange(server.client, app, code)).json()["error"] == "invalid_grant"


async def test_cve_2025_62174_a_code_from_before_a_new_password_is_dead(server: Server, ann: Account) -> None:
    app = await register(server.client)
    code = code_in(await consent(server.client, app))
    server.clock.advance(seconds=1)
    await users.set_password(server.ports, ann.account_id, "another one")
    assert (await exchange(server.client, app, code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("state", [{"disabled": True}, {"confirmed": False}])
async def test_cve_2023_32682_a_closed_log_in_gets_no_token(
    server: Server, ann: Account, state: dict[str, bool]
) -> None:
    app = await register(server.client)
    code = code_in(await consent(server.client, app))
    await users.change_user(server.ports, ann.account_id, lambda user: msgspec.structs.replace(user, **state))
    assert (await exchange(server.client, app, code)).json()["error"] == "invalid_grant"
    page = await server.client.get("/oauth/authorize", params=query_of(app))
    assert page.headers["location"].startswith("/auth/sign_in")


async def test_revoking(server: Server, ann: Account) -> None:
    app, other = await register(server.client), await register(server.client)
    token = (await exchange(server.client, app, code_in(await consent(server.client, app)))).json()["access_token"]

    async def revoke(by: dict[str, Any], secret: str) -> int:
        form = {"client_id": by["client_id"], "client_secret": by["client_secret"], "token": secret}
        return (await server.client.post("/oauth/revoke", data=form)).status_code

    assert await revoke(other, token) == 403
    assert await revoke(app | {"client_secret": "x"}, token) == 403
    assert await is_good(server.client, token)
    assert await revoke(app, "nothing") == 200
    assert await revoke(app, token) == 200
    assert not await is_good(server.client, token)


async def test_grants_that_are_not_there(server: Server, ann: Account) -> None:
    app = await register(server.client, scopes="read")
    client = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
    for form, status, error in (
        ({}, 400, "invalid_request"),
        ({"grant_type": "password", "username": "ann", "password": PASSWORD}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "write"}, 400, "invalid_scope"),
        ({"grant_type": "client_credentials", "client_secret": "x"}, 401, "invalid_client"),
        ({"grant_type": "authorization_code"}, 400, "invalid_request"),
    ):
        answer = await server.client.post("/oauth/token", data=client | form)
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert answer.json()["error_description"]


async def test_the_password_grant_in_test_mode(password_hash: str) -> None:
    ports = memory_ports(SetClock(), test_mode=True)
    await make(ports, "ann", password_hash)
    async with client_of(make_app(ports, ALL_ROUTES)) as client:
        app = await register(client)
        form = {"grant_type": "password", "username": "ann@example.org", "password": PASSWORD, "scope": "read"}
        client_form = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
        answer = await client.post("/oauth/token", data=form | client_form)
        assert answer.status_code == 200
        assert await is_good(client, answer.json()["access_token"])
        wrong = await client.post("/oauth/token", data=form | client_form | {"password": "wrong"})
        assert wrong.json()["error"] == "invalid_grant"


async def test_userinfo_and_its_scope(server: Server) -> None:
    person = await server.sign_in("ann", ("profile",))
    for method in ("GET", "POST"):
        claims = (await server.client.request(method, "/oauth/userinfo", headers=person.headers)).json()
        assert claims["preferred_username"] == "ann"
        assert claims["iss"] == "http://localhost:3000/"
        assert claims["sub"].endswith(f"/ap/users/{person.account.account_id}")
    _, secret = await server.token(person.account.account_id, ("read",))
    answer = await server.client.get("/oauth/userinfo", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 403


async def test_cve_2021_33880_a_token_is_looked_up_by_its_hash(server: Server) -> None:
    person = await server.sign_in("ann")
    for wrong in (person.secret[:-1], person.secret + "x", person.secret[:-1] + "!", person.secret.swapcase()):
        answer = await server.client.get("/api/v1/preferences", headers={"Authorization": f"Bearer {wrong}"})
        assert answer.status_code == 401


async def test_every_state_that_is_sent_back_stays_one_parameter(server: Server, ann: Account) -> None:
    app = await register(server.client, redirect_uris="https://app.example/cb?fixed=1")
    uri = "https://app.example/cb?fixed=1"
    sent = await consent(server.client, app, redirect_uri=uri, state="a\r\nSet-Cookie: x=y&code=z")
    assert sent.headers["location"].startswith(f"{uri}&code=")
    assert "\n" not in sent.headers["location"]
    assert "x" not in sent.cookies
    assert len(parse_qs(urlsplit(sent.headers["location"]).query)["code"]) == 1
    assert urlencode({"state": "a\r\nSet-Cookie: x=y&code=z"}) in sent.headers["location"]
