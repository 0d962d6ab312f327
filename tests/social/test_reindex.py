"""The search index made again while people post, edit, delete and search."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.contract.engines import SEARCH, open_search
from tests.social.conftest import Town
from townsquare.model.account import Account
from townsquare.search.port import Query, Rebuilding
from townsquare.social.statuses import delete
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNTS
from townsquare.workers import reindex


@pytest.fixture(params=SEARCH)
async def searching(request: pytest.FixtureRequest, town: Town, tmp_path: Path) -> AsyncIterator[Town]:
    """A town with the engine."""
    engine = await open_search(request.param, tmp_path, town.clock)
    town.ports = replace(town.ports, search=engine)
    yield town
    await engine.close()


async def found(town: Town, words: str, **more: int) -> list[int]:
    return await town.ports.search.find(Query(kind="status", words=words, limit=1000, **more))


def nothing(what: str, done: int) -> None:
    """Nobody looks."""


async def test_an_index_that_was_lost_is_made_again(searching: Town) -> None:
    town = searching
    ann = await town.person("ann", indexable=True, display_name="Ann of the Hill")
    ids = [await town.post(ann, f"heather {n} #hill") for n in range(30)]
    await delete(town.ports, author=ann, status_id=ids.pop(), delete_media=True)
    await town.work()
    await town.ports.search.remove("status", ids)
    await town.ports.search.remove("account", [ann.account_id])
    assert await found(town, "heather") == []
    assert await reindex.rebuild(town.ports, nothing) >= 31
    assert await found(town, "heather") == ids[::-1]
    assert await town.ports.search.find(Query(kind="account", words="hill", limit=5)) == [ann.account_id]
    assert len(await town.ports.search.find(Query(kind="tag", words="hil", limit=5))) == 1


async def test_people_post_and_search_while_it_is_made(searching: Town) -> None:
    town = searching
    ann = await town.person("ann", indexable=True)
    before = [await town.post(ann, f"heather {n}") for n in range(60)]
    await town.work()
    posted: list[int] = []
    deleted: list[int] = []
    over = asyncio.Event()

    async def live() -> None:
        while not over.is_set():
            posted.append(await town.post(ann, f"heather new {len(posted)}"))
            if before[len(deleted) :]:
                await delete(town.ports, author=ann, status_id=before[len(deleted)], delete_media=True)
                deleted.append(before[len(deleted)])
            await town.work()
            await asyncio.sleep(0)

    async def ask() -> None:
        while not over.is_set():
            seen = set(await found(town, "heather"))
            assert seen.issuperset(posted[:-1])
            assert seen.issuperset(before[len(deleted) + 1 :])
            await asyncio.sleep(0)

    async def rebuild() -> None:
        try:
            for _ in range(3):
                await reindex.rebuild(town.ports, nothing)
        finally:
            over.set()

    async with asyncio.TaskGroup() as group:
        for act in (live, ask, rebuild):
            group.create_task(act())
    await town.work()
    assert posted
    assert await found(town, "heather") == sorted({*before, *posted}.difference(deleted), reverse=True)


async def test_it_goes_on_where_it_was_cut_off(searching: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town = searching
    monkeypatch.setattr(reindex, "_REMEMBER_EVERY", 1)
    people = [Account(account_id=n, username=f"p{n}", created_ms=0) for n in range(1, 1201)]
    await town.ports.store.write([Put(ACCOUNTS, each) for each in people])

    def cut(what: str, done: int) -> None:
        if done > 900:
            raise KeyError(done)

    with pytest.raises(KeyError):
        await reindex.rebuild(town.ports, cut)
    second: Rebuilding = await town.ports.search.rebuild()
    assert msgspec.json.decode(second.note)["done"] == 500
    heard: list[int] = []
    assert await reindex.rebuild(town.ports, lambda what, done: heard.append(done)) == 1200
    assert heard[0] == 1000
    assert len(await town.ports.search.find(Query(kind="account", words="p", limit=2000))) == 1200


async def test_whose_agreement_ended_meanwhile_is_not_found_again(searching: Town) -> None:
    town = searching
    ann = await town.person("ann", indexable=True)
    await town.post(ann, "heather")
    await town.work()
    second = await town.ports.search.rebuild()
    shy = msgspec.structs.replace(ann, indexable=False, version=ann.version + 1)
    await town.ports.store.write([Put(ACCOUNTS, shy)])
    await reindex.rebuild(town.ports, nothing)
    assert await found(town, "heather") == []
    assert len(await found(town, "heather", author=ann.account_id)) == 0
    assert second.note == ""
