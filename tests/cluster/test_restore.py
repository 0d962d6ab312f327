"""A backup that was made under load, restored into another folder, shows what was acknowledged before it."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live import LiveServer, eventually, free_port, live_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


def _post_until(server: LiveServer, token: str, stop: threading.Event, made: list[str]) -> None:
    with server.client(token) as client:
        while not stop.is_set():
            answer = client.post("/api/v1/statuses", data={"status": f"under load {len(made)}"})
            assert answer.status_code == 200, answer.text
            made.append(answer.json()["id"])


def _seen(client: httpx.Client, people: list[str]) -> dict[str, Any]:
    """What a person sees of the server, as far as it does not depend on the load."""

    def get(path: str) -> Any:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    profiles = {each: get(f"/api/v1/accounts/{each}") for each in people}
    search = get("/api/v2/search?q=the&type=statuses&limit=40")["statuses"]
    return {
        "home": [status["id"] for status in get("/api/v1/timelines/home?limit=40")],
        "public": [
            (status["id"], status["content"], status["favourites_count"], status["reblogs_count"])
            for status in get("/api/v1/timelines/public?limit=40")
        ],
        "people": {
            each: (row["username"], row["followers_count"], row["following_count"], row["statuses_count"])
            for each, row in profiles.items()
        },
        "statuses": {each: [s["id"] for s in get(f"/api/v1/accounts/{each}/statuses?limit=40")] for each in people},
        "found": sorted(status["id"] for status in search),
        "tags": sorted(tag["name"] for tag in get("/api/v2/search?q=b&type=hashtags&limit=40")["hashtags"]),
        "accounts": sorted(account["id"] for account in get("/api/v2/search?q=a&type=accounts&limit=40")["accounts"]),
        "notices": [(n["type"], n["account"]["id"]) for n in get("/api/v1/notifications?limit=40")],
        "pictures": {
            media["id"]: client.get(media["url"].replace("localhost", "127.0.0.1")).content
            for status in get("/api/v1/timelines/public?only_media=true&limit=10")
            for media in status["media_attachments"]
        },
    }


def test_restored_server_is_the_same(tmp_path: Path) -> None:
    port = free_port()
    seeding = LiveServer(None, tmp_path / "data", "")  # type: ignore[arg-type]  # only its commands are used
    seeding.cli("seed", "--people", "30", "--mean-follows", "8", "--posts-each", "3", "--pictures", "0.1")
    with live_server(tmp_path / "data", "--web-processes", "2", port=port) as server:
        people = [row["id"] for row in server.cli("accounts", "list")]
        ann, load = server.account("ann"), server.account("load")
        with server.client(ann["token"]) as client:
            for each in people[:10]:
                assert client.post(f"/api/v1/accounts/{each}/follow").status_code == 200
            mine = client.post("/api/v1/statuses", data={"status": "the first of ann"}).json()["id"]
        (reader,) = [server.cli("tokens", "create", row["username"], "--scopes", "read write")["token"]
                     for row in server.cli("accounts", "list") if row["id"] == people[0]]  # fmt: skip
        with server.client(reader) as client:
            assert client.post(f"/api/v1/statuses/{mine}/favourite").status_code == 200
        stop, made = threading.Event(), list[str]()
        posting = threading.Thread(target=_post_until, args=(server, load["token"], stop, made))
        posting.start()
        eventually(lambda: len(made) > 20)
        before = len(made)
        saved = server.cli("backup", str(tmp_path / "saved.tar"))
        stop.set()
        posting.join()
        assert saved["media"] > 0
        with server.client(ann["token"]) as client, server.client(reader) as other:
            eventually(lambda: client.get("/api/v1/notifications").json())
            was, others = _seen(client, people), _seen(other, people)
    restoring = LiveServer(None, tmp_path / "again", "")  # type: ignore[arg-type]  # only its commands are used
    assert restoring.cli("restore", str(tmp_path / "saved.tar"))["indexed"] > 100
    with live_server(tmp_path / "again", "--web-processes", "1", port=port) as server, ExitStack() as stack:
        client, other = (stack.enter_context(server.client(token)) for token in (ann["token"], reader))
        path = f"/api/v1/accounts/{load['id']}"
        total = eventually(lambda: client.get(path).json()["statuses_count"] >= before and client.get(path).json())
        kept = {row["id"] for row in _all(client, f"{path}/statuses")}
        assert set(made[:before]) <= kept <= set(made)
        eventually(lambda: client.get(path).json()["statuses_count"] == len(kept))
        assert total["username"] == "load"
        for whose, now in ((was, client), (others, other)):
            eventually(lambda: not _unlike(whose, _seen(now, people), made, kept))  # noqa: B023 - called here
            assert _unlike(whose, _seen(now, people), made, kept) == {}


def _unlike(was: dict[str, Any], now: dict[str, Any], made: list[str], kept: set[str]) -> dict[str, Any]:
    """Where the two differ, apart from what was posted after the moment of the backup."""
    later = set(made) - kept
    then = {**was, "public": [row for row in was["public"] if row[0] not in later]}
    newer = {**now, "public": now["public"][: len(then["public"])]}
    return {name: (then[name], newer[name]) for name in then if then[name] != newer[name]}


def _all(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        rows = client.get(f"{path}?limit=40" + (f"&max_id={found[-1]['id']}" if found else "")).json()
        if not rows:
            return found
        found += rows
