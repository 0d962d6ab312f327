"""What stands before the web server."""

from typing import Any, cast

import httpx

from tests.api.conftest import URL, Server
from townsquare.edge.addresses import RealAddresses
from townsquare.edge.health import Health
from townsquare.model.errors import Unavailable
from townsquare.social.ports import Ports
from townsquare.web.routes import Access, Request, Response, Route, json_response
from townsquare.web.server.app import make_app


async def address(request: Request, ports: Ports) -> Response:
    """Say where the client comes from."""
    return json_response(request.address)


def client(app: object) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=cast(Any, app), client=("127.0.0.1", 1))
    return httpx.AsyncClient(transport=transport, base_url=URL)


async def test_the_application_sees_the_real_address(server: Server) -> None:
    app = make_app(server.ports, [Route("GET", "/api/v1/address", address, access=Access.PUBLIC)])
    headers = {"X-Forwarded-For": "1.1.1.1, 198.51.100.1"}
    async with client(RealAddresses(cast(Any, app), ["127.0.0.1"])) as believing:
        assert (await believing.get("/api/v1/address", headers=headers)).json() == "198.51.100.1"
    async with client(RealAddresses(cast(Any, app), [])) as doubting:
        assert (await doubting.get("/api/v1/address", headers=headers)).json() == "127.0.0.1"


async def test_health(server: Server) -> None:
    faults: list[Exception] = []

    async def check() -> None:
        if faults:
            raise faults[0]

    health = Health(cast(Any, server.app), check)
    async with client(health) as asking:
        for path in ("/health", "/health/live", "/health/ready", "/health/ready/"):
            assert (await asking.get(path)).text == "OK"
        assert (await asking.get("/health/other")).status_code == 404
        faults.append(Unavailable("The store does not answer"))
        assert (await asking.get("/health/ready")).status_code == 503
        assert (await asking.get("/health/live")).status_code == 200
        faults.clear()
        health.stop()
        assert (await asking.get("/health/ready")).status_code == 503
