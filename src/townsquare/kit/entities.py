"""What stands out in typed text: links, mentions, hashtags; and how long the text counts.

Box: kit. Every scan goes over the text once: the time grows with its length, whatever it holds.
Source: Mastodon API, /user/posting/ (a link counts as 23 characters, a mention without its domain)
"""

import re
import unicodedata

import msgspec

URL_LENGTH = 23

_URL = re.compile(r"(?<![\w/@])https?://[^\s<>\"'`{}|\\^\x00-\x20]{1,2040}", re.IGNORECASE)
_MENTION = re.compile(
    r"(?<![=/\w@.&#-])@([A-Za-z0-9_]+(?:[.-]+[A-Za-z0-9_]+)*)"
    r"(?:@([A-Za-z0-9\u00a1-\uffff-]+(?:\.[A-Za-z0-9\u00a1-\uffff-]+)*(?::\d{1,5})?))?(?![@\w])"
)
_TAG_SIGN = re.compile(r"(?<![=/)\w&#@])[#\uff03]")
_TRAILING = ".,:;!?'*_~\u2026\u3002\u3001\uff01\uff1f\uff0c"
_BRACKETS = {")": "(", "]": "["}
_JOINER = "\u200d"


class Entity(msgspec.Struct, frozen=True):
    """A part of a text, from `start` to `end`. `value`: the link, the name, or the tag without its sign."""

    kind: str  # "url", "mention", "tag"
    start: int
    end: int
    value: str
    domain: str = ""  # of a mention, lower case


def find_entities(text: str) -> list[Entity]:
    """All links, mentions and hashtags of a text, in order; none lies inside another."""
    found = [_url(m) for m in _URL.finditer(text)] if "://" in text else []
    if "@" in text:
        found += (Entity("mention", m.start(), m.end(), m[1], (m[2] or "").lower()) for m in _MENTION.finditer(text))
    if "#" in text or "\uff03" in text:
        found += _tags(text)
    found.sort(key=lambda entity: (entity.start, -entity.end))
    entities: list[Entity] = []
    for entity in found:
        if not entities or entity.start >= entities[-1].end:
            entities.append(entity)
    return entities


def counted_length(text: str) -> int:
    """The length of a text as the limit counts it: in characters that a person sees."""
    count, at = 0, 0
    for entity in find_entities(text):
        if entity.kind == "tag":
            continue
        count += seen_length(text[at : entity.start])
        count += URL_LENGTH if entity.kind == "url" else 1 + len(entity.value)
        at = entity.end
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
        flag = not flag if "\U0001f1e6" <= char <= "\U0001f1ff" else False
        second_half = "\U0001f1e6" <= char <= "\U0001f1ff" and not flag
        count += not joined and not second_half
        joined = False
    return count


def _adds_nothing(char: str) -> bool:
    return char == _JOINER or "\U0001f3fb" <= char <= "\U0001f3ff" or unicodedata.category(char).startswith("M")


def _url(found: re.Match[str]) -> Entity:
    """The link without the punctuation of the sentence around it, and without a bracket that it does not open."""
    url = found[0]
    surplus = {closing: url.count(closing) - url.count(opening) for closing, opening in _BRACKETS.items()}
    end = len(url)
    while end > len("https://") + 1:
        last = url[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return Entity("url", found.start(), found.start() + end, url[:end])


def _tags(text: str) -> list[Entity]:
    entities = []
    for found in _TAG_SIGN.finditer(text):
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
            entities.append(Entity("tag", found.start(), end, text[start:end]))
    return entities
