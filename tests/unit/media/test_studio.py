"""The process in which pictures are made: what it cannot do, and what happens when it is lost."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import townsquare
from tests.unit.media.made import scene, still
from townsquare.media.picture import Use
from townsquare.media.studio import TOO_LONG, Studio
from townsquare.model.errors import Invalid

pytestmark = pytest.mark.slow


async def test_a_picture_comes_back_from_the_process() -> None:
    made = await Studio().make(still("jpeg", scene(900, 600)), Use.ATTACHMENT)
    assert (made.main.width, made.main.content_type) == (900, "image/jpeg")


async def test_what_the_decoder_refuses_is_said() -> None:
    data = still("jpeg", scene(400, 300))
    with pytest.raises(Invalid, match="not a picture that can be read"):
        await Studio().make(data[: len(data) // 2], Use.ATTACHMENT)


async def test_a_process_that_takes_too_long_is_ended() -> None:
    with pytest.raises(Invalid, match=TOO_LONG):
        await Studio(timeout_s=0.03).make(still("jpeg"), Use.ATTACHMENT)
    assert not _children()


async def test_a_cancelled_request_ends_its_process() -> None:
    async with asyncio.timeout(10):
        work = asyncio.create_task(Studio().make(still("jpeg", scene(3000, 2000)), Use.ATTACHMENT))
        while not _children():  # noqa: ASYNC110  (no event tells of a process)
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert not _children()


def test_cve_2023_36460_the_process_can_open_no_file_and_no_socket() -> None:
    code = """
import os, socket, sys
from townsquare.media.child import lock_down
lock_down()
memory = lambda: bytearray(2 << 30)
for attempt in (lambda: open('/etc/passwd'), lambda: open('/tmp/x', 'w'), socket.socket, os.pipe, memory):
    try:
        attempt()
        print('done')
    except (OSError, MemoryError) as exc:
        print(type(exc).__name__)
"""
    found = subprocess.run(
        [sys.executable, "-P", "-s", "-c", code],
        env={"PYTHONPATH": str(Path(townsquare.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["OSError"] * 4 + ["MemoryError"]


def _children() -> list[str]:
    return [
        each
        for each in os.listdir("/proc")
        if each.isdigit() and _parent(each) == os.getpid() and b"media.child" in _command(each)
    ]


def _parent(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
