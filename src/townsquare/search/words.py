"""Words as they are indexed and asked for: one way for all engines.

Box: search.
"""

import re
import unicodedata

KINDS = ("account", "status", "tag")
LONGEST_QUERY = 500  # characters; what lies behind is not looked at
MOST_TERMS = 16
_LONGEST_TEXT = 200_000

# Scripts written without spaces: each character is a word, and what stands together in a query must stand together.
_ALONE = "\u2e80-\u312f\u3190-\u31bf\u31f0-\ua4cf\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_ALONE}]|[^\\W_{_ALONE}]+")
_MARKS = re.compile(r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]+")

Term = list[str]  # words that stand one after another; a prefix may end it


def fold(text: str) -> str:
    """Without case, accents and other differences that people do not type."""
    text = unicodedata.normalize("NFKD", text[:_LONGEST_TEXT]).casefold()
    return _MARKS.sub("", unicodedata.normalize("NFKD", text))


def split(text: str) -> list[str]:
    """The words of a text, folded, in order. What is neither letter nor digit parts them."""
    return _WORD.findall(fold(text))


def terms_of(query: str) -> list[Term]:
    """What a query asks for: all these terms. Nothing in a query is an operator."""
    terms = [term for part in query[:LONGEST_QUERY].split() if (term := split(part))]
    return terms[:MOST_TERMS]


def name_of(query: str) -> str:
    """The query as the name it may be."""
    return fold(query[:LONGEST_QUERY].strip().lstrip("@#"))


def shortest_prefix(kind: str) -> int:
    """From how many characters a last word is taken for the beginning of one. Statuses hold too many words for less."""
    return 2 if kind == "status" else 1


def checked_kind(kind: str) -> None:
    """Raises: ValueError where there are no such documents."""
    if kind not in KINDS:
        raise ValueError(f"there are no documents of the kind {kind!r}")
