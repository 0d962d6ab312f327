"""Mentions, tags and links in texts, and how long a text counts."""

import time

import pytest

from townsquare.kit.entities import counted_length, find_entities


def found(text: str) -> list[tuple[str, str]]:
    return [(e.kind, e.value + (f"@{e.domain}" if e.domain else "")) for e in find_entities(text)]


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("hello @ann and @bo.b_2!", [("mention", "ann"), ("mention", "bo.b_2")]),
        ("@ann@Example.org, @bob@localhost:3000.", [("mention", "ann@example.org"), ("mention", "bob@localhost:3000")]),
        ("mail ann@example.org or x/@ann or =@ann", []),
        ("https://example.org/@ann #a1", [("url", "https://example.org/@ann"), ("tag", "a1")]),
        ("(see https://e.org/a_(b)), https://e.org.", [("url", "https://e.org/a_(b)"), ("url", "https://e.org")]),
        ("#Café #日本語 #हिन्दी #123 &#39; a#b", [("tag", "Café"), ("tag", "日本語"), ("tag", "हिन्दी")]),
        ("＃tag·", [("tag", "tag")]),
        ("https://e.org/#x", [("url", "https://e.org/#x")]),
        ("http:// x", []),
    ],
)
def test_entities(text: str, entities: list[tuple[str, str]]) -> None:
    assert found(text) == entities


def test_entities_stand_where_they_say() -> None:
    text = "a @ann #b https://e.org/x?y=1."
    signs = {"mention": "@", "tag": "#", "url": ""}
    for entity in find_entities(text):
        assert text[entity.start : entity.end] == signs[entity.kind] + entity.value


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("abc", 3),
        ("https://example.org/" + "a" * 400, 23),
        ("hi @ann@example.org", 7),
        ("e\u0301", 1),
        ("👩‍👩‍👧‍👦", 1),
        ("👍🏽🇩🇪🇫🇷", 3),
        ("日本 #日本", 6),
    ],
)
def test_length(text: str, length: int) -> None:
    assert counted_length(text) == length


@pytest.mark.parametrize(
    "piece", ["@", "@a", "@a@", "@a.", "#", "#1", "https://", "https://a(", ")", "a@a.", "#\u0301", "@a-", "@a@a."]
)
def test_cve_2025_68475_scanning_is_linear(piece: str) -> None:
    """Ten times the text takes about ten times as long, not a hundred times."""

    def timed(text: str) -> float:
        start = time.process_time()
        find_entities(text)
        return time.process_time() - start

    def seconds(size: int) -> float:
        text = "https://a" + piece * (size // len(piece))
        return min(timed(text) for _ in range(5))

    assert seconds(50_000) <= 40 * seconds(5_000)  # what grows with the square would take 100 times
