"""Timelines over HTTP."""

from typing import Any

from tests.api.conftest import Person, Server
from tests.api.test_statuses import post


async def get(server: Server, who: Person | None, path: str, **params: Any) -> list[str]:
    """The texts of a page."""
    answer = await server.client.get(path, headers=who.headers if who else {}, params=params)
    assert answer.status_code == 200, answer.text
    return [status["content"][3:-4] for status in answer.json()]


async def test_own_posts_are_home_at_once(server: Server) -> None:
    ann = await server.sign_in("ann")
    for text in ("1", "2", "3"):
        await post(server, ann, text)
        assert (await get(server, ann, "/api/v1/timelines/home"))[0] == text
    assert await get(server, ann, "/api/v1/timelines/home") == ["3", "2", "1"]


async def test_pages_of_the_local_timeline(server: Server) -> None:
    ann = await server.sign_in("ann")
    for n in range(7):
        await post(server, ann, str(n), visibility="unlisted" if n == 3 else "public")
        server.clock.advance(seconds=86_400 * 3)
    page = await server.client.get("/api/v1/timelines/public", params={"limit": 4})
    seen = [status["content"] for status in page.json()]
    while "next" in page.links:
        page = await server.client.get(page.links["next"]["url"])
        seen += [status["content"] for status in page.json()]
    assert seen == [f"<p>{n}</p>" for n in (6, 5, 4, 2, 1, 0)]
    oldest = page.json()[-1]["id"]
    assert await get(server, None, "/api/v1/timelines/public", min_id=oldest, limit=2) == ["2", "1"]
    assert await get(server, None, "/api/v1/timelines/public", since_id=oldest, limit=2) == ["6", "5"]
    assert await get(server, None, "/api/v1/timelines/public", remote=True) == []


async def test_hashtags_any_all_none(server: Server) -> None:
    ann = await server.sign_in("ann")
    for text in ("#a", "#a #B", "#c", "#b #c"):
        await post(server, ann, text)
    tag = "/api/v1/timelines/tag/A"
    assert len(await get(server, None, tag)) == 2
    assert len(await get(server, None, tag, **{"any[]": "c"})) == 4
    assert len(await get(server, None, tag, **{"all[]": "b"})) == 1
    assert len(await get(server, None, tag, **{"none[]": "b"})) == 1
    assert len(await get(server, None, tag, only_media=True)) == 0
