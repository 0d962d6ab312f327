"""Where the file of rings lies: in memory, under the name in the data folder, for all who open it.

Suite: feeds.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from townsquare.feeds.placing import place
from townsquare.feeds.port import Reason
from townsquare.feeds.ring_file import RingFile


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    (tmp_path / "memory").mkdir()
    return tmp_path / "memory"


def test_a_new_file_goes_to_memory_and_is_found_again_whatever_room_is_left(tmp_path: Path, memory: Path) -> None:
    name = tmp_path / "feeds.ring"
    target = place(name, memory, room_bytes=0)
    assert target.parent.parent == memory
    assert target.parent.stat().st_mode & 0o777 == 0o700
    target.write_bytes(b"rings")
    assert name.read_bytes() == b"rings"
    assert place(name, memory, room_bytes=1 << 60) == target


def test_it_stays_on_disk_without_room_where_it_is_and_where_the_operator_says(tmp_path: Path, memory: Path) -> None:
    assert place(tmp_path / "big", memory, room_bytes=1 << 60) == tmp_path / "big"
    assert place(tmp_path / "none", tmp_path / "no such folder", room_bytes=1) == tmp_path / "none"
    (tmp_path / "old").write_bytes(b"rings")
    assert place(tmp_path / "old", memory, room_bytes=0) == tmp_path / "old"
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert place(tmp_path / "link", memory, room_bytes=0) == tmp_path / "elsewhere"
    assert list(memory.iterdir()) == []


def test_after_a_start_of_the_machine_there_is_a_new_one(tmp_path: Path, memory: Path) -> None:
    name = tmp_path / "feeds.ring"
    first = place(name, memory, room_bytes=0)
    first.parent.joinpath("of").unlink()
    first.parent.rmdir()
    first.parent.mkdir()
    first.parent.chmod(0o777)  # made by another user, who knows the name
    second = place(name, memory, room_bytes=0)
    assert second.parent != first.parent
    assert Path(os.readlink(name)) == second


def test_folders_whose_name_is_gone_are_removed(tmp_path: Path, memory: Path) -> None:
    kept, lost = place(tmp_path / "kept", memory, room_bytes=0), place(tmp_path / "lost", memory, room_bytes=0)
    lost.write_bytes(b"rings")
    (tmp_path / "lost").unlink()
    for folder in (kept.parent, lost.parent):
        os.utime(folder, (0, 0))
    newest = place(tmp_path / "new", memory, room_bytes=0)
    assert {each.name for each in memory.iterdir()} == {kept.parent.name, newest.parent.name}


async def test_rings_outlive_a_restart_and_get_room_as_they_come(tmp_path: Path) -> None:
    name = tmp_path / "feeds.ring"
    feeds = RingFile.open(name)
    few = name.stat().st_blocks
    for owner in range(1, 200):
        await feeds.fill(owner, [5], [0], floor=0)
    assert 199 * 8 * 1016 < 512 * (name.stat().st_blocks - few) < 400 * 8 * 1016
    await feeds.close()
    feeds = RingFile.open(name)
    assert await feeds.push(np.arange(1, 300), 6, Reason.FOLLOW) == 199
    await feeds.close()
