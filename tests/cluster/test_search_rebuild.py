"""The search index is made again by the command line while a server's people post and search."""

import threading
from pathlib import Path

import pytest

from tests.live import LiveServer, eventually, live_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


def _post_until(server: LiveServer, token: str, stop: threading.Event, made: list[str]) -> None:
    with server.client(token) as client:
        while not stop.is_set():
            answer = client.post("/api/v1/statuses", data={"status": f"heliotrope {len(made)}"})
            assert answer.status_code == 200, answer.text
            made.append(answer.json()["id"])


def test_all_is_found_during_a_rebuild_and_after_it(tmp_path: Path) -> None:
    seeding = LiveServer(None, tmp_path / "data", "")  # type: ignore[arg-type]  # only its commands are used
    seeding.cli("seed", "--people", "30", "--posts-each", "10")
    with live_server(tmp_path / "data", "--web-processes", "2") as server:
        ann = server.account("ann")
        stop, made = threading.Event(), list[str]()
        posting = threading.Thread(target=_post_until, args=(server, ann["token"], stop, made))
        with server.client(ann["token"]) as client:

            def found() -> set[str]:
                page, seen = client.get("/api/v2/search?q=heliotrope&type=statuses&limit=40"), set[str]()
                while ids := [each["id"] for each in page.json()["statuses"]]:
                    seen.update(ids)
                    page = client.get(f"/api/v2/search?q=heliotrope&type=statuses&limit=40&max_id={ids[-1]}")
                return seen

            posting.start()
            eventually(lambda: len(made) > 20)
            first = set(made)
            eventually(lambda: found().issuperset(first))
            for _ in range(2):
                rebuilt = server.cli("search", "rebuild")
                assert rebuilt["rebuilt"]
                assert rebuilt["rows"] > 300
                assert found().issuperset(first)
            stop.set()
            posting.join()
            eventually(lambda: found() == set(made))
