"""What every index promises.

Suite: search.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.engines import SEARCH, open_search
from townsquare.kit.clock import SetClock
from townsquare.model.errors import Conflict
from townsquare.search.memory import MemorySearch
from townsquare.search.port import Document, Query, Search

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
    """What is found. `reader`: an account that asks; else anybody."""
    kind, reader, limit = more.pop("kind", "status"), more.pop("reader", 0), more.pop("limit", 20)
    readers = more.pop("readers", (0, reader) if reader else (0,))
    return await search.find(Query(kind=kind, words=words, readers=readers, limit=limit, **more))


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


async def test_the_same_version_replaces(search: Search) -> None:
    await search.put([status(1, "as it was", version=5)])
    await search.put([status(1, "as it is", version=5)])
    assert await found(search, "was") == []
    assert await found(search, "as is") == [1]
    await search.remove("status", [1])
    await search.put([status(1, "here again", version=5)])
    assert await found(search, "again") == [1]


async def test_phrases_stand_together_and_end_where_they_end(search: Search) -> None:
    await search.put(
        [status(1, "the old red fox"), status(2, "red, old fox"), status(3, "old reddish fox"), status(4, "old red")]
    )
    assert await found(search, "", phrases=("old red",)) == [4, 1]
    assert await found(search, "fox", phrases=("OLD Red",)) == [1]
    assert await found(search, "f", phrases=("red", "old")) == []
    assert await found(search, "fo", phrases=("red", "old")) == [2, 1]
    assert await found(search, "fox", phrases=("...",)) == []


async def test_words_and_phrases_that_must_not_be_there(search: Search) -> None:
    await search.put([status(1, "red fox"), status(2, "red foxes"), status(3, "red old fox"), status(4, "blue fox")])
    assert await found(search, "red", without=("fox",)) == [2]
    assert await found(search, "red", without=("red fox", "foxes")) == [3]
    assert await found(search, "", without=("red",)) == [4]
    assert await found(search, "fox", without=("...", "")) == [4, 3, 2, 1]


async def test_facets(search: Search) -> None:
    await search.put(
        [
            status(1, "tea", facets=("media", "image", "language:en")),
            status(2, "tea", facets=("media", "video", "language:de")),
            status(3, "tea", facets=("reply", "language:pt-BR")),
            status(4, "media image reply"),
        ]
    )
    assert await found(search, "tea", has=("media",)) == [2, 1]
    assert await found(search, "", has=("media", "language:de")) == [2]
    assert await found(search, "tea", has=("language:PT-br",)) == [3]
    assert await found(search, "tea", lacks=("media",)) == [3]
    assert await found(search, "", has=("media",), lacks=("video",)) == [1]
    assert await found(search, "", has=("media", "reply")) == []
    assert await found(search, "tea", has=('") OR ("',)) == []
    assert await found(search, "tea", has=("poll OR media",), lacks=('"',)) == []
    assert await found(search, "tea", lacks=('"', "")) == [3, 2, 1]


async def test_by_author_and_by_others_without_a_word(search: Search) -> None:
    await search.put([status(n, f"n{n}", author=n % 3 + ANN) for n in range(1, 7)])
    assert await found(search, "", author=ANN) == [6, 3]
    assert await found(search, "", not_authors=(ANN, BEN)) == [5, 2]
    assert await found(search, "", author=ANN, not_authors=(ANN,)) == []
    assert await found(search, "", above=2, below=5) == [4, 3]
    assert await found(search, "n3", author=ANN) == [3]
    assert await found(search, "") == []
    assert await found(search, "...", author=ANN) == []


async def test_one_of_the_readers_is_enough_and_none_is_nobody(search: Search) -> None:
    await search.put(
        [status(1, "a1", readers=(0, ANN)), status(2, "a2", readers=(0,)), status(3, "a3", readers=(BEN,))]
    )
    assert await found(search, "", above=0, readers=(ANN,)) == [1]
    assert await found(search, "", above=0, readers=(ANN, BEN)) == [3, 1]
    assert await found(search, "", above=0, readers=(0, BEN)) == [3, 2, 1]
    assert await found(search, "", above=0, readers=()) == []


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


async def test_a_second_index_is_filled_beside_the_first_and_takes_its_place(search: Search) -> None:
    await search.put([status(1, "old one"), status(2, "old two"), status(3, "old three"), account(1, "ann", "Ann")])
    second = await search.rebuild()
    assert second.note == ""
    await search.put([status(4, "new four"), status(1, "new one", version=3)])
    await second.put([status(1, "late one", version=2), status(2, "again two"), status(3, "again three")])
    await search.remove("status", [3])
    assert await found(search, "old") == [2]
    assert await found(search, "again") == []
    await second.remember("half")
    await second.remember("all of it")
    await second.finish()
    assert await found(search, "old") == []
    assert await found(search, "again") == [2]
    assert await found(search, "new") == [4, 1]
    assert await found(search, "ann", kind="account") == []
    await search.put([status(5, "again five")])
    await search.remove("status", [2])
    assert await found(search, "again") == [5]


async def test_a_rebuild_goes_on_where_it_was_and_ends_once(search: Search) -> None:
    await search.put([status(1, "old one")])
    first = await search.rebuild()
    await first.put([status(1, "again one"), status(2, "again two")])
    await first.remember("status 2")
    await first.remove("status", [2])
    second = await search.rebuild()
    assert second.note == "status 2"
    await second.finish()
    assert await found(search, "again") == [1]
    for late in (first.put([status(3, "late")]), first.remember("late"), first.finish(), first.give_up()):
        with pytest.raises(Conflict):
            await late
    third = await search.rebuild()
    assert third.note == ""
    await third.put([status(4, "fourth")])
    await third.give_up()
    assert await found(search, "again") == [1]
    assert await found(search, "fourth") == []
    assert (await search.rebuild()).note == ""


async def test_writes_and_questions_while_indexes_take_each_others_place(search: Search) -> None:
    await search.put([status(n, f"word n{n}") for n in range(1, 41)])

    async def write() -> None:
        for n in range(41, 61):
            await search.put([status(n, f"word n{n}")])
            await search.remove("status", [n - 40])

    async def ask() -> None:
        for _ in range(40):
            assert len(await found(search, "word", limit=100)) >= 40

    async def rebuild() -> None:
        for _ in range(4):
            second = await search.rebuild()
            every = await found(search, "word", limit=100)
            await second.put([status(n, f"word n{n}") for n in every])
            gone = set(every).difference(await found(search, "word", limit=100))
            await second.remove("status", sorted(gone))
            await second.finish()

    async with asyncio.TaskGroup() as group:
        for act in (write, ask, rebuild):
            group.create_task(act())
    assert await found(search, "word", limit=100) == list(range(60, 20, -1))


TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
FEW = st.sampled_from(["ab", "abc", "b", "日本", "ab b", "É", "...", ""])
FEW_WORDS = st.lists(st.sampled_from(["ab", "abc", "b", "日本", "本", "-", "a_b", "É"]), max_size=4).map(" ".join)


MORE = st.fixed_dictionaries(
    {},
    optional={
        "phrases": st.lists(FEW, max_size=2).map(tuple),
        "without": st.lists(FEW, max_size=2).map(tuple),
        "has": st.lists(st.sampled_from(["media", "reply", "!"]), max_size=2).map(tuple),
        "lacks": st.lists(st.sampled_from(["media", "poll", ""]), max_size=2).map(tuple),
        "author": st.integers(0, 2),
        "not_authors": st.lists(st.integers(0, 2), max_size=2).map(tuple),
        "readers": st.lists(st.integers(0, 2), max_size=2).map(tuple),
        "below": st.integers(-1, 5),
        "kind": st.sampled_from(["status", "account"]),
    },
)
DOCUMENTS = st.builds(
    Document,
    kind=st.sampled_from(["status", "account"]),
    id=st.integers(0, 4),
    words=TEXTS | FEW_WORDS,
    name=FEW,
    author=st.integers(0, 2),
    facets=st.lists(st.sampled_from(["media", "reply"]), max_size=2).map(tuple),
    readers=st.lists(st.integers(0, 2), max_size=2).map(tuple),
    weight=st.integers(0, 1),
    version=st.integers(0, 1),
)


@pytest.fixture(params=SEARCH[1:])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Search, Search]]:
    engine = await open_search(request.param, tmp_path, SetClock())
    yield MemorySearch(), engine
    await engine.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(DOCUMENTS, min_size=1, max_size=5),
    queries=st.lists(st.tuples(TEXTS | FEW_WORDS, MORE), max_size=8),
)
async def test_all_engines_find_the_same(
    pair: tuple[Search, Search], documents: list[Document], queries: list[tuple[str, dict[str, Any]]]
) -> None:
    later = time.monotonic_ns()  # what was removed comes back with higher versions only
    for engine in pair:
        for kind in ("status", "account"):
            await engine.remove(kind, range(10))
        await engine.put([msgspec.structs.replace(each, version=later + each.version) for each in documents])
    for query, more in [*queries, *((document.words, {}) for document in documents)]:
        assert await found(pair[0], query, **more) == await found(pair[1], query, **more), (query, more)
