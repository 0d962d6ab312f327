"""Typed text as HTML: paragraphs, links, mentions, hashtags.

Box: render. Source: Mastodon API, /spec/activitypub/#sanitization and /entities/Status/#content
"""

from collections.abc import Mapping
from html import escape

from townsquare.kit.entities import find_entities

_SHOWN = 30  # characters of a link that are shown; the rest stays for the clipboard


def content_html(text: str, *, base: str, mentions: Mapping[tuple[str, str], str], whole_links: bool = False) -> str:
    """Plain text as HTML. `mentions`: (lower-case name, domain or "") to the address of the profile; others stay text.

    `base`: the server's address without a slash. `whole_links`: show links unshortened.
    """
    own = base.split("://", 1)[-1].lower()
    parts, position = [], 0
    for entity in find_entities(text):
        parts.append(escape(text[position : entity.start]))
        position = entity.end
        shown = text[entity.start : entity.end]
        if entity.kind == "url":
            parts.append(_link(entity.value, whole=whole_links))
        elif entity.kind == "tag":
            parts.append(
                f'<a href="{base}/tags/{escape(entity.value.lower())}" class="mention hashtag" rel="tag">'
                f"#<span>{escape(entity.value)}</span></a>"
            )
        else:
            domain = "" if entity.domain == own else entity.domain
            url = mentions.get((entity.value.lower(), domain))
            parts.append(escape(shown) if url is None else mention_html(entity.value, url))
    parts.append(escape(text[position:]))
    paragraphs = "".join(parts).replace("\r\n", "\n").strip("\n").split("\n\n")
    return "".join(f"<p>{p.strip(chr(10)).replace(chr(10), '<br>')}</p>" for p in paragraphs if p.strip())


def mention_html(name: str, url: str) -> str:
    """A mention as clients expect it."""
    return (
        f'<span class="h-card" translate="no"><a href="{escape(url)}" class="u-url mention">'
        f"@<span>{escape(name)}</span></a></span>"
    )


def _link(url: str, *, whole: bool) -> str:
    scheme, _, rest = url.partition("://")
    prefix = scheme + "://"
    if rest.startswith("www."):
        prefix, rest = prefix + "www.", rest[4:]
    shown, hidden = (rest, "") if whole else (rest[:_SHOWN], rest[_SHOWN:])
    ellipsis = ' class="ellipsis"' if hidden else ""
    return (
        f'<a href="{escape(url)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{escape(prefix)}</span><span{ellipsis}>{escape(shown)}</span>'
        f'<span class="invisible">{escape(hidden)}</span></a>'
    )
