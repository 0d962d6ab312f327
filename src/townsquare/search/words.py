"""Words as they are indexed and asked for: one way for all engines.

Box: search.
"""

import re
import unicodedata
from typing import NamedTuple

from townsquare.search.port import Document, Query

KINDS = ("account", "status", "tag")
LONGEST_QUERY = 500  # characters; what lies behind is not looked at
MOST_TERMS = 16
_LONGEST_TEXT = 200_000
_LONGEST_WORD = 100  # characters; words that begin with the same hundred are one word

# Scripts written without spaces: each character is a word, and what stands together in a query must stand together.
_ALONE = "\u2e80-\u312f\u3190-\u31bf\u31f0-\ua4cf\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_ALONE}]|[^\\W_{_ALONE}]+")
_MARKS = re.compile(r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]+")
_NOT_FACET = re.compile(r"[^a-z0-9]+")

Term = list[str]  # words that stand one after another


class Needles(NamedTuple):
    """What must be among a document's words, and what must not."""

    whole: list[Term]
    beginning: Term | None  # its last word may be the beginning of one
    without: list[Term]


def fold(text: str) -> str:
    """Without case, accents and other differences that people do not type."""
    text = unicodedata.normalize("NFKD", text[:_LONGEST_TEXT]).casefold()
    return _MARKS.sub("", unicodedata.normalize("NFKD", text))


def split(text: str) -> list[str]:
    """The words of a text, folded, in order. What is neither letter nor digit parts them."""
    return [word[:_LONGEST_WORD] for word in _WORD.findall(fold(text))]


def words_of(document: Document) -> list[str]:
    """All words by which it is found."""
    return split(f"{document.words} \x00 {document.name}")


def needles_of(query: Query) -> Needles | None:
    """What a query looks for; None where nothing can fit it."""
    phrases, without = _terms(query.phrases), _terms(query.without)
    if len(phrases) < min(len(query.phrases), MOST_TERMS) or query.limit <= 0 or not query.readers:
        return None
    if not all(map(facet, query.has)):
        return None
    if not query.words.strip():
        narrowed = phrases or without or query.has or query.lacks or query.not_authors
        bounds = (query.author, query.below, query.above)
        return Needles(phrases, None, without) if narrowed or bounds != (None, None, None) else None
    terms = _terms(query.words[:LONGEST_QUERY].split())
    if not terms:
        return None
    if len(terms[-1][-1]) < _shortest_prefix(query.kind):
        return Needles([*terms, *phrases], None, without)
    return Needles([*terms[:-1], *phrases], terms[-1], without)


def _terms(parts: list[str] | tuple[str, ...]) -> list[Term]:
    """Of each part, what is searched for; parts without a word are passed over."""
    return [term for part in parts if (term := split(part[:LONGEST_QUERY]))][:MOST_TERMS]


def name_of(query: Query) -> str:
    """The query as the name it may be."""
    return fold(query.words[:LONGEST_QUERY].strip().lstrip("@#"))


def facet(text: str) -> str:
    """A facet as it is kept: small letters and digits."""
    return _NOT_FACET.sub("", text.lower())


def checked_kind(kind: str) -> None:
    """Raises: ValueError where there are no such documents."""
    if kind not in KINDS:
        raise ValueError(f"there are no documents of the kind {kind!r}")


def _shortest_prefix(kind: str) -> int:
    """From how many characters a last word is taken for the beginning of one. Statuses hold too many words for less."""
    return 2 if kind == "status" else 1
