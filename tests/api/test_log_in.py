"""Sign up, log in, confirm, reset: by forms, as a browser without JavaScript does it."""

import asyncio
import re

import pytest

from tests.api.browsing import forms_of, log_in, send
from tests.api.conftest import Server, client_of, memory_ports
from townsquare.kit.clock import SetClock
from townsquare.mail.memory import MemoryMailer
from townsquare.model.account import Role
from townsquare.model.tasks import SendMail, decode_task
from townsquare.social import links, sign_up_form, users
from townsquare.social.passwords import Passwords
from townsquare.store.tables import HANDLES, OUTBOX, USERS
from townsquare.web.server.app import make_app
from townsquare.web.server.table import ALL_ROUTES
from townsquare.workers.mail import send_mail

PASSWORD = "correct horse"
FORM = {"username": "ann", "email": "ann@example.org", "password": PASSWORD, "agreement": "1"}


@pytest.fixture(scope="module")
def password_hash() -> str:
    return asyncio.run(Passwords().hash(PASSWORD))


async def make(server: Server, name: str, password_hash: str, *, confirmed: bool = True) -> int:
    form = sign_up_form.SignUp(username=name, email=f"{name}@example.org", locale="en")
    account, _ = await users.create_user(server.ports, form, password_hash=password_hash, confirmed=confirmed)
    return account.account_id


async def mails(server: Server) -> list[str]:
    """Send what waits to be sent; the links in all mails so far."""
    rows, _ = await server.ports.store.scan(OUTBOX, limit=1000)
    for task in [decode_task(body) for row in rows for body in row.tasks]:
        if isinstance(task, SendMail):
            await send_mail(task, server.ports)
            await send_mail(task, server.ports)  # a repeat sends nothing
    sent = server.ports.mail
    assert isinstance(sent, MemoryMailer)
    return [re.findall(r"http://localhost:3000(/\S*)", mail.text)[0] for mail in sent.sent]


async def test_from_sign_up_to_log_out(server: Server) -> None:
    client = server.client
    page = await send(client, await client.get("/auth/sign_up"), **FORM)
    assert page.status_code == 200
    assert "session" not in client.cookies
    refused = await log_in(client, "ann", PASSWORD)
    assert refused.status_code == 403
    assert "confirmed" in refused.text
    (link,) = await mails(server)
    assert (await client.head(link)).status_code == 200  # a scanner's look uses nothing up
    page = await client.get(link)
    assert (await send(client, page)).headers["location"] == "/auth/sign_in?confirmed=1"
    assert (await send(client, page)).status_code == 404
    assert (await client.get(link)).status_code == 404
    answer = await log_in(client, "ann", PASSWORD, page="/auth/sign_in?confirmed=1")
    assert answer.headers["location"] == "/"
    assert (await client.get("/auth/sign_in?next=/home")).headers["location"] == "/home"
    (form,) = forms_of(await client.get("/auth/sign_in?again=1"))
    out = await client.post("/auth/sign_out", data={"csrf": form.values["csrf"]})
    assert out.headers["location"] == "/"
    assert (await client.get("/auth/sign_in")).status_code == 200


async def test_csrf_on_cookie_log_in(server: Server, password_hash: str) -> None:
    await make(server, "ann", password_hash)
    client = server.client
    answer = await log_in(client, "ann", PASSWORD)
    (cookie,) = [value for value in answer.headers.get_list("set-cookie") if value.startswith("session=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert (await client.post("/auth/sign_out")).status_code == 403
    assert (await client.post("/auth/sign_out", headers={"Origin": "https://evil.example"})).status_code == 403
    body = '{"csrf": "x"}'
    headers = {"Content-Type": "text/plain"}
    assert (await client.post("/auth/sign_out", content=body, headers=headers)).status_code == 403
    # The cookie alone opens nothing in the API.
    assert (await client.get("/api/v1/preferences")).status_code == 401
    stranger = client_of(server.app)
    assert (await stranger.post("/auth/sign_in", data={"login": "ann", "password": PASSWORD})).status_code == 403


async def test_cookies_over_https_are_the_hosts_own(password_hash: str) -> None:
    ports = memory_ports(SetClock())
    ports = type(ports)(**{
        name: getattr(ports, name) for name in ports.__slots__ if name != "settings"
    } | {"settings": type(ports.settings)(url="https://square.example")})  # fmt: skip
    form = sign_up_form.SignUp(username="ann", email="ann@example.org", locale="en")
    await users.create_user(ports, form, password_hash=password_hash, confirmed=True)
    client = client_of(make_app(ports, ALL_ROUTES))
    client.base_url = "https://square.example"  # type: ignore[assignment]  # httpx takes a string
    answer = await log_in(client, "ann", PASSWORD)
    (cookie,) = [value for value in answer.headers.get_list("set-cookie") if value.startswith("__Host-session=")]
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "\\\\evil.example",
        "/a\r\nLocation: https://evil.example", "/\tx", " //evil.example", "evil.example", "", "///evil.example",
        "/" + "x" * 60_000, "/é",
    ],
)  # fmt: skip
async def test_cve_2026_33868_no_way_off_our_host(server: Server, password_hash: str, target: str) -> None:
    await make(server, "ann", password_hash)
    page = await server.client.get("/auth/sign_in")
    answer = await send(server.client, page, login="ann", password=PASSWORD, next=target)
    assert answer.headers["location"] == "/"
    again = await server.client.get("/auth/sign_in", params={"next": target})
    assert again.headers["location"] == "/"


async def test_ghsa_xgg7_8hvq_8m65_sign_up_does_not_tell_who_is_here(server: Server, password_hash: str) -> None:
    await make(server, "ann", password_hash)
    unknown = await send(
        server.client, await server.client.get("/auth/sign_up"), **FORM | {"username": "bob", "email": "b@a.org"}
    )
    known = await send(server.client, await server.client.get("/auth/sign_up"), **FORM | {"username": "carl"})
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert await server.ports.store.get(HANDLES, ("", "carl")) is None
    assert (await mails(server))[-1] == "/auth/password/new"  # the address's owner hears of it


@pytest.mark.parametrize("path", ["/auth/password/new", "/auth/confirmation"])
async def test_ghsa_qxrw_f6fh_34r7_asking_for_a_mail_tells_nothing(
    server: Server, password_hash: str, path: str
) -> None:
    await make(server, "ann", password_hash, confirmed=False)
    answers = set()
    for email in ("ann@example.org", "nobody@example.org", "x", ""):
        page = await server.client.get(path)
        answer = await send(server.client, page, email=email)
        answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    # The first is of the sign-up itself.
    assert len(await mails(server)) == 2


@pytest.mark.slow
async def test_a_new_password_by_mail(server: Server, password_hash: str) -> None:
    account_id = await make(server, "ann", password_hash)
    await log_in(server.client, "ann", PASSWORD)
    stranger = client_of(server.app)
    await send(stranger, await stranger.get("/auth/password/new"), email="Ann@Example.org")
    (link,) = await mails(server)
    server.clock.advance(seconds=1)
    form = await stranger.get(link)
    assert (await send(stranger, form, password="short")).status_code == 422
    assert (await send(stranger, form, password="another one")).status_code == 200
    assert (await stranger.get(link)).status_code == 404
    assert (await server.client.get("/auth/sign_in")).status_code == 200, "the old session is over"
    assert (await log_in(stranger, "ann", PASSWORD)).status_code == 422
    assert (await log_in(stranger, "ann", "another one")).status_code == 303
    user = await server.ports.store.get(USERS, (account_id,))
    assert user is not None
    assert user.confirmed


@pytest.mark.slow
async def test_cve_2022_2166_guessing_at_one_name_ends(server: Server, password_hash: str) -> None:
    await make(server, "ann", password_hash)
    owner = client_of(server.app, address="198.51.100.1")
    assert (await log_in(owner, "ann", PASSWORD)).status_code == 303
    codes = []
    for n in range(11):
        page = await server.client.get("/auth/sign_in")
        answer = await send(server.client, page, login=("ann", "ANN@example.org")[n % 2], password="wrong")
        codes.append(answer.status_code)
    assert codes == [422] * 10 + [429]
    assert answer.headers["retry-after"]
    page = await owner.get("/auth/sign_in?again=1")
    assert (await send(owner, page, login="ann", password=PASSWORD)).status_code == 303


async def test_faults_are_told_and_what_was_typed_stays(server: Server) -> None:
    page = await send(server.client, await server.client.get("/auth/sign_up"), **FORM | {"username": "a b"})
    assert page.status_code == 422
    (form,) = forms_of(page)
    assert form.values["username"] == "a b"
    assert form.values["password"] == ""
    assert "letters, numbers and underscores" in page.text


async def test_test_mode_signs_in_at_once() -> None:
    ports = memory_ports(SetClock(), test_mode=True)
    client = client_of(make_app(ports, ALL_ROUTES))
    answer = await send(client, await client.get("/auth/sign_up"), **FORM)
    assert answer.headers["location"] == "/"
    assert client.cookies["session"]


async def test_closed_sign_ups_are_closed() -> None:
    ports = memory_ports(SetClock(), sign_ups=False)
    client = client_of(make_app(ports, ALL_ROUTES))
    assert (await client.get("/auth/sign_up")).status_code == 403
    (form,) = forms_of(await client.get("/auth/sign_in"))
    answer = await client.post("/auth/sign_up", data=FORM | {"csrf": form.values["csrf"]})
    assert answer.status_code == 403
    assert (await ports.store.scan(USERS, limit=1))[0] == []


async def test_the_owners_link(server: Server) -> None:
    link = await links.owner_link(server.ports)
    assert link is not None
    path = link.removeprefix("http://localhost:3000")
    assert (await server.client.get("/owner/guess")).status_code == 404
    page = await server.client.get(path)
    assert (await send(server.client, page, **FORM | {"password": "x"})).status_code == 422
    answer = await send(server.client, page, **FORM | {"username": "admin"})
    assert answer.headers["location"] == "/"
    assert (await server.client.get(path)).status_code == 404
    contact = (await server.client.get("/api/v2/instance")).json()["contact"]["account"]
    assert contact["username"] == "admin"
    assert contact["roles"][0]["name"] == Role.OWNER.title()
