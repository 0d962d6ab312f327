"""Signing up by the API."""

from typing import Any

import pytest

from tests.api.conftest import Server, client_of, memory_ports
from townsquare.kit.clock import SetClock
from townsquare.social import links
from townsquare.social.apps import register
from townsquare.social.ports import Ports
from townsquare.social.tokens import issue_token
from townsquare.store.tables import ACCOUNTS
from townsquare.web.server.app import make_app
from townsquare.web.server.table import ALL_ROUTES

FORM = {
    "username": "ann",
    "email": "ann@example.org",
    "password": "correct horse",
    "agreement": True,
    "locale": "en",
}


async def app_token(ports: Ports, scopes: str = "read write") -> dict[str, str]:
    app, _ = await register(ports, name="App", redirect_uris="https://a.example/", scopes=scopes, website="")
    secret, _ = await issue_token(ports, account_id=0, app=app, scopes=app.scopes)
    return {"Authorization": f"Bearer {secret}"}


async def test_the_token_works_when_the_address_is_confirmed(server: Server) -> None:
    client = server.client
    answer = await client.post("/api/v1/accounts", json=FORM, headers=await app_token(server.ports))
    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "token_type", "scope", "created_at"}
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    pending = await client.get("/api/v1/preferences", headers=headers)
    assert (pending.status_code, pending.json()) == (403, {"error": "Your login is missing a confirmed e-mail address"})
    check = await client.get("/api/v1/emails/check_confirmation", headers=headers)
    assert check.json() is False
    moved = await client.post("/api/v1/emails/confirmations", json={"email": "a@b.org"}, headers=headers)
    assert (moved.status_code, moved.json()) == (200, {})
    bad = await client.post("/api/v1/emails/confirmations", json={"email": "x"}, headers=headers)
    assert bad.status_code == 422
    (account,) = (await server.ports.store.scan(ACCOUNTS, limit=2))[0]
    link = await links.make_link(server.ports, kind=links.CONFIRM, account_id=account.account_id, email="a@b.org")
    await links.confirm_email(server.ports, secret=link[-43:])
    assert (await client.get("/api/v1/preferences", headers=headers)).status_code == 200
    assert (await client.get("/api/v1/emails/check_confirmation", headers=headers)).json() is True
    over = await client.post("/api/v1/emails/confirmations", headers=headers)
    assert over.status_code == 403


@pytest.mark.parametrize(
    ("changed", "field", "code"),
    [
        ({"username": None}, "username", "ERR_BLANK"),
        ({"username": "admin"}, "username", "ERR_RESERVED"),
        ({"agreement": False}, "agreement", "ERR_ACCEPTED"),
        ({"agreement": None}, "agreement", "ERR_ACCEPTED"),
        ({"password": "short"}, "password", "ERR_TOO_SHORT"),
        ({"email": "nothing"}, "email", "ERR_INVALID"),
        ({"reason": "x" * 20_000}, "reason", "ERR_TOO_LONG"),
        ({"username": {"a": []}}, "username", "ERR_INVALID"),
        ({"username": ["a"]}, "username", "ERR_INVALID"),
    ],
)
async def test_faults_by_field(server: Server, changed: dict[str, Any], field: str, code: str) -> None:
    headers = await app_token(server.ports)
    answer = await server.client.post("/api/v1/accounts", json=FORM | changed, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("Validation failed: ")
    assert answer.json()["details"][field][0]["error"] == code
    assert (await server.ports.store.scan(ACCOUNTS, limit=1))[0] == []


async def test_who_may_not(server: Server) -> None:
    client = server.client
    assert (await client.post("/api/v1/accounts", json=FORM)).status_code == 401
    read_only = await app_token(server.ports, "read")
    assert (await client.post("/api/v1/accounts", json=FORM, headers=read_only)).status_code == 403
    closed = memory_ports(SetClock(), sign_ups=False)
    async with client_of(make_app(closed, ALL_ROUTES)) as other:
        answer = await other.post("/api/v1/accounts", json=FORM, headers=await app_token(closed))
    assert (answer.status_code, answer.json()) == (403, {"error": "This action is not allowed"})


async def test_in_test_mode_the_token_works_at_once() -> None:
    ports = memory_ports(SetClock(), test_mode=True)
    async with client_of(make_app(ports, ALL_ROUTES)) as client:
        answer = await client.post(
            "/api/v1/accounts", data=FORM | {"agreement": "true"}, headers=await app_token(ports)
        )
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert (await client.get("/api/v1/preferences", headers=headers)).status_code == 200
