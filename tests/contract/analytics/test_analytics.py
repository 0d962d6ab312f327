"""What every analytics engine promises: each fact once, and the same number to the same question.

Suite: analytics.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contract.engines import ANALYTICS, open_analytics
from townsquare.analytics.memory import answer
from townsquare.analytics.port import Analytics, Coverage, Measure, Question, Row
from townsquare.kit.clock import SetClock
from townsquare.model.facts import DAY_MS, Fact, band_of, fact_id, taken_back

DAY = 1_790_000_000_000 // DAY_MS * DAY_MS
ANN, BEN, CLEO = 2**62 + 5, 9_007_199_254_740_993, 7  # ids that no floating point number holds among them


@pytest.fixture(params=ANALYTICS)
async def analytics(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Analytics]:
    engine = await open_analytics(request.param, tmp_path, SetClock())
    yield engine
    await engine.close()


def favourite(actor: int, status: int, at_ms: int = DAY, **more: Any) -> Fact:
    named = fact_id("favourite", actor, status, at_ms)
    return Fact(id=named, kind="favourite", at_ms=at_ms, actor=actor, author=CLEO, object=status, **more)


def asked(*kinds: str, **more: Any) -> Question:
    return Question(kinds=kinds or ("favourite",), **({"since_ms": DAY - 40 * DAY_MS, "until_ms": DAY + DAY_MS} | more))


async def rows(analytics: Analytics, question: Question) -> list[tuple[int, tuple[int | str, ...], int]]:
    (found,) = await analytics.ask([question])
    return [(row.at_ms, row.by, row.n) for row in found]


async def test_a_fact_counts_once_however_often_it_is_told(analytics: Analytics) -> None:
    facts = [favourite(ANN, 1), favourite(BEN, 1), favourite(ANN, 2)]
    await analytics.put(facts)
    await analytics.put([facts[1], favourite(BEN, 2), facts[1]])
    assert await rows(analytics, asked()) == [(0, (), 4)]
    assert (await analytics.coverage()).facts == 4


async def test_repeats_inside_one_call_count_once(analytics: Analytics) -> None:
    await analytics.put([favourite(ANN, 1)] * 3)
    assert await rows(analytics, asked()) == [(0, (), 1)]


async def test_what_is_taken_back_is_gone_in_any_order(analytics: Analytics) -> None:
    first, second = favourite(ANN, 1), favourite(BEN, 1)
    await analytics.put([taken_back(first), second])
    await analytics.put([first, taken_back(first)])
    assert await rows(analytics, asked(by=("object",))) == [(0, (1,), 1)]
    await analytics.put([taken_back(second)])
    assert await rows(analytics, asked(by=("object",))) == []


async def test_no_facts_no_rows(analytics: Analytics) -> None:
    assert await analytics.ask([]) == []
    assert await analytics.ask([asked(), asked(step_s=3600, by=("kind",))]) == [[], []]
    assert await analytics.coverage() == Coverage(
        first_ms=0, last_ms=0, facts=0, bytes=(await analytics.coverage()).bytes
    )


async def test_each_edge_of_time_belongs_to_what_it_begins(analytics: Analytics) -> None:
    await analytics.put([favourite(ANN, n, DAY + at) for n, at in enumerate((-1, 0, DAY_MS - 1, DAY_MS))])
    assert await rows(analytics, asked(since_ms=DAY, until_ms=DAY + DAY_MS)) == [(0, (), 2)]
    by_day = asked(since_ms=DAY - DAY_MS, until_ms=DAY + 2 * DAY_MS, step_s=86_400)
    assert await rows(analytics, by_day) == [(DAY - DAY_MS, (), 1), (DAY, (), 2), (DAY + DAY_MS, (), 1)]


@pytest.mark.parametrize("offset_s", [-19_800, 0, 20_700, 36_000])
async def test_days_begin_where_people_live(analytics: Analytics, offset_s: int) -> None:
    begins = DAY + offset_s * 1_000
    await analytics.put([favourite(ANN, n, begins + at) for n, at in enumerate((-1, 0, 5, DAY_MS - 1))])
    question = asked(since_ms=DAY - 3 * DAY_MS, until_ms=DAY + 3 * DAY_MS, step_s=86_400, offset_s=offset_s)
    assert await rows(analytics, question) == [(begins - DAY_MS, (), 1), (begins, (), 3)]


async def test_by_two_fields_in_their_order(analytics: Analytics) -> None:
    await analytics.put(
        [
            favourite(ANN, 1, language="de", app="Elk"),
            favourite(BEN, 1, language="de", app="Elk"),
            favourite(CLEO, 1, language="pt", app="Elk"),
            favourite(ANN, 2, language="de", app=""),
        ]
    )
    assert await rows(analytics, asked(by=("app", "language"))) == [
        (0, ("", "de"), 1),
        (0, ("Elk", "de"), 2),
        (0, ("Elk", "pt"), 1),
    ]
    assert await rows(analytics, asked(by=("actor",))) == [(0, (CLEO,), 1), (0, (BEN,), 1), (0, (ANN,), 2)]


async def test_where_and_kinds(analytics: Analytics) -> None:
    boost = msgspec.structs.replace(favourite(ANN, 1), kind="boost", id=99)
    await analytics.put([favourite(ANN, 1), favourite(BEN, 1, visibility='it\'s "x" \\'), favourite(ANN, 2), boost])
    assert await rows(analytics, asked("favourite", "boost", by=("kind",))) == [
        (0, ("boost",), 1),
        (0, ("favourite",), 2 + 1),
    ]
    assert await rows(analytics, asked(where=(("object", (1, 5)), ("actor", (ANN,))))) == [(0, (), 1)]
    assert await rows(analytics, asked(where=(("visibility", ('it\'s "x" \\', "none")),))) == [(0, (), 1)]
    assert await rows(analytics, asked(where=(("object", ()),))) == []
    assert await rows(analytics, asked("sign_up")) == []


async def test_words_of_any_kind_are_kept_as_they_are(analytics: Analytics) -> None:
    words = [
        "",
        " ",
        "null",
        "NULL",
        "0",
        "a,b=c d",
        'quo"te',
        "back\\slash",
        "line\nbreak",
        "Ünïcode 日本 🎉",
        "x" * 3_000,
    ]
    await analytics.put([favourite(ANN, n, label=word) for n, word in enumerate(words)])
    found = await rows(analytics, asked(by=("label",)))
    assert sorted(row[1][0] for row in found) == sorted(words)
    for word in words:
        assert await rows(analytics, asked(where=(("label", (word,)),))) == [(0, (), 1)]


async def test_as_many_values_as_one_likes(analytics: Analytics) -> None:
    await analytics.put([favourite(ANN, n, DAY + n, amount=n % 9) for n in range(1, 2_400)])
    many = (("object", tuple(range(1, 2_300))),)
    assert await rows(analytics, asked(where=many)) == [(0, (), 2_299)]
    assert await rows(analytics, asked(where=many, measure="greatest")) == [(0, (), 8)]
    assert await rows(analytics, asked(where=many, by=("band",), limit=2)) == [
        (0, (band_of(1),), 256),
        (0, (band_of(2),), 256),
    ]
    assert await rows(analytics, asked(where=many, by=("object",), spread=True)) == [(0, (1,), 2_299)]


async def test_sums_and_extremes_of_amounts(analytics: Analytics) -> None:
    replies = [favourite(ANN, 1, DAY + n, amount=amount) for n, amount in enumerate((30, 2**40, 0))]
    await analytics.put([*replies, favourite(BEN, 2, amount=7), taken_back(favourite(BEN, 2, amount=7))])
    assert await rows(analytics, asked(measure="amount", by=("object",))) == [(0, (1,), 2**40 + 30)]
    assert await rows(analytics, asked(measure="least", by=("object",))) == [(0, (1,), 0), (0, (2,), 7)]
    assert await rows(analytics, asked(measure="greatest", by=("object",))) == [(0, (1,), 2**40), (0, (2,), 7)]


async def test_a_value_may_stand_for_many(analytics: Analytics) -> None:
    await analytics.put([favourite(ANN, 1, value=20, amount=3)])
    assert await analytics.ask([asked(), asked(measure="amount")]) == [[Row(0, (), 20)], [Row(0, (), 60)]]


async def test_bands_of_amounts(analytics: Analytics) -> None:
    amounts = [0, 1, 2, 3, 4, 5, 1_000, 1_023, 1_024, 2**40 + 1]
    await analytics.put([favourite(ANN, n, amount=amount) for n, amount in enumerate(amounts)])
    expected = sorted(Counter(band_of(amount) for amount in amounts).items())
    assert await rows(analytics, asked(by=("band",))) == [(0, (band,), n) for band, n in expected]


async def test_how_numbers_are_spread(analytics: Analytics) -> None:
    await analytics.put([favourite(actor, status) for status in (1, 2, 3) for actor in range(1, status + 1)])
    await analytics.put([favourite(1, 4)])
    assert await rows(analytics, asked(by=("object",), spread=True)) == [(0, (1,), 2), (0, (2,), 1), (0, (3,), 1)]
    assert await rows(analytics, asked(by=("object",), measure="least", spread=True)) == [(0, (0,), 4)]


async def test_the_greatest_first_where_only_some_are_wanted(analytics: Analytics) -> None:
    await analytics.put([favourite(actor, status) for status in (1, 2, 3) for actor in range(1, status + 1)])
    assert await rows(analytics, asked(by=("object",), limit=2)) == [(0, (3,), 3), (0, (2,), 2)]


async def test_who_is_erased_is_in_no_number(analytics: Analytics) -> None:
    facts = [favourite(ANN, 1), favourite(BEN, 1), msgspec.structs.replace(favourite(BEN, 2), author=ANN)]
    await analytics.put(facts)
    await analytics.erase([ANN, 12345])
    await analytics.erase([ANN])
    assert await rows(analytics, asked(by=("actor",))) == [(0, (BEN,), 1)]
    assert await rows(analytics, asked(by=("author",), where=(("author", (ANN,)),))) == []
    await analytics.erase([])
    await analytics.erase([0])
    assert await rows(analytics, asked()) == [(0, (), 1)]


async def test_what_is_too_old_goes(analytics: Analytics) -> None:
    old = DAY - 400 * DAY_MS
    await analytics.put([favourite(ANN, 1, old), favourite(ANN, 2, DAY)])
    await analytics.put([msgspec.structs.replace(favourite(ANN, 1, old), id=5, kind="boost")])
    await analytics.expire(["favourite"], DAY - 40 * DAY_MS)
    assert await rows(analytics, asked("boost", "favourite", by=("kind",), since_ms=old)) == [
        (0, ("boost",), 1),
        (0, ("favourite",), 1),
    ]


async def test_coverage(analytics: Analytics) -> None:
    await analytics.put([favourite(ANN, 1, DAY - 5), favourite(ANN, 2, DAY + 7)])
    found = await analytics.coverage()
    assert (found.first_ms, found.last_ms, found.facts) == (DAY - 5, DAY + 7, 2)


async def test_a_new_place_is_filled_beside_the_old_one_and_then_asked(analytics: Analytics) -> None:
    stays = msgspec.structs.replace(favourite(ANN, 9, DAY - DAY_MS), id=4, kind="bookmark")
    await analytics.put([favourite(ANN, 1, DAY - DAY_MS), favourite(BEN, 1, DAY - DAY_MS), stays])
    abandoned = await analytics.renew()
    await abandoned.put([favourite(ANN, 77, DAY - DAY_MS)])
    fresh = await analytics.renew()
    await fresh.put([favourite(ANN, 1, DAY - DAY_MS)])
    await analytics.put([favourite(CLEO, 1, DAY)])  # comes while it is filled
    assert await rows(analytics, asked()) == [(0, (), 3)]
    await fresh.adopt(["bookmark"], DAY)
    everything = asked("favourite", "bookmark", by=("kind", "actor"))
    expected = [(0, ("bookmark", ANN), 1), (0, ("favourite", CLEO), 1), (0, ("favourite", ANN), 1)]
    assert await rows(fresh, everything) == expected
    assert await rows(analytics, everything) == expected
    await analytics.put([favourite(CLEO, 1, DAY), favourite(BEN, 2)])
    assert await rows(fresh, asked()) == [(0, (), 3)]
    await fresh.close()


async def test_a_place_that_was_not_adopted_is_given_again(analytics: Analytics) -> None:
    await analytics.put([favourite(ANN, 1), favourite(BEN, 1)])
    left = await analytics.renew(go_on=True)
    await left.put([favourite(CLEO, 1)])
    again = await analytics.renew(go_on=True)
    assert await rows(again, asked()) == [(0, (), 1)]
    assert await rows(analytics, asked()) == [(0, (), 2)]
    await again.adopt([], DAY + DAY_MS)
    assert await rows(analytics, asked()) == [(0, (), 1)]
    empty = await analytics.renew(go_on=True)
    assert await rows(empty, asked()) == []


async def test_numbers_are_those_of_a_count_by_hand(analytics: Analytics) -> None:
    """A month of many kinds, a tenth told twice, all shuffled."""
    chance = random.Random(5)
    facts = []
    for n in range(3_000):
        kind = chance.choice(["favourite", "boost", "impression", "reply"])
        fact = Fact(
            id=fact_id(kind, n),
            kind=kind,
            at_ms=DAY - chance.randrange(30 * DAY_MS),
            actor=chance.randrange(1, 50),
            author=chance.choice([ANN, BEN, CLEO]),
            object=chance.randrange(1, 200),
            amount=chance.choice([0, 3, 60, 86_400]),
            visibility=chance.choice(["public", "unlisted", "private"]),
            language=chance.choice(["", "de", "en"]),
            cohort=chance.randrange(20_000, 20_030),
        )
        facts += [fact, taken_back(fact)] if chance.random() < 0.1 else [fact]
    told = facts + chance.sample(facts, len(facts) // 10)
    chance.shuffle(told)
    for start in range(0, len(told), 700):
        await analytics.put(told[start : start + 700])
    measures: tuple[Measure, ...] = ("value", "amount", "least", "greatest")
    questions = [
        asked(kind, step_s=step, measure=m, by=by)
        for kind in ("boost", "reply")
        for step in (0, 86_400)
        for m in measures
        for by in ((), ("author",), ("language", "cohort"))
    ]
    questions += [asked("impression", "reply", by=("object",), spread=True, measure=m) for m in measures]
    questions.append(asked("favourite", step_s=3_600, where=(("author", (ANN, BEN)), ("visibility", ("public",)))))
    assert await analytics.ask(questions) == [answer(question, facts) for question in questions]
