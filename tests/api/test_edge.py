"""What stands before the web server."""

import dataclasses
from typing import Any, cast

import httpx

from tests.api.conftest import URL, Server
from townsquare.edge.addresses import RealAddresses
from townsquare.edge.health import Health
from townsquare.feeds.memory import MemoryFeeds
from townsquare.model.errors import Unavailable
from townsquare.queue.port import Message
from townsquare.social.ports import Ports
from townsquare.social.readiness import Look, Readiness
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Key, R, Table
from townsquare.store.tables import TABLES
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


class Away(MemoryFeeds):
    """Rings that may be away."""

    away = False

    async def has(self, account: int) -> bool:
        if self.away:
            raise Unavailable("Redis does not answer at 10.0.0.7:6379")
        return await super().has(account)


class Silent(MemoryStore):
    """A store that may be away."""

    away = False

    async def get(self, table: Table[R], key: Key) -> R | None:
        if self.away:
            raise Unavailable("The store does not answer")
        return await super().get(table, key)


async def test_health(server: Server) -> None:
    store, feeds = Silent(TABLES, clock=server.clock), Away()
    await server.ports.streaming.start()
    health = Health(cast(Any, server.app), Readiness(dataclasses.replace(server.ports, store=store, feeds=feeds)))
    async with client(health) as asking:
        assert (await asking.get("/health/live")).text == "OK"
        for path in ("/health", "/health/ready", "/health/ready/"):
            answer = await asking.get(path)
            assert answer.status_code == 200
            assert answer.json()["ready"]
        checks = {name: look["ok"] for name, look in answer.json()["checks"].items()}
        assert checks == {"store": True, "queue": True, "feeds": True, "streaming": True}
        assert (await asking.get("/health/other")).status_code == 404
        store.away = True
        answer = await asking.get("/health/ready")
        assert (answer.status_code, answer.json()["checks"]["store"]) == (503, {"ok": False})
        assert (await asking.get("/health/live")).status_code == 200
        store.away = False
        assert (await asking.get("/health/ready")).status_code == 200
        feeds.away = True
        server.clock.advance(seconds=3)
        answer = await asking.get("/health/ready")
        assert (answer.status_code, answer.json()["checks"]["feeds"]) == (200, {"ok": False})
        assert "10.0.0.7" not in answer.text
        health.stop()
        answer = await asking.get("/health/ready")
        assert (answer.status_code, answer.json()["stopping"]) == (503, True)
        assert "connection" not in answer.headers
        health.end()
        assert (await asking.get("/health/live")).headers["connection"] == "close"


async def test_readiness_tells_how_long_work_waits(server: Server) -> None:
    began_ms = server.clock.ms
    await server.ports.queue.put([Message(lane="fan_out", key=1, id=1, body=b"x")])
    server.clock.advance(seconds=90)
    report = await Readiness(server.ports).report()
    assert report.ready
    oldest_s = report.checks["queue"].oldest_s
    assert report.checks["queue"] == Look(answers=True, waiting=1, oldest_s=oldest_s)
    assert oldest_s is not None
    assert 90 <= oldest_s <= (server.clock.ms - began_ms) / 1000
