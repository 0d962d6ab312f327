"""Pictures, films and sounds of a post, and the preview card of a link.

Box: web. Sizes are told beforehand, so that nothing jumps; of a film or sound nothing is fetched before it is played.
"""

from collections.abc import Sequence

from townsquare.kit.html import Markup, tag
from townsquare.model.status import Card, Media

_WEB = ("http://", "https://")


def pictures(media: Sequence[Media]) -> Markup | None:
    """One to four pictures in a grid, or one film or sound, each with its description; None where there is none."""
    ready = [each for each in media if each.state == "ready"]
    if not ready:
        return None
    figures = [_picture(each) if each.kind == "image" else _played(each) for each in ready]
    return tag("div", figures, class_=f"media of-{min(len(ready), 4)}")


def _picture(each: Media) -> Markup:
    said = each.description
    link = tag(
        "a",
        tag(
            "img",
            src=f"/media/{each.preview or each.original}",
            alt=said or "Picture without a description",
            width=each.preview_width or each.width or None,
            height=each.preview_height or each.height or None,
            loading="lazy",
            decoding="async",
        ),
        href=f"/media/{each.original}",
    )
    return tag("figure", link, _description(said, "picture"))


def _played(each: Media) -> Markup:
    """A film or a sound with its browser's own controls."""
    said = each.description
    if each.kind == "audio":
        player = tag("audio", src=f"/media/{each.original}", controls=True, preload="none", aria_label=said or "Sound")
        return tag("figure", player, _description(said, "sound"), class_="sound")
    player = tag(
        "video",
        src=f"/media/{each.original}",
        poster=f"/media/{each.preview}" if each.preview else None,
        width=each.width or None,
        height=each.height or None,
        controls=True,
        preload="none",
        playsinline=True,
        loop=each.kind == "gifv",
        aria_label=said or "Video without a description",
    )
    return tag("figure", player, _description(said, "video"), class_="film")


def _description(said: str, what: str) -> Markup | None:
    if not said:
        return None
    return tag("details", tag("summary", "ALT", aria_label=f"Description of the {what}"), tag("p", said), class_="alt")


def card(each: Card | None) -> Markup | None:
    """What a linked page says of itself; None where it says nothing or its address is not of the web."""
    if each is None or each.failed or not each.title or not each.url.startswith(_WEB):
        return None
    image = tag(
        "img", src=f"/media/{each.image}", alt="", width=each.width or None, height=each.height or None, loading="lazy"
    )
    return tag(
        "a",
        image if each.image else None,
        tag(
            "div",
            tag("small", each.provider_name or each.url.split("/")[2]),
            tag("strong", each.title),
            tag("small", each.description[:200], class_="excerpt") if each.description else None,
        ),
        href=each.url,
        class_="card",
        rel="nofollow noopener noreferrer",
        target="_blank",
    )
