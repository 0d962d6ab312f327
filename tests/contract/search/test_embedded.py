"""The index in a file: several of it, and what is left of damage.

Suite: search.
"""

from pathlib import Path

import pytest

from townsquare.kit.clock import SetClock
from townsquare.model.errors import Unavailable
from townsquare.search.embedded import EmbeddedSearch
from townsquare.search.port import Document, Query

FOX = Document(kind="status", id=1, words="red fox", version=1)


async def test_two_of_one_file_see_the_same_and_it_outlives_them(tmp_path: Path) -> None:
    one = await EmbeddedSearch.open(tmp_path / "s.db", clock=SetClock())
    two = await EmbeddedSearch.open(tmp_path / "s.db", clock=SetClock())
    await one.put([FOX])
    assert await two.find(Query(kind="status", words="fox", limit=1)) == [1]
    await two.remove("status", [1])
    assert await one.find(Query(kind="status", words="fox", limit=1)) == []
    await one.put([FOX])
    await one.close()
    await two.close()
    with pytest.raises(Unavailable):
        await one.put([FOX])
    again = await EmbeddedSearch.open(tmp_path / "s.db", clock=SetClock())
    assert await again.find(Query(kind="status", words="fox", limit=1)) == [1]
    await again.close()


@pytest.mark.parametrize("damage", [b"not a database at all" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_damaged_file_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "s.db"
    _spoil(path, damage)
    search = await EmbeddedSearch.open(path, clock=SetClock())
    await search.put([FOX])
    assert await search.find(Query(kind="status", words="fox", limit=1)) == [1]
    await search.close()


async def test_a_folder_in_its_place_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await EmbeddedSearch.open(tmp_path, clock=SetClock())


async def test_upkeep_changes_nothing_that_is_found(tmp_path: Path) -> None:
    clock = SetClock()
    search = await EmbeddedSearch.open(tmp_path / "s.db", clock=clock)
    for n in range(1, 30):
        await search.put([Document(kind="status", id=n, words="red fox", version=1)])
        clock.advance(seconds=61)
    assert await search.find(Query(kind="status", words="fox", limit=100)) == list(range(29, 0, -1))
    await search.close()


def _spoil(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
