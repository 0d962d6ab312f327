"""Forms of our own pages: whose they are, who may send them, what they do without a session."""

import pytest

from tests.api.conftest import Person, Server
from townsquare.model.errors import Forbidden
from townsquare.social.ports import Ports
from townsquare.web.csrf import csrf_token
from townsquare.web.known_devices import remember_device
from townsquare.web.limits import LOG_IN_KNOWN, LOG_IN_NAME, LOG_IN_NAME_NETWORK, count_log_in
from townsquare.web.routes import Access, Limit, Request, Response, Route


async def show(request: Request, ports: Ports) -> Response:
    """A page with a form."""
    return Response(csrf_token(request).encode(), content_type="text/html; charset=utf-8")


async def take(request: Request, ports: Ports) -> Response:
    """Take the form."""
    return Response(str(request.account_id).encode(), content_type="text/html; charset=utf-8")


async def log_in(request: Request, ports: Ports) -> Response:
    """Try to log in; the password is `good`."""
    await count_log_in(ports, request, request.params["name"])
    if request.params["password"] != "good":
        raise Forbidden("Wrong password")
    remember_device(request, request.params["name"])
    return Response(b"in", content_type="text/html; charset=utf-8")


def page(method: str, path: str, handler: object, access: Access = Access.PUBLIC) -> Route:
    return Route(method, path, handler, access=access, html=True, limit=Limit.NONE)  # type: ignore[arg-type]  # short


ROUTES = [
    page("GET", "/form", show),
    page("POST", "/form", take),
    page("GET", "/own", show, Access.USER),
    page("POST", "/own", take, Access.USER),
    page("GET", "/log_in", show),
    page("POST", "/log_in", log_in),
]


def cookie(person: Person) -> dict[str, str]:
    return {"session": person.secret}


async def test_a_form_works_with_its_own_token_alone(server: Server) -> None:
    ann, eve = await server.sign_in("ann"), await server.sign_in("eve")
    async with server.with_routes(ROUTES) as client:
        client.cookies.update(cookie(ann))
        token = (await client.get("/own")).text
        assert (await client.post("/own", data={"csrf": token})).text == str(ann.account.account_id)
        for given in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "é"}, {"csrf[]": token}):
            assert (await client.post("/own", data=given)).status_code == 403
        client.cookies.clear()
        client.cookies.update(cookie(eve))
        assert (await client.post("/own", data={"csrf": token})).status_code == 403


async def test_csrf_a_form_works_before_log_in_too(server: Server) -> None:
    async with server.with_routes(ROUTES) as client:
        answer = await client.get("/form")
        assert "HttpOnly; SameSite=Lax" in answer.headers["set-cookie"]
        assert (await client.post("/form", data={"csrf": answer.text})).text == "0"
        client.cookies.clear()
        assert (await client.post("/form", data={"csrf": answer.text})).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:3000.evil.example"},
    ],
)
async def test_csrf_forms_of_other_sites_are_refused(server: Server, headers: dict[str, str]) -> None:
    ann = await server.sign_in("ann")
    async with server.with_routes(ROUTES) as client:
        client.cookies.update(cookie(ann))
        token = (await client.get("/own")).text
        assert (await client.post("/own", data={"csrf": token}, headers=headers)).status_code == 403
        ours = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-origin"}
        assert (await client.post("/own", data={"csrf": token}, headers=ours)).status_code == 200


async def test_csrf_the_api_takes_no_cookie(server: Server) -> None:
    ann = await server.sign_in("ann")
    server.client.cookies.update(cookie(ann))
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json"):
        answer = await server.client.post("/api/v1/statuses", content="status=x", headers={"Content-Type": kind})
        assert answer.status_code in (400, 401)


async def test_who_must_sign_in_is_sent_there_and_back(server: Server) -> None:
    async with server.with_routes(ROUTES) as client:
        answer = await client.get("/own?a=1&b=//evil.example")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/auth/sign_in?next=%2Fown%3Fa%3D1%26b%3D%2F%2Fevil.example"
        assert (await client.post("/own")).headers["location"] == "/auth/sign_in"
        client.cookies["session"] = "nonsense"
        assert (await client.get("/form")).status_code == 200


async def test_pages_carry_a_strict_policy(server: Server) -> None:
    async with server.with_routes(ROUTES) as client:
        headers = (await client.get("/form")).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"].startswith("private")
        assert headers["vary"] == "Cookie"


async def test_cve_2022_2166_guessing_is_stopped_and_the_owner_still_gets_in(server: Server) -> None:
    async with server.with_routes(ROUTES) as owner:
        data = {"csrf": (await owner.get("/log_in")).text, "name": "1", "password": "good"}
        assert (await owner.post("/log_in", data=data)).status_code == 200
        done = 0
        while done < LOG_IN_NAME.limit - 1:
            async with server.with_routes(ROUTES, address=f"198.51.100.{done % 250}") as thief:
                guess = {"csrf": (await thief.get("/log_in")).text, "name": "1", "password": "bad"}
                for _ in range(LOG_IN_NAME_NETWORK.limit):
                    if done == LOG_IN_NAME.limit - 1:
                        break
                    assert (await thief.post("/log_in", data=guess)).status_code == 403
                    done += 1
                else:
                    assert (await thief.post("/log_in", data=guess)).status_code == 429
        async with server.with_routes(ROUTES, address="203.0.113.9") as thief:
            guess = {"csrf": (await thief.get("/log_in")).text, "name": "1", "password": "good"}
            answer = await thief.post("/log_in", data=guess)
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) > 0
        assert (await owner.post("/log_in", data=data)).status_code == 200
        for _ in range(LOG_IN_KNOWN.limit - 1):
            await owner.post("/log_in", data={**data, "password": "bad"})
        assert (await owner.post("/log_in", data=data)).status_code == 429
