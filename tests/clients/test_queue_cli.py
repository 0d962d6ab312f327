"""`townsquare queue`, as an operator types it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_cli import Shell
from townsquare.kit.clock import SystemClock
from townsquare.model.tasks import IndexStatus, encode_task
from townsquare.queue.port import Delivery, Message
from townsquare.queue.sqlite import SqliteQueue

pytestmark = pytest.mark.slow  # each opens a server's engines several times


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """With a server whose queue holds five messages, three of them parked: two of `index`, one of `mail`."""
    shell = Shell(tmp_path / "data")
    shell.make("ada")
    asyncio.run(_fill(shell.data / "queue.db"))
    return shell


async def _fill(path: Path) -> None:
    queue = await SqliteQueue.open(path, clock=SystemClock())
    task = encode_task(IndexStatus(7))
    consumer = queue.consume(["index", "mail"])
    while signed_up := await consumer.take(limit=9, wait_s=0.1):
        await consumer.done(signed_up)
    await queue.put([Message(lane="index", key=n, id=n, body=task) for n in (1, 2, 3, 4)])
    await queue.put([Message(lane="mail", key=5, id=5, body=b"nothing that can be read")])
    taken = list[Delivery]()
    while len(taken) < 5:
        taken += await consumer.take(limit=9, wait_s=5)
    for delivery in taken:
        if delivery.message.id in (1, 2, 5):
            await consumer.park(delivery, reason=f"reason {delivery.message.id}")
    await consumer.close()
    await queue.close()


def parked(shell: Shell) -> list[str]:
    return [one["id"] for one in shell.json("queue", "list", "--parked")["parked"]]


def lanes(shell: Shell) -> dict[str, Any]:
    return {one["lane"]: (one["waiting"], one["parked"]) for one in shell.json("queue", "list")["lanes"]}


def test_list_says_what_waits_and_what_is_parked_and_why(shell: Shell) -> None:
    found = shell.json("queue", "list")
    first = found["parked"][0]
    assert (first["lane"], first["id"], first["task"], first["tries"], first["reason"]) == (
        "index", "1", "IndexStatus", 1, "reason 1",
    )  # fmt: skip
    assert first["parked_at"].endswith("Z")
    assert [(one["id"], one["task"]) for one in found["parked"]] == [
        ("1", "IndexStatus"),
        ("2", "IndexStatus"),
        ("5", "?"),
    ]
    assert lanes(shell)["index"] == (2, 2)
    assert lanes(shell)["mail"] == (0, 1)


def test_list_for_people(shell: Shell) -> None:
    said = shell.type("queue", "list").stdout
    for word in ("lane", "waiting", "oldest", "IndexStatus", "reason 2", " 0 s"):
        assert word in said
    assert "waiting" not in shell.type("queue", "list", "--parked").stdout


def test_list_of_one_lane(shell: Shell) -> None:
    found = shell.json("queue", "list", "--lane", "mail")
    assert [one["lane"] for one in found["lanes"]] == ["mail"]
    assert [one["id"] for one in found["parked"]] == ["5"]
    assert "no lane mial" in shell.refused("queue", "list", "--lane", "mial")
    assert len(shell.json("queue", "list", "--limit", "1")["parked"]) == 1


def test_retry_one_and_all(shell: Shell) -> None:
    assert shell.json("queue", "retry", "index", "2") == {"lane": "index", "retried": 1}
    assert parked(shell) == ["1", "5"]
    assert lanes(shell)["index"] == (3, 1)
    assert shell.json("queue", "retry", "index", "--all")["retried"] == 1
    assert shell.json("queue", "retry", "index", "--all")["retried"] == 0
    assert parked(shell) == ["5"]


def test_what_is_not_parked_is_refused_with_a_sentence(shell: Shell) -> None:
    assert "no parked message 3 in the lane index" in shell.refused("queue", "retry", "index", "3")
    assert "no parked message 1 in the lane mail" in shell.refused("queue", "drop", "mail", "1", "--yes")
    assert "or all of the lane" in shell.refused("queue", "retry", "index", code=2)
    assert "or all of the lane" in shell.refused("queue", "drop", "index", "1", "--all", "--yes", code=2)
    assert parked(shell) == ["1", "2", "5"]


def test_drop_asks_first(shell: Shell) -> None:
    refused = shell.type("queue", "drop", "index", "1", typed="n\n")
    assert refused.exit_code == 1
    assert "never done" in refused.stderr
    assert parked(shell) == ["1", "2", "5"]
    assert shell.type("queue", "drop", "index", "1", typed="y\n").exit_code == 0
    assert parked(shell) == ["2", "5"]
    assert shell.json("queue", "drop", "index", "--all", "--yes") == {"lane": "index", "dropped": 1}
    assert parked(shell) == ["5"]
    assert lanes(shell)["index"] == (2, 0)
