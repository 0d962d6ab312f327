"""Pictures of a post, and the preview card of a link.

Box: web. Sizes are told beforehand, so that nothing jumps.
"""

from collections.abc import Sequence

from townsquare.kit.html import Markup, tag
from townsquare.model.status import Card, Media

_WEB = ("http://", "https://")


def pictures(media: Sequence[Media]) -> Markup | None:
    """One to four pictures in a grid, each with its description to read; None where there is none."""
    ready = [each for each in media if each.state == "ready"]
    if not ready:
        return None
    return tag("div", [_picture(each) for each in ready], class_=f"media of-{min(len(ready), 4)}")


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
    alt = tag("details", tag("summary", "ALT", aria_label="Description of the picture"), tag("p", said), class_="alt")
    return tag("figure", link, alt if said else None)


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
