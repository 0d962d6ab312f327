"""`townsquare top` and `townsquare report`, as an operator types them."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from tests.clients.test_cli import Shell
from townsquare.boot import open_ports
from townsquare.model.facts import DAY_MS, Fact, fact_id
from townsquare.settings import read_settings

POSTS = 3


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """With a server that has an account."""
    shell = Shell(tmp_path / "data")
    shell.make("ada")
    return shell


def put(shell: Shell, *facts: Fact) -> None:
    """Have the server know these facts."""

    async def act() -> None:
        async with open_ports(read_settings(data=str(shell.data))) as ports:
            await ports.analytics.put(facts)

    asyncio.run(act())


def fact(kind: str, number: int, at_ms: int, **fields: object) -> Fact:
    return Fact(id=fact_id(kind, number, at_ms), kind=kind, at_ms=at_ms, **fields)  # type: ignore[arg-type]  # by name


def test_top_tells_once_how_it_stands(shell: Shell) -> None:
    now_ms = time.time_ns() // 1_000_000
    minute_ms = now_ms // 60_000 * 60_000
    posts = [fact("post", n, minute_ms - 5 * 60_000, actor=1, object=n) for n in range(POSTS)]
    requests = [
        fact("request", 1, minute_ms - 60_000, value=240, label="api 2xx"),
        fact("request", 2, minute_ms - 60_000, value=12, label="api 5xx"),
    ]
    put(shell, *posts, *requests, fact("error", 1, now_ms - 1000, label="web"), fact("active_day", 1, now_ms - 10))
    found = shell.json("top", "--once")
    assert found["requests"] == [{"name": "api", "per_second": 2.1, "failed_per_second": 0.1}]
    assert found["requests_from"] == "facts"
    assert found["active_today"] == 1
    assert sum(each or 0 for each in found["posts"]) == POSTS
    assert found["posts_per_minute"] > 0
    assert found["faults"] == [{"name": "web", "count": 1}]
    assert found["complete_to"].endswith("Z")
    assert all(lane["waiting"] >= 0 for lane in found["lanes"])
    drawn = shell.type("top", "--once").stdout
    assert "active today 1" in drawn
    assert re.search(r"api\s+2\.1\s+0\.1", drawn)


def test_top_knows_nothing_of_a_new_server(shell: Shell) -> None:
    found = shell.json("top", "--once")
    assert (found["requests"], found["requests_from"], found["faults"]) == (None, "", [])
    assert "not known" in shell.type("top", "--once").stdout


def test_report_holds_all_it_needs(shell: Shell, tmp_path: Path) -> None:
    at_ms = 1_793_577_600_000  # 2026-11-02
    put(
        shell,
        *(fact("post", n, at_ms + n * DAY_MS, actor=1, object=n, visibility="public") for n in range(POSTS)),
        fact("tag", 1, at_ms, actor=1, object=1, label="<b>|x"),
    )
    file = tmp_path / "november.html"
    made = shell.json("report", "--month", "2026-11", "--out", str(file))
    assert (made["month"], made["format"], made["file"]) == ("2026-11", "html", str(file))
    text = file.read_text()
    assert text.startswith("<!doctype html>")
    assert '<svg role="img"' in text
    assert "<script" not in text
    assert not re.search(r'(?:src|rel="stylesheet" href)=', text.partition("</style>")[2])
    assert "<b>|x" not in text
    assert "Posts 3 in all" in text


def test_report_as_markdown(shell: Shell, tmp_path: Path) -> None:
    at_ms = 1_793_577_600_000
    put(shell, fact("post", 1, at_ms, actor=1, object=1), fact("tag", 1, at_ms, actor=1, object=1, label="<b>|x"))
    file = tmp_path / "november.md"
    shell.json("report", "--month", "2026-11", "--out", str(file))
    text = file.read_text()
    assert "## Activity" in text
    assert "| Mon 2 Nov 2026" in text
    assert "█" in text
    assert r"\<b\>\|x" in text


def test_report_refuses_what_is_no_month(shell: Shell) -> None:
    assert "2026-11" in shell.refused("report", "--month", "November", code=2)
    assert "has not begun" in shell.refused("report", "--month", "2199-01", code=2)
    assert "no time zone" in shell.refused("report", "--month", "2020-01", "--zone", "Nowhere")
