"""What every index promises.

Suite: search.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.engines import SEARCH, open_search
from townsquare.kit.clock import SetClock
from townsquare.search.embedded import EmbeddedSearch
from townsquare.search.memory import MemorySearch
from townsquare.search.port import Document, Search

ANN, BEN = 101, 102


@pytest.fixture(params=SEARCH)
async def search(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Search]:
    engine = await open_search(request.param, tmp_path, SetClock())
    yield engine
    await engine.close()


def status(status_id: int, words: str, **more: Any) -> Document:
    return Document(kind="status", id=status_id, words=words, version=more.pop("version", 1), **more)


def account(account_id: int, name: str, words: str, **more: Any) -> Document:
    return Document(kind="account", id=account_id, name=name, words=words, version=1, **more)


async def found(search: Search, words: str, **more: Any) -> list[int]:
    kind, reader, limit = more.pop("kind", "status"), more.pop("reader", 0), more.pop("limit", 20)
    return await search.find(kind, words, reader=reader, limit=limit, **more)


async def test_statuses_that_hold_all_the_words_newest_first(search: Search) -> None:
    await search.put([status(2, "The red fox"), status(9, "a fox, red!"), status(5, "red herring")])
    assert await found(search, "fox red") == [9, 2]
    assert await found(search, "RED") == [9, 5, 2]
    assert await found(search, "red fox blue") == []


async def test_the_last_word_may_be_a_beginning(search: Search) -> None:
    await search.put([status(1, "lighthouse keeper"), status(2, "keep the light")])
    assert await found(search, "lighth") == [1]
    assert await found(search, "light keep") == [2]
    assert await found(search, "light") == [2, 1]
    assert await found(search, "l") == []


async def test_case_accents_and_widths_make_no_difference(search: Search) -> None:
    await search.put([status(1, "Ein Café in STRASSE Ångström ﬁn")])
    for words in ("cafe", "CAFÉ", "Cafe\u0301", "straße", "angstrom", "ＣＡＦＥ", "fin"):
        assert await found(search, words) == [1], words


async def test_scripts_without_spaces(search: Search) -> None:
    await search.put(
        [status(1, "今日は東京都に行きます"), status(2, "京都と東"), status(3, "привет мир"), status(4, "안녕하세요")]
    )
    assert await found(search, "東京") == [1]
    assert await found(search, "京都") == [2, 1]
    assert await found(search, "Привет") == [3]
    assert await found(search, "안녕") == [4]


@pytest.mark.parametrize(
    "words",
    [
        "", " ", "@", "@@@@", "#", '"', "'", "*", "a*", "-a", "+", "^a", "a OR b", "NOT a", "NEAR(a b)", "words : a",
        "{a}", "(", ")", "a AND", '"a', "a\0b", "\ud800", "\x00", " " * 100_000, "(" * 1000, "a " * 1000, "x" * 100_000,
        "%", "_", "🦊", ";--", "\\", "who : 0", "e\u0301", "\u0301",
    ],
)  # fmt: skip
async def test_no_query_is_an_error_and_none_is_slow(search: Search, words: str) -> None:
    await search.put([status(1, "nothing of the sort")])
    for kind in ("status", "account", "tag"):
        before_s = time.process_time()
        assert await found(search, words, kind=kind) == []
        assert time.process_time() - before_s < 1.0


async def test_operators_are_words(search: Search) -> None:
    await search.put([status(1, "black or white"), status(2, "black"), status(3, "not near and words")])
    assert await found(search, "black OR white") == [1]
    assert await found(search, "NOT near") == [3]
    assert await found(search, "words:and") == []
    assert await found(search, "b*ack") == []


async def test_nobody_finds_what_is_for_others(search: Search) -> None:
    await search.put(
        [
            status(1, "secret plan", readers=(ANN, BEN), author=ANN),
            status(2, "secret plan", readers=(ANN,), author=ANN),
            status(3, "public plan"),
            status(4, "nobody's plan", readers=()),
        ]
    )
    assert await found(search, "plan", reader=ANN) == [3, 2, 1]
    assert await found(search, "plan", reader=BEN) == [3, 1]
    assert await found(search, "plan") == [3]
    assert await found(search, "plan", reader=1) == [3]
    assert await found(search, "101 plan") == []


async def test_by_author_and_between_ids(search: Search) -> None:
    await search.put([status(n, "tick", author=n % 2 + ANN) for n in range(1, 11)])
    assert await found(search, "tick", author=ANN) == [10, 8, 6, 4, 2]
    assert await found(search, "tick", below=5) == [4, 3, 2, 1]
    assert await found(search, "tick", above=8) == [10, 9]
    assert await found(search, "tick", author=BEN, below=8, above=2) == [7, 5, 3]
    assert await found(search, "tick", limit=3) == [10, 9, 8]
    assert await found(search, "tick", limit=3, offset=2) == [8, 7, 6]
    assert await found(search, "tick", limit=0) == []
    assert await found(search, "tick", below=1 << 70, above=-(1 << 70), limit=1) == [10]


async def test_accounts_exact_name_then_beginnings_then_words_by_weight(search: Search) -> None:
    await search.put(
        [
            account(1, "annette", "Annette", weight=50),
            account(2, "ann", "The First", weight=0),
            account(3, "ben", "Ann's brother", weight=900),
            account(4, "anna@other.example", "Anna", weight=70),
            account(5, "cid", "friend of ann", weight=1000),
            account(6, "dora", "nobody", weight=9999),
        ]
    )
    assert await found(search, "ann", kind="account") == [2, 4, 1, 5, 3]
    assert await found(search, "@Ann", kind="account") == [2, 4, 1, 5, 3]
    assert await found(search, "anna@other", kind="account") == [4]
    assert await found(search, "ann", kind="account", limit=2, offset=1) == [4, 1]
    assert await found(search, "a", kind="account", limit=1) == [4]


async def test_tags_by_beginning_and_use(search: Search) -> None:
    tags = [("photo", 5), ("photography", 90), ("photos", 40), ("art", 1000)]
    await search.put(
        [
            Document(kind="tag", id=n, words=name, name=name, weight=weight, version=1)
            for n, (name, weight) in enumerate(tags)
        ]
    )
    assert await found(search, "#photo", kind="tag") == [0, 1, 2]


async def test_a_lower_version_never_replaces_a_higher_one(search: Search) -> None:
    await search.put([status(1, "new words", version=5)])
    await search.put([status(1, "old words", version=4)])
    assert await found(search, "old") == []
    assert await found(search, "new") == [1]
    await search.put([status(1, "newest words", version=6), status(1, "middle words", version=5)])
    assert await found(search, "new words") == []
    assert await found(search, "newest") == [1]
    assert await found(search, "middle") == []


async def test_removed_documents_are_not_found(search: Search) -> None:
    await search.put([status(1, "gone soon"), status(2, "gone never"), account(1, "gone", "gone")])
    await search.remove("status", [1, 77])
    await search.remove("status", [])
    assert await found(search, "gone") == [2]
    assert await found(search, "gone", kind="account") == [1]
    await search.put([])


async def test_kinds_are_a_closed_list(search: Search) -> None:
    with pytest.raises(ValueError):
        await found(search, "x", kind="status_words")
    with pytest.raises(ValueError):
        await search.remove("", [1])
    with pytest.raises(ValueError):
        await search.put([Document(kind="poll", id=1, words="x", version=1)])


async def test_many_writes_at_once(search: Search) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(1, 201):
            group.create_task(search.put([status(n, f"number n{n}")]))
    assert await found(search, "number", limit=1000) == list(range(200, 0, -1))


TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
FEW_WORDS = st.lists(st.sampled_from(["ab", "abc", "b", "日本", "本", "-", "a_b", "É"]), max_size=4).map(" ".join)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Search, Search]]:
    embedded = await EmbeddedSearch.open(tmp_path / "pair.db", clock=SetClock())
    yield MemorySearch(), embedded
    await embedded.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS | FEW_WORDS, min_size=1, max_size=5), queries=st.lists(TEXTS | FEW_WORDS, max_size=5))
async def test_all_engines_find_the_same(pair: tuple[Search, Search], texts: list[str], queries: list[str]) -> None:
    for engine in pair:
        await engine.remove("status", range(10))
        await engine.put([status(n, text) for n, text in enumerate(texts)])
    for query in [*queries, *texts]:
        assert await found(pair[0], query) == await found(pair[1], query), query
