"""What people type into a search, taken apart."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from townsquare.social.operators import Asked, read_operators


def first_id(*day: int) -> int:
    return int(datetime(*day, tzinfo=UTC).timestamp() * 1000) << 16  # type: ignore[misc, arg-type]  # year, month, day


def test_words_phrases_and_negations() -> None:
    asked = read_operators('red "old fox" -blue -"green tea" fox-like - “so it is”')
    assert asked.words == ["red", "fox-like", "-"]
    assert asked.phrases == ["old fox", "so it is"]
    assert asked.without == ["blue", "green tea"]
    assert not asked.for_statuses


def test_operators_with_and_without_minus() -> None:
    asked = read_operators("from:me -from:@ann@other.example has:media -HAS:poll is:reply language:pt-BR in:library")
    assert (asked.authors, asked.not_authors) == (["me"], ["ann@other.example"])
    assert (asked.has, asked.lacks) == (["media", "reply", "language:pt-br"], ["poll"])
    assert (asked.scope, asked.words, asked.without) == ("library", [], [])
    assert asked.for_statuses


@pytest.mark.parametrize(
    ("typed", "above", "below"),
    [
        ("before:2026-03-01", None, first_id(2026, 3, 1)),
        ("after:2026-02-28", first_id(2026, 3, 1) - 1, None),
        ("during:2026-02-28", first_id(2026, 2, 28) - 1, first_id(2026, 3, 1)),
        ("during:2026-12", first_id(2026, 12, 1) - 1, first_id(2027, 1, 1)),
        ("during:2026", first_id(2026, 1, 1) - 1, first_id(2027, 1, 1)),
        ("-before:2026-03-01 -after:2026-03-01", first_id(2026, 3, 1) - 1, first_id(2026, 3, 2)),
        ("after:2026-01-01 after:2025 before:2027 before:2026-02", first_id(2026, 1, 2) - 1, first_id(2026, 2, 1)),
    ],
)
def test_days_months_and_years(typed: str, above: int | None, below: int | None) -> None:
    asked = read_operators(typed)
    assert (asked.above, asked.below, asked.words) == (above, below, [])


@pytest.mark.parametrize(
    "typed",
    ["has:wings", "is:", "before:yesterday", "before:2026-13-01", "after:9999-12-31", "during:0", "language:klingon!",
     "in:space", "https://other.example/x", "to:ann", "from:", "from:!", ":", "a:b:c"],
)  # fmt: skip
def test_what_is_no_operator_is_a_word(typed: str) -> None:
    assert read_operators(typed) == Asked(words=[typed])
    assert not read_operators(f"-{typed}").for_statuses


@given(st.text(alphabet=' "-:@ahs', max_size=40) | st.text(max_size=40))
def test_anything_may_be_typed(typed: str) -> None:
    read_operators(typed)
