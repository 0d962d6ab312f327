"""A running server moves into another store, and back."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.live import LiveServer, environment, eventually, free_port, live_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


def typed(command: str, data: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "townsquare", command, "--data", str(data), *words],
        capture_output=True, text=True, env=environment(), check=False, timeout=120,
    )  # fmt: skip


def copy(data: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return typed("copy", data, *words, "--json")


def post(server: LiveServer, token: str, text: str, **form: Any) -> str:
    with server.client(token) as client:
        answer = client.post("/api/v1/statuses", data={"status": text, **form})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])


def test_a_server_moves_while_people_post_and_a_killed_copy_goes_on(tmp_path: Path) -> None:
    data, port, to = tmp_path / "data", free_port(), "sqlite:moved.db"
    with live_server(data, "--web-processes", "1", port=port) as server:
        ann = server.account("ann")
        wanted = {post(server, ann["token"], f"before {n}") for n in range(5)}
        gone = post(server, ann["token"], "deleted later")
        first = subprocess.Popen(
            [sys.executable, "-m", "townsquare", "copy", "--data", str(data), "--to", to],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        eventually((data / "moved.db").exists, within_s=30)
        first.kill()
        first.wait()
        posting = threading.Event()

        def post_on() -> None:
            n = 0
            while not posting.is_set():
                wanted.add(post(server, ann["token"], f"meanwhile {n}"))
                n += 1
                time.sleep(0.05)

        thread = threading.Thread(target=post_on)
        thread.start()
        done = copy(data, "--to", to)
        posting.set()
        thread.join()
        assert done.returncode == 0, done.stderr
        with server.client(ann["token"]) as client:
            assert client.delete(f"/api/v1/statuses/{gone}").status_code == 200
        wanted.add(post(server, ann["token"], "after"))
        refused = copy(data, "--to", to, "--final")
        assert refused.returncode == 1
        assert "Still in use by" in refused.stderr
        assert server.stop() == 0
    rest = typed("workers", data, "--once")  # what was noted while it stopped
    assert rest.returncode == 0, rest.stderr
    done = copy(data, "--to", to, "--final")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["whole"]
    tables = {each["table"]: each for each in outcome["tables"]}
    assert tables["statuses"]["rows"] >= len(wanted)
    assert all(each["rows"] == each["target_rows"] for each in outcome["tables"])
    again = copy(data, "--to", to, "--final")
    assert again.returncode == 2
    assert "whole" in again.stderr
    (data / "townsquare.db").rename(data / "old.db")
    toml = data / "townsquare.toml"
    toml.write_text('store = "sqlite:moved.db"\n')
    with live_server(data, "--web-processes", "1", port=port) as server:
        with server.client(ann["token"]) as client:
            page = client.get(f"/api/v1/accounts/{ann['id']}/statuses?limit=40").json()
        assert [each["id"] for each in page] == sorted(wanted, key=int, reverse=True)[:40]
        assert post(server, ann["token"], "in the new place") > max(wanted, key=int)


def test_a_store_that_is_being_filled_serves_nobody(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with live_server(data, "--web-processes", "1") as server:
        server.account("ann")
        assert copy(data, "--to", "sqlite:moved.db").returncode == 0
    (data / "townsquare.toml").write_text('store = "sqlite:moved.db"\n')
    done = subprocess.run(
        [sys.executable, "-m", "townsquare", "run", "--data", str(data), "--bind", f"127.0.0.1:{free_port()}"],
        capture_output=True, text=True, env=environment(), check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "townsquare copy --final" in done.stderr
