"""Statuses over HTTP: post, read, delete, edit, react."""

from typing import Any

import httpx
import pytest
from tests.api.conftest import Person, Server


@pytest.fixture
async def ann(server: Server) -> Person:
    return await server.sign_in("ann")


@pytest.fixture
async def bob(server: Server) -> Person:
    return await server.sign_in("bob")


async def post(server: Server, who: Person, text: str = "hello", **more: Any) -> dict[str, Any]:
    answer = await server.client.post("/api/v1/statuses", headers=who.headers, json={"status": text, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def act(server: Server, who: Person, status_id: str, verb: str, **form: Any) -> httpx.Response:
    return await server.client.post(f"/api/v1/statuses/{status_id}/{verb}", headers=who.headers, json=form)


async def test_a_post_can_be_read_by_anyone(server: Server, ann: Person, bob: Person) -> None:
    status = await post(server, ann, "hi @Bob #Tag https://example.org/x", spoiler_text="cw", language="de")
    assert status["visibility"] == "public"
    assert status["sensitive"] is True
    assert status["language"] == "de"
    assert status["mentions"][0]["acct"] == "bob"
    assert status["tags"] == [{"name": "tag", "url": "http://localhost:3000/tags/tag"}]
    assert status["favourited"] is False
    assert status["pinned"] is False
    read = (await server.client.get(f"/api/v1/statuses/{status['id']}")).json()
    assert read["content"] == status["content"]
    assert "favourited" not in read
