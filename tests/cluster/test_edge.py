"""NGINX with our file, in front of two web servers: what it keeps, refuses, passes on and logs."""

import json
import re
import time
from collections.abc import Iterator

import httpx
import pytest
import websockets.sync.client as ws

from tests.cluster.town import Town, town
from tests.live import PASSWORD, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("edge")]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("edge")) as made:
        yield made


@pytest.fixture(scope="module")
def ann(here: Town) -> dict[str, str]:
    return here.account("ann")


def sign_in(client: httpx.Client, name: str) -> None:
    """Sign in as a browser does."""
    form = client.get("/auth/sign_in").text
    csrf = re.findall(r'name="csrf" value="([^"]+)"', form)[0]
    answer = client.post("/auth/sign_in", data={"csrf": csrf, "login": name, "password": PASSWORD})
    assert answer.status_code == 303, answer.text


def test_pages_are_kept_for_moments_for_those_who_are_nobody(here: Town, ann: dict[str, str]) -> None:
    with here.client() as nobody, here.client() as somebody:
        first, second = nobody.get("/about"), nobody.get("/about")
        assert [answer.headers["x-cache"] for answer in (first, second)] == ["MISS", "HIT"]
        assert first.text == second.text
        assert second.headers["cache-control"] == "private, no-cache"  # browsers ask each time
        assert "set-cookie" not in second.headers
        tag = {"If-None-Match": second.headers["etag"]}
        assert nobody.get("/about", headers=tag).status_code == 304
        sign_in(somebody, "ann")
        own = somebody.get("/about")
        assert own.headers["x-cache"] == "BYPASS"
        assert "ann" in own.text
        assert "ann" not in nobody.get("/about").text
        for headers in ({"Authorization": "Bearer x"}, {"Cookie": "session=x"}, {"Cookie": "theme=dark"}):
            assert nobody.get("/about", headers=headers).headers["x-cache"] == "BYPASS"
        eventually(lambda: nobody.get("/about").headers["x-cache"] in ("MISS", "EXPIRED"), within_s=5)


def test_forms_and_own_pages_are_never_kept(here: Town) -> None:
    for path in ("/auth/sign_in", "/auth/sign_up", "/settings", "/notifications", "/search?q=x", "/owner/secret"):
        with here.client() as client:
            answers = [client.get(path) for _ in range(2)]
        assert [answer.headers.get("x-cache") for answer in answers] == [None, None], path
    with here.client() as one, here.client() as other:
        forms = [re.findall(r'name="csrf" value="([^"]+)"', c.get("/auth/sign_in").text) for c in (one, other)]
    assert forms[0] != forms[1]


def test_answers_are_kept_as_long_as_they_say(here: Town, ann: dict[str, str]) -> None:
    with here.client() as nobody, here.client(ann["token"]) as client:
        path = "/api/v1/timelines/public?limit=3"
        assert [nobody.get(path).headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]
        answer = nobody.get(path)
        assert answer.headers["cache-control"].startswith("max-age=15, public")
        assert "x-ratelimit-limit" not in answer.headers
        own = client.get(path)
        assert own.headers["x-cache"] == "BYPASS"
        assert own.headers["cache-control"] == "private, no-store"
        assert own.headers["x-ratelimit-limit"] == "300"
        for token in (f"access_token={ann['token']}", f"access%5Ftoken={ann['token']}", f"a=1&ACCESS_token={'x'}"):
            assert nobody.get(f"{path}&{token}").headers["x-cache"] == "BYPASS"
        assert [nobody.get("/api/v2/instance").headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]
        assert "x-cache" not in nobody.get(f"/api/v1/accounts/{ann['id']}").headers


def test_what_is_posted_is_shown_to_its_author_at_once(here: Town, ann: dict[str, str]) -> None:
    with here.client(ann["token"]) as client, here.client() as nobody:
        nobody.get("/api/v1/timelines/public")
        made = client.post("/api/v1/statuses", data={"status": "now"}).json()
        assert client.get("/api/v1/timelines/public").json()[0]["id"] == made["id"]


def test_bodies_over_the_cap_are_refused_in_the_form_of_the_api(here: Town, ann: dict[str, str]) -> None:
    def pieces(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield b"x" * 65536

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with here.client(ann["token"]) as client:
        for method, path, size in (
            ("POST", "/oauth/token", 70_000),
            ("POST", "/api/v1/statuses", 1_100_000),
            ("PATCH", "/api/v1/profile", 36_000_000),
        ):
            for headers in (form, {**form, "Idempotency-Key": f"k{size}"}):
                answer = client.request(method, path, content=b"x" * size, headers=headers)
                assert answer.status_code == 413
                assert answer.json() == {"error": "The request is too large"}
                assert answer.headers["access-control-allow-origin"] == "*"
        assert client.post("/api/v1/statuses", content=pieces(20), headers=form).status_code == 413
        page = client.post("/auth/sign_in", content=b"x" * 70_000, headers=form)
        assert page.status_code == 413
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<h1>" in page.text
        picture = {"file": ("a.png", b"\x89PNG\r\n\x1a\n" + b"x" * 2_000_000)}
        assert client.post("/api/v2/media", files=picture).status_code == 422  # it was read, and is no picture


def test_cve_2026_54738_our_file_overwrites_a_clients_x_forwarded_for(here: Town) -> None:
    """CVE-2026-54738: the bucket is the address of the socket; that of this machine is not counted in test mode."""
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP")
    with here.client() as client:
        for name in names:
            for value in ("198.51.100.7", "198.51.100.7, 127.0.0.1", "for=198.51.100.7"):
                answer = client.get("/api/v1/trends", headers={name: value})
                assert answer.headers["x-ratelimit-remaining"] == "300"
    assert {line["address"] for line in here.nginx.log()} == {"127.0.0.1"}


def test_a_balancer_that_we_know_is_believed(here: Town) -> None:
    here.nginx.write(edge_proxies=["127.0.0.1"])
    here.nginx.reload()
    try:
        with here.client() as client:
            for n in range(2):
                answer = client.get("/api/v1/trends", headers={"X-Forwarded-For": "1.1.1.1, 198.51.100.7"})
                assert answer.headers["x-ratelimit-remaining"] == str(299 - n)
        eventually(lambda: here.nginx.log()[-1]["address"] == "198.51.100.7")
    finally:
        here.nginx.write(edge_proxies=[])
        here.nginx.reload()


def test_the_requests_id_is_in_the_answer_and_the_log(here: Town) -> None:
    with here.client() as client:
        made = client.get("/api/v1/trends").headers
        assert re.fullmatch(r"[0-9a-f]{32}", made["x-request-id"])
        assert made.get_list("x-request-id") == [made["x-request-id"]]
        own = client.get("/api/v1/trends", headers={"X-Request-Id": "given-by-client-1"})
        assert own.headers["x-request-id"] == "given-by-client-1"
        odd = client.get("/api/v1/trends", headers={"X-Request-Id": 'a"b c'})
        assert re.fullmatch(r"[0-9a-f]{32}", odd.headers["x-request-id"])
        assert client.post("/oauth/token", content=b"x" * 70_000).headers["x-request-id"]
        kept = {client.get("/api/v1/instance").headers["x-request-id"] for _ in range(3)}
        assert len(kept) == 3
    # A line is written after its answer has gone out.
    eventually(lambda: kept | {"given-by-client-1"} < {line["request_id"] for line in here.nginx.log()})


def test_no_secret_is_logged(here: Town) -> None:
    with here.client() as client:
        client.get("/api/v1/trends?access_token=hidden1", headers={"Referer": "http://x/?token=hidden2"})
        client.get("/owner/hidden3")
        client.get("/auth/confirmation?token=hidden4")
    eventually(lambda: "/auth/confirmation" in json.dumps(here.nginx.log()))
    text = json.dumps(here.nginx.log())
    assert "hidden" not in text


def test_streams_pass_and_stay(here: Town, ann: dict[str, str]) -> None:
    address = here.url.replace("http", "ws") + f"/api/v1/streaming?access_token={ann['token']}&stream=user"
    with (
        ws.connect(address) as socket,
        here.client(ann["token"]) as client,
        client.stream("GET", "/api/v1/streaming/user") as events,
    ):
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = events.iter_lines()
        assert next(lines) == ":)"  # at once: nothing is held back
        for n in range(3):
            client.post("/api/v1/statuses", data={"status": f"streamed {n}"}).raise_for_status()
            told = json.loads(socket.recv(timeout=10))
            assert told["event"] == "update"
            assert f"streamed {n}" in told["payload"]
            assert any(f"streamed {n}" in line for line in lines)
            time.sleep(1.2)  # a stream that is quiet for a while is part of the case


def test_answers_are_compressed(here: Town) -> None:
    with here.client() as client:
        for path in ("/api/v2/instance", "/about", "/assets/site.css"):
            answer = client.get(path, headers={"Accept-Encoding": "gzip"})
            assert answer.headers["content-encoding"] == "gzip", path
            assert "Accept-Encoding" in answer.headers["vary"]
            assert client.get(path, headers={"Accept-Encoding": "br"}).headers.get("content-encoding") in ("br", None)
            assert "content-encoding" not in client.get(path, headers={"Accept-Encoding": "identity"}).headers


def test_other_names_lead_nowhere(here: Town) -> None:
    with here.client() as client:
        assert client.get("/about", headers={"Host": "other.example"}).status_code == 421
        assert client.get("/health/ready", headers={"Host": "10.0.0.1"}).json()["ready"]
        assert client.get("/metrics").status_code == 404
