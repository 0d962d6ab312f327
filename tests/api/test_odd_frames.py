"""Whatever a client says on its WebSocket, the answer is one of ours: CVE-2018-1000518, CVE-2025-62176."""

import json
from random import Random
from typing import Any

import pytest

from tests.api.conftest import Server
from tests.api.sockets import open_socket
from tests.api.test_streaming import settle

VALUES: list[Any] = [
    None, True, 0, -1, 10**40, 1.5, "", "x" * 5_000, "user", "hashtag", "list", "public", "é" * 300, "\ud7ff\u202e",
    [], {},
    [[]],
    {"a": {}}, "user:notification", "hashtag:local", "subscribe", "unsubscribe",
]  # fmt: skip
RAW: list[dict[str, Any]] = [
    {"text": ""}, {"text": "{"}, {"text": "[]"}, {"text": "null"}, {"text": '"a"'}, {"text": "\ud800"}, {"text": "\0"},
    {"text": "[" * 20_000}, {"text": '{"type":' * 5_000}, {"text": '{"type":NaN}'}, {"text": "x" * 100_000},
]  # fmt: skip


@pytest.mark.parametrize("part", range(6))
async def test_cve_2018_1000518_no_frame_is_a_fault_of_ours(
    server: Server, caplog: pytest.LogCaptureFixture, part: int
) -> None:
    """CVE-2018-1000518: answered with an error, passed over, or the connection is closed by a code of ours."""
    random = Random(f"frames {part}")
    ann = await server.sign_in("ann")
    opened = open_socket(server.app, headers=ann.headers)
    assert (await opened.next())["type"] == "websocket.accept"
    for _ in range(25):
        if random.random() < 0.3:
            frame = random.choice(RAW)
        else:
            said = {name: random.choice(VALUES) for name in ("type", "stream", "tag", "list") if random.random() < 0.8}
            if random.random() < 0.6:
                said["type"] = random.choice(["subscribe", "unsubscribe"])
            frame = {"text": json.dumps(said)}
        opened.tell({"type": "websocket.receive", **frame})
    await settle()
    errors = 0
    while not opened.is_quiet():
        event = await opened.next()
        if event["type"] == "websocket.close":
            assert event["code"] in (1003, 1008, 1009)
            break
        assert json.loads(event["text"])["status"] in (400, 401), event
        errors += 1
    assert errors > 5
    await opened.end()
    assert caplog.records == []


async def test_cve_2018_1000518_bytes_are_no_words_of_ours(server: Server) -> None:
    """CVE-2018-1000518: a frame of bytes ends the connection."""
    ann = await server.sign_in("ann")
    opened = open_socket(server.app, headers=ann.headers)
    await opened.next()
    opened.tell({"type": "websocket.receive", "bytes": b"\xff" * 1000})
    assert (await opened.next())["code"] == 1003
    await opened.end()
