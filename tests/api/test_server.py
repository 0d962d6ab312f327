"""The HTTP door: errors, headers, caching, sharing between origins, access."""

import msgspec
import pytest

from tests.api.conftest import Server
from townsquare.model.errors import Invalid, NotFound, Unavailable
from townsquare.social.ports import Ports
from townsquare.social.sessions import drop_sessions
from townsquare.store.port import Put
from townsquare.store.tables import TOKENS
from townsquare.web.routes import Access, CacheClass, Request, Response, Route, json_response
from townsquare.web.server.app import make_app


async def echo(request: Request, ports: Ports) -> Response:
    """Say what was read."""
    return json_response(
        {
            "params": request.params,
            "path": dict(request.path_params),
            "me": request.account_id,
            "files": {name: [file.filename, file.size] for name, file in request.files.items()},
        }
    )


async def fail(request: Request, ports: Ports) -> Response:
    """Fail as asked."""
    match request.params["how"]:
        case "missing":
            raise NotFound
        case "invalid":
            raise Invalid("Validation failed: Text can't be blank", {"text": [("ERR_BLANK", "can't be blank")]})
        case "away":
            raise Unavailable("The store does not answer just now")
        case "header":
            return Response(b"{}", headers=(("location", "/a\r\nset-cookie: x=1"),))
    raise RuntimeError("a fault of ours")


def route(method: str = "GET", path: str = "/api/v1/echo", **more: object) -> Route:
    return Route(method, path, echo, **{"access": Access.PUBLIC, **more})  # type: ignore[arg-type]  # names as they are


FAIL = Route("GET", "/api/v1/fail", fail, access=Access.PUBLIC)


async def test_unknown_paths_and_methods_answer_in_the_form_of_the_api(server: Server) -> None:
    async with server.with_routes([route()]) as client:
        answer = await client.get("/api/v1/nothing")
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})
        assert (await client.get("/nothing")).headers["content-type"] == "text/html; charset=utf-8"
        answer = await client.post("/api/v1/echo")
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_head_and_a_trailing_slash_are_taken(server: Server) -> None:
    async with server.with_routes([route()]) as client:
        assert (await client.get("/api/v1/echo/")).status_code == 200
        answer = await client.head("/api/v1/echo")
        assert answer.content == b""
        assert int(answer.headers["content-length"]) > 0


async def test_answers_carry_the_headers_of_the_api(server: Server) -> None:
    async with server.with_routes([route()]) as client:
        headers = (await client.get("/api/v1/echo")).headers
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert headers["cache-control"] == "private, no-store"
        assert headers["vary"] == "Authorization, Origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")
        assert headers["x-ratelimit-limit"] == "300"
        assert headers["x-ratelimit-remaining"] == "299"
        assert headers["x-ratelimit-reset"].endswith("000Z")
        assert headers["x-request-id"]
        assert "access-control-allow-origin" not in headers


async def test_other_origins_may_use_the_api_without_cookies(server: Server) -> None:
    async with server.with_routes([route()]) as client:
        answer = await client.get("/api/v1/echo", headers={"Origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Link" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        asked = {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,x-y",
        }
        answer = await client.options("/api/v1/echo", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-headers"] == "authorization,x-y"
        assert "DELETE" in answer.headers["access-control-allow-methods"]
        answer = await client.get("/api/v1/nothing", headers={"Origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_errors_become_statuses(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with server.with_routes([FAIL]) as client:
        answer = await client.get("/api/v1/fail?how=missing")
        assert (answer.status_code, answer.json()) == (404, {"error": "Record not found"})
        answer = await client.get("/api/v1/fail?how=invalid")
        assert answer.status_code == 422
        assert answer.json()["details"] == {"text": [{"error": "ERR_BLANK", "description": "can't be blank"}]}
        answer = await client.get("/api/v1/fail?how=away")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        answer = await client.get("/api/v1/fail?how=other")
        assert answer.status_code == 500
        assert "fault of ours" not in answer.text
        assert answer.headers["x-request-id"] in caplog.text


async def test_cve_2020_7695_line_ends_never_end_a_header(server: Server) -> None:
    async with server.with_routes([FAIL]) as client:
        answer = await client.get("/api/v1/fail?how=header")
        assert answer.headers["location"] == "/a%0D%0Aset-cookie: x=1"
        assert "set-cookie" not in answer.headers


async def test_cve_2020_7694_logs_stay_one_line_a_request(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    routes = [Route("GET", "/api/v1/fail/{name}", fail, access=Access.PUBLIC)]
    async with server.with_routes(routes) as client:
        assert (await client.get("/api/v1/fail/a%0Ab%1B%5B1m?how=x")).status_code == 500
    assert "a\\nb\\x1b[1m" in caplog.records[-1].getMessage()


async def test_public_answers_are_tagged_and_not_sent_twice(server: Server) -> None:
    async with server.with_routes([route(cache=CacheClass.INSTANCE)]) as client:
        first = await client.get("/api/v1/echo")
        assert first.headers["etag"].startswith('W/"')
        again = await client.get("/api/v1/echo", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first.headers["vary"] == "Accept, Origin"


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("bytes=0-1", 206, b"ab"),
        ("bytes=4-", 206, b"ef"),
        ("bytes=-2", 206, b"ef"),
        ("bytes=0-99", 206, b"abcdef"),
        ("bytes=6-", 416, b""),
        ("bytes=3-1", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=-", 200, b"abcdef"),
        ("bytes=0-0,2-3", 200, b"abcdef"),
        ("lines=1-2", 200, b"abcdef"),
    ],
)
async def test_parts_of_files(server: Server, asked: str, status: int, body: bytes) -> None:
    async def file(request: Request, ports: Ports) -> Response:
        """A file."""
        return Response(b"abcdef", content_type="image/png")

    routes = [Route("GET", "/file", file, access=Access.PUBLIC, cache=CacheClass.IMMUTABLE)]
    async with server.with_routes(routes) as client:
        answer = await client.get("/file", headers={"Range": asked})
        assert (answer.status_code, answer.content) == (status, body)
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_cve_2026_25540_a_timeline_is_public_only_for_visitors(server: Server) -> None:
    ann = await server.sign_in("ann")
    async with server.with_routes([route(cache=CacheClass.TIMELINE)]) as client:
        assert "public" in (await client.get("/api/v1/echo")).headers["cache-control"]
        answer = await client.get("/api/v1/echo", headers=ann.headers)
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["vary"] == "Authorization, Origin"


async def test_undocumented_and_doubled_routes_stop_the_start(server: Server) -> None:
    async def silent(request: Request, ports: Ports) -> Response:
        return Response(b"")

    with pytest.raises(ValueError, match="docstring"):
        make_app(server.ports, [Route("GET", "/api/v1/x", silent)])
    with pytest.raises(ValueError, match="twice"):
        make_app(server.ports, [route(), route()])


@pytest.mark.parametrize("path", ["/media/..%2f..%2fconfig", "/media/%2e%2e/config", "//media/a", "/media/a%5cb"])
async def test_cve_2025_46559_paths_that_lead_elsewhere_lead_nowhere(server: Server, path: str) -> None:
    async with server.with_routes([route(path="/media/{key:path}")]) as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.get("/media/a/b")).status_code == 200


async def test_bodies_of_all_kinds_mean_the_same(server: Server) -> None:
    async with server.with_routes([route("POST")]) as client:
        expected = {"a": ["x", "y"], "b": {"c": "d"}}
        form = "a[]=x&a[]=y&b[c]=d"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        for answer in (
            await client.post("/api/v1/echo", json=expected),
            await client.post("/api/v1/echo", content=form, headers=kind),
            await client.post(f"/api/v1/echo?{form}"),
            await client.post("/api/v1/echo", data={"a[]": ["x", "y"], "b[c]": "d"}, files={"f": ("n.png", b"12345")}),
        ):
            assert answer.json()["params"] == expected
        assert answer.json()["files"] == {"f": ["n.png", 5]}


@pytest.mark.parametrize(
    "body", ['{"a":NaN}', '{"a":[Infinity]}', '{"a":1e400}', '{"a":' + "9" * 100_000 + "}", '{"a":"\\ud800"}', "{"]
)
async def test_cve_2020_26890_numbers_that_are_none_are_refused(server: Server, body: str) -> None:
    async with server.with_routes([route("POST")]) as client:
        answer = await client.post("/api/v1/echo", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["error"]


@pytest.mark.parametrize(
    "body", ['{"a":' + "[" * 100 + "]" * 100 + "}", '{"a":' * 5000 + "1" + "}" * 5000, '"\\u0000"']
)
async def test_cve_2025_61672_deep_and_odd_json_is_never_a_fault(server: Server, body: str) -> None:
    async with server.with_routes([route("POST")]) as client:
        answer = await client.post("/api/v1/echo", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 400)


@pytest.mark.parametrize("query", ["a=%ff", "a=%00", "a[b]=1&a[]=2", "a[b][c][d][e][f][g][h][i]=1", "a=1&" * 1001])
async def test_queries_that_cannot_be_read_are_refused(server: Server, query: str) -> None:
    async with server.with_routes([route()]) as client:
        assert (await client.get(f"/api/v1/echo?{query}")).status_code == 400


async def test_a_body_over_the_cap_of_its_route_is_refused(server: Server) -> None:
    async with server.with_routes([route("POST", body_limit_bytes=100)]) as client:
        assert (await client.post("/api/v1/echo", json={"a": "x" * 100})).status_code == 413

        async def chunks():
            for _ in range(3):
                yield b"a" * 50

        assert (await client.post("/api/v1/echo", content=chunks())).status_code == 413
        assert (await client.post("/api/v1/echo", json={"a": "x"})).status_code == 200


async def test_access_by_token(server: Server) -> None:
    ann = await server.sign_in("ann")
    _, app = await server.token(0)
    routes = [route(access=Access.USER, scope=("read:statuses",)), route(path="/api/v1/open", scope=("write:lists",))]
    async with server.with_routes(routes) as client:
        answer = await client.get("/api/v1/echo")
        assert (answer.status_code, answer.json()) == (401, {"error": "The access token is invalid"})
        assert answer.headers["www-authenticate"].startswith("Bearer")
        for given in ({"headers": ann.headers}, {"params": {"access_token": ann.secret}}):
            answer = await client.get("/api/v1/echo", **given)
            assert answer.json()["me"] == ann.account.account_id
            assert answer.json()["params"] == {}
        answer = await client.get("/api/v1/echo", headers={"Authorization": f"Bearer {app}"})
        assert (answer.status_code, answer.json()["error"]) == (422, "This method requires an authenticated user")
        _, narrow = await server.token(ann.account.account_id, ["read:accounts"])
        for path in ("/api/v1/echo", "/api/v1/open"):
            answer = await client.get(path, headers={"Authorization": f"Bearer {narrow}"})
            assert (answer.status_code, answer.json()["error"]) == (403, "This action is outside the authorized scopes")
        assert (await client.get("/api/v1/open")).status_code == 200
        assert (await client.get("/api/v1/open", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_cve_2025_62174_a_revoked_token_is_dead_at_once(server: Server) -> None:
    ann = await server.sign_in("ann")
    async with server.with_routes([route(access=Access.USER)]) as client:
        assert (await client.get("/api/v1/echo", headers=ann.headers)).status_code == 200
        await server.ports.store.write([Put(TOKENS, msgspec.structs.replace(ann.token, revoked=True))])
        await drop_sessions(server.ports, ann.account.account_id, [ann.token.token_hash])
        answer = await client.get("/api/v1/echo", headers=ann.headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "The access token was revoked")


@pytest.mark.parametrize("state", [{"confirmed": False}, {"approved": False}, {"disabled": True}])
async def test_cve_2025_27399_a_closed_log_in_opens_nothing(server: Server, state: dict[str, bool]) -> None:
    ann = await server.sign_in("ann", **state)
    routes = [
        route(access=Access.USER),
        route(path="/api/v1/guarded", scope=("read:statuses",)),
        route(path="/api/v1/instance"),
        route(path="/api/v1/pending", access=Access.PENDING),
    ]
    async with server.with_routes(routes) as client:
        assert (await client.get("/api/v1/echo", headers=ann.headers)).status_code == 403
        assert (await client.get("/api/v1/guarded", headers=ann.headers)).status_code == 403
        assert (await client.get("/api/v1/instance", headers=ann.headers)).json()["me"] == 0
        expected = 403 if "disabled" in state else 200
        assert (await client.get("/api/v1/pending", headers=ann.headers)).status_code == expected
