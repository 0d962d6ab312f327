"""Preview cards as JSON.

Box: render. Source: Mastodon API, /entities/PreviewCard/
"""

import msgspec

from townsquare.kit.clock import iso
from townsquare.kit.urls import files_base
from townsquare.model.status import Card

_encode = msgspec.json.Encoder().encode


def card_json(card: Card, base: str) -> bytes:
    """The PreviewCard entity. No card brings HTML of its own: `html` is empty."""
    return _encode(
        {
            "url": card.url,
            "title": card.title,
            "description": card.description,
            "type": card.kind,
            "authors": [{"name": card.author_name, "url": card.author_url, "account": None}]
            if card.author_name
            else [],
            "author_name": card.author_name,
            "author_url": card.author_url,
            "provider_name": card.provider_name,
            "provider_url": card.provider_url,
            "html": "",
            "width": card.width,
            "height": card.height,
            "image": f"{files_base(base)}/media/{card.image}" if card.image else None,
            "image_description": card.image_description,
            "embed_url": "",
            "blurhash": card.blurhash or None,
            "language": card.language or None,
            "missing_attribution": None,
            "published_at": iso(card.published_ms) if card.published_ms else None,
        }
    )
