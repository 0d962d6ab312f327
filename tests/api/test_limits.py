"""Rate limits over HTTP."""

import pytest

from tests.api.conftest import Server, client_of, memory_ports
from townsquare.kit.clock import SetClock
from townsquare.social.ports import Ports
from townsquare.web.limits import PAGING, RULES, Per, Rule, network_of
from townsquare.web.routes import Access, Limit, Request, Response, Route
from townsquare.web.server.app import make_app


async def empty(request: Request, ports: Ports) -> Response:
    """Answer with nothing."""
    return Response(b"{}")


def routes(limit: Limit = Limit.API) -> list[Route]:
    return [Route("GET", "/api/v1/x", empty, access=Access.PUBLIC, limit=limit)]


OWN = [(limit, rules[-1]) for limit, rules in RULES.items() if limit not in (Limit.NONE, Limit.API)]


@pytest.mark.parametrize(("limit", "rule"), OWN, ids=[limit.value for limit, _ in OWN])
async def test_ghsa_84ch_each_limit_refuses_exactly_the_next(server: Server, limit: Limit, rule: Rule) -> None:
    async with server.with_routes(routes(limit)) as client:
        for n in range(rule.limit):
            answer = await client.get("/api/v1/x")
            assert answer.status_code == 200
            assert int(answer.headers["x-ratelimit-remaining"]) == rule.limit - n - 1
        answer = await client.get("/api/v1/x")
        assert (answer.status_code, answer.json()) == (429, {"error": "Too many requests"})
        assert answer.headers["x-ratelimit-limit"] == str(rule.limit)
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert int(answer.headers["retry-after"]) <= rule.window_s
        server.clock.advance(seconds=rule.window_s)
        assert (await client.get("/api/v1/x")).status_code == 200


@pytest.mark.slow
async def test_ghsa_84ch_tokens_and_users_have_their_own(server: Server) -> None:
    ann = await server.sign_in("ann")
    secrets = [ann.secret, *[(await server.token(ann.account.account_id))[1] for _ in range(5)]]
    async with server.with_routes(routes()) as client:
        codes = []
        for secret in secrets:
            headers = {"Authorization": f"Bearer {secret}"}
            codes.append([(await client.get("/api/v1/x", headers=headers)).status_code for _ in range(301)])
        assert [code.count(200) for code in codes] == [300] * 5 + [0]
        assert all(code[300] == 429 for code in codes)
        assert (await client.get("/api/v1/x")).status_code == 200


async def test_ghsa_84ch_pages_of_lists(server: Server) -> None:
    async with server.with_routes(routes()) as client:
        for n in range(PAGING.limit + 1):
            if n == 200:
                server.clock.advance(seconds=300)
            answer = await client.get("/api/v1/x?max_id=1")
            assert answer.status_code == (200 if n < PAGING.limit else 429)


async def test_cve_2023_49952_what_a_client_says_of_its_address_counts_for_nothing(server: Server) -> None:
    async with server.with_routes(routes(Limit.SIGN_UP)) as client:
        names = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "X-RateLimit-Bypass")
        for n in range(5):
            assert (await client.get("/api/v1/x/", headers={names[n]: f"198.51.100.{n}"})).status_code == 200
        for name in names:
            assert (await client.get("/api/v1/x", headers={name: "198.51.100.9"})).status_code == 429


async def test_mastodon_ipv6_one_network_is_one_bucket(server: Server) -> None:
    for n in range(6):
        async with server.with_routes(routes(Limit.SIGN_UP), address=f"2001:db8:1:2::{n:x}") as client:
            assert (await client.get("/api/v1/x")).status_code == (200 if n < 5 else 429)
    async with server.with_routes(routes(Limit.SIGN_UP), address="2001:db8:1:3::1") as client:
        assert (await client.get("/api/v1/x")).status_code == 200
    assert network_of("::ffff:192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    ("test_mode", "address", "code"), [(1, "127.0.0.1", 200), (0, "127.0.0.1", 429), (1, "192.0.2.1", 429)]
)
async def test_loopback_is_free_only_in_test_mode(test_mode: int, address: str, code: int) -> None:
    ports = memory_ports(SetClock(), test_mode=bool(test_mode))
    async with client_of(make_app(ports, routes(Limit.SIGN_UP)), address=address) as client:
        answers = [await client.get("/api/v1/x") for _ in range(6)]
        assert answers[-1].status_code == code


def test_every_route_limit_has_rules() -> None:
    assert set(RULES) == set(Limit)
    assert all(rule.per in Per for rules in RULES.values() for rule in rules)
