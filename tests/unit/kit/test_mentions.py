"""Mentions, tags and links in texts, and how long a text counts."""

import time

import pytest

from townsquare.kit.mentions import Kind, length_of, spans_of


def found(text: str) -> list[tuple[str, str]]:
    return [(span.kind, span.name + (f"@{span.domain}" if span.domain else "")) for span in spans_of(text)]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("hello @ann and @bo.b_2!", [("mention", "ann"), ("mention", "bo.b_2")]),
        ("@ann@example.org, @bob@localhost:3000.", [("mention", "ann@example.org"), ("mention", "bob@localhost:3000")]),
        ("mail ann@example.org or x/@ann or =@ann", []),
        ("https://example.org/@ann #a1", [("link", "https://example.org/@ann"), ("tag", "a1")]),
        ("(see https://e.org/a_(b)), https://e.org.", [("link", "https://e.org/a_(b)"), ("link", "https://e.org")]),
        ("#Café #日本語 #हिन्दी #123 &#39; a#b", [("tag", "Café"), ("tag", "日本語"), ("tag", "हिन्दी")]),
        ("＃tag·", [("tag", "tag")]),
        ("https://e.org/#x", [("link", "https://e.org/#x")]),
        ("http:// x", []),
    ],
)
def test_spans(text: str, spans: list[tuple[str, str]]) -> None:
    assert found(text) == spans


def test_spans_stand_where_they_say() -> None:
    text = "a @ann #b https://e.org/x?y=1."
    for span in spans_of(text):
        piece = text[span.start : span.end]
        assert piece == {Kind.MENTION: "@", Kind.TAG: "#", Kind.LINK: ""}[span.kind] + span.name


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("abc", 3),
        ("https://example.org/" + "a" * 400, 23),
        ("hi @ann@example.org", 7),
        ("e\u0301", 1),
        ("👩‍👩‍👧‍👦", 1),
        ("👍🏽🇩🇪🇫🇷", 3),
        ("日本", 2),
    ],
)
def test_length(text: str, length: int) -> None:
    assert length_of(text, spans_of(text)) == length


@pytest.mark.parametrize(
    "piece", ["@", "@a", "@a@", "@a.", "#", "#1", "https://", "https://a(", ")", "a@a.", "#\u0301", "@a-", "@a@a."]
)
def test_cve_2025_68475_scanning_is_linear(piece: str) -> None:
    """Ten times the text takes at most about ten times as long."""

    def seconds(size: int) -> float:
        text = "https://a" + piece * (size // len(piece))
        return min(_timed(text) for _ in range(3))

    def _timed(text: str) -> float:
        start = time.perf_counter()
        spans_of(text)
        return time.perf_counter() - start

    assert seconds(100_000) <= 20 * seconds(10_000) + 0.01
