"""Small habits of the API that clients count on: links of lists, caching, what needs a token, what is not there."""

import pytest

from tests.api.conftest import Server

PEOPLE = ("bob", "cat", "dan")


@pytest.mark.parametrize("kind", ["block", "mute"])
async def test_lists_of_relations_lead_back_by_since_id(server: Server, kind: str) -> None:
    ann = await server.sign_in("ann")
    for name in PEOPLE:
        other = await server.sign_in(name)
        await server.client.post(f"/api/v1/accounts/{other.account.account_id}/{kind}", headers=ann.headers)
    answer = await server.client.get(f"/api/v1/{kind}s", params={"limit": 2}, headers=ann.headers)
    assert len(answer.json()) == 2
    assert "since_id=" in answer.links["prev"]["url"]
    assert "max_id=" in answer.links["next"]["url"]
    rest = await server.client.get(answer.links["next"]["url"], headers=ann.headers)
    assert len(rest.json()) == 1
    assert "next" not in rest.links
    back = await server.client.get(rest.links["prev"]["url"], headers=ann.headers)
    assert back.json() == answer.json()


@pytest.mark.parametrize(
    ("path", "caching"),
    [
        ("/.well-known/nodeinfo", "max-age=259200, public"),
        ("/nodeinfo/2.0", "max-age=1800, public"),
        ("/api/v2/instance", "max-age=300, public, stale-while-revalidate=30, stale-if-error=86400"),
        ("/api/v1/timelines/public", "max-age=15, public, stale-while-revalidate=30, stale-if-error=86400"),
        ("/api/v1/trends/tags", "private, no-store"),
    ],
)
async def test_how_long_answers_may_be_kept(server: Server, path: str, caching: str) -> None:
    answer = await server.client.get(path)
    assert answer.headers["cache-control"] == caching
    if "public" in caching:
        tag = answer.headers["etag"]
        assert tag.startswith('W/"')
        again = await server.client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")


async def test_search_goes_further_only_with_a_token(server: Server) -> None:
    ann = await server.sign_in("ann")
    for more in ({"offset": "2"}, {"resolve": "true"}):
        params = {"q": "ann", **more}
        assert (await server.client.get("/api/v2/search", params=params)).status_code == 401
        assert (await server.client.get("/api/v2/search", params=params, headers=ann.headers)).status_code == 200
    assert (await server.client.get("/api/v2/search", params={"q": "ann"})).status_code == 200


async def test_what_is_not_there_yet_is_not_found(server: Server) -> None:
    ann = await server.sign_in("ann")
    for method, path in (
        ("POST", "/api/v1/lists"),
        ("POST", "/api/v2/filters"),
        ("GET", "/api/v1/push/subscription"),
        ("POST", "/api/v1/tags/x/follow"),
        ("POST", "/api/v1/reports"),
    ):
        answer = await server.client.request(method, path, headers=ann.headers)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})
