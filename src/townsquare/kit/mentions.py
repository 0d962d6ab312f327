"""What stands in a text: mentions, hashtags, links; and how long the text counts.

Box: kit. Every scan goes over the text once: the time grows with its length, whatever it holds.
Source: Mastodon API, /methods/statuses/#create (a link counts 23 characters, a mention without its domain).
"""

import re
import unicodedata
from enum import StrEnum

import msgspec

LINK_LENGTH = 23

_LINK = re.compile(r"(?<![\w/@])https?://[^\s<>\"]+", re.IGNORECASE)
_MENTION = re.compile(
    r"(?<![=/\w@.])@([A-Za-z0-9_]+(?:[.-]+[A-Za-z0-9_]+)*)(?:@([A-Za-z0-9\u00a1-\uffff-]+(?:\.[A-Za-z0-9\u00a1-\uffff-]+)*(?::\d{1,5})?))?(?![@\w])"
)
_TAG_START = re.compile(r"(?<![=/)\w&])[#\uff03]")
_TRAILING = ".,:;!?'*_~\u2026\u3002\u3001\uff01\uff1f\uff0c"
_JOINER = "\u200d"


class Kind(StrEnum):
    """What a span is."""

    MENTION = "mention"
    TAG = "tag"
    LINK = "link"


class Span(msgspec.Struct, frozen=True):
    """A part of the text. `name`: the user name, the tag without #, or the link; `domain`: of a mention, as typed."""

    kind: Kind
    start: int
    end: int
    name: str
    domain: str = ""


def spans_of(text: str) -> list[Span]:
    """Mentions, tags and links in reading order; none lies inside another."""
    links = [_link(found) for found in _LINK.finditer(text)]
    found = [
        *links,
        *(Span(Kind.MENTION, m.start(), m.end(), m[1], m[2] or "") for m in _MENTION.finditer(text)),
        *_tags(text),
    ]
    found.sort(key=lambda span: (span.start, -span.end))
    spans: list[Span] = []
    for span in found:
        if not spans or span.start >= spans[-1].end:
            spans.append(span)
    return spans


def length_of(text: str, spans: list[Span]) -> int:
    """How many characters the text counts: as people see them, links 23 each, mentions without their domain."""
    count, at = 0, 0
    for span in spans:
        count += seen_length(text[at : span.start])
        if span.kind is Kind.LINK:
            count += LINK_LENGTH
        else:
            count += 1 + seen_length(span.name)
        at = span.end
    return count + seen_length(text[at:])


def seen_length(text: str) -> int:
    """How many characters a person sees: marks, joined emoji and flags count with what they belong to."""
    if text.isascii():
        return len(text)
    count, joined, flag = 0, False, False
    for char in text:
        if _adds_nothing(char):
            joined = joined or char == _JOINER
            continue
        if "\U0001f1e6" <= char <= "\U0001f1ff":
            flag = not flag
            count += flag and not joined
        else:
            flag = False
            count += not joined
        joined = False
    return count


def _adds_nothing(char: str) -> bool:
    return char == _JOINER or "\U0001f3fb" <= char <= "\U0001f3ff" or unicodedata.category(char) in ("Mn", "Me", "Mc")


def _link(found: re.Match[str]) -> Span:
    """The link without the punctuation of the sentence around it, and without a bracket that it does not open."""
    url = found[0]
    open_left = url.count("(") - url.count(")")
    end = len(url)
    while end > 8:
        last = url[end - 1]
        if last == ")" and open_left < 0:
            open_left += 1
        elif last not in _TRAILING:
            break
        end -= 1
    return Span(Kind.LINK, found.start(), found.start() + end, url[:end])


def _tags(text: str) -> list[Span]:
    spans = []
    for found in _TAG_START.finditer(text):
        start = end = found.end()
        letter = False
        while end < len(text):
            char = text[end]
            if char.isalpha():
                letter = True
            elif not (char.isalnum() or char in "_\u00b7\u200c" or unicodedata.category(char).startswith("M")):
                break
            end += 1
        while end > start and text[end - 1] in "\u00b7\u200c":
            end -= 1
        if letter:
            spans.append(Span(Kind.TAG, found.start(), end, text[start:end]))
    return spans
