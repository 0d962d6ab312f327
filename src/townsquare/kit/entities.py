"""What stands out in typed text: links, mentions, hashtags. Linear in the text's length.

Box: kit. Source: Mastodon API, /user/posting/ (a link counts as 23 characters, a mention without its domain)
"""

import re

import msgspec

_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"'`{}|\\^\x00-\x20]{1,2048})"
    r"|(?<![\w@/.&#])@(?P<name>[A-Za-z0-9_]{1,30})(?:@(?P<domain>[A-Za-z0-9.:-]{1,255}))?(?![\w@])"
    r"|(?<![\w/&#@.])[#＃](?P<tag>\w{1,100})",
)
_TRAILING = ".,;:!?…'\""
URL_LENGTH = 23


class Entity(msgspec.Struct, frozen=True):
    """A part of a text, from `start` to `end`. `value`: the link, the name, or the tag without its sign."""

    kind: str  # "url", "mention", "tag"
    start: int
    end: int
    value: str
    domain: str = ""  # of a mention


def find_entities(text: str) -> list[Entity]:
    """All links, mentions and hashtags of a text, in order."""
    found = []
    for match in _FOUND.finditer(text):
        kind, start, end = match.lastgroup, match.start(), match.end()
        if kind == "url":
            url = _trimmed(match["url"])
            if len(url) > len("https://"):
                found.append(Entity("url", start, start + len(url), url))
        elif kind == "tag":
            if not match["tag"].isdecimal() and match["tag"].strip("_"):
                found.append(Entity("tag", start, end, match["tag"]))
        else:
            domain = (match["domain"] or "").rstrip(".:-")
            end -= len(match["domain"] or "") - len(domain)
            found.append(Entity("mention", start, end, match["name"], domain.lower()))
    return found


def _trimmed(url: str) -> str:
    """A link without the punctuation that belongs to the sentence around it."""
    url = url.rstrip(_TRAILING)
    for opening, closing in ("()", "[]"):
        while url.endswith(closing) and url.count(closing) > url.count(opening):
            url = url[:-1].rstrip(_TRAILING)
    return url


def counted_length(text: str) -> int:
    """The length of a text as the limit counts it."""
    length = len(text)
    for entity in find_entities(text):
        if entity.kind == "url":
            length += URL_LENGTH - (entity.end - entity.start)
        elif entity.kind == "mention" and entity.domain:
            length -= len(entity.domain) + 1
    return length
