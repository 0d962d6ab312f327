"""Versions of a status, and what the author typed.

Box: render. Source: Mastodon API, /entities/StatusEdit/, /entities/StatusSource/ and /methods/statuses/#delete
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from townsquare.kit.clock import iso
from townsquare.model.status import Media, Status
from townsquare.render.content import content_html
from townsquare.render.media import media_json

_encode = msgspec.json.Encoder().encode


def edit_json(
    row: Status,
    media: Sequence[Media],
    *,
    at_ms: int,
    account: bytes,
    mentioned: Mapping[tuple[str, str], str],
    base: str,
) -> bytes:
    """The StatusEdit entity of a status and its media as they were from `at_ms` on. `account`: the author's JSON."""
    shown: dict[str, Any] = {
        "content": content_html(row.text, base=base, mentions=mentioned),
        "spoiler_text": row.spoiler_text,
        "sensitive": row.sensitive,
        "created_at": iso(at_ms),
        "account": msgspec.Raw(account),
        "emojis": [],
        "media_attachments": [msgspec.Raw(media_json(each, base)) for each in media],
        "quote": None,
    }
    if row.poll is not None:
        shown["poll"] = {"options": [{"title": option} for option in row.poll.options]}
    return _encode(shown)


def source_json(status: Status) -> bytes:
    """The StatusSource entity."""
    return _encode({"id": str(status.status_id), "text": status.text, "spoiler_text": status.spoiler_text})


def deleted_json(shown: bytes, status: Status) -> bytes:
    """The answer to a deletion: the status as it was shown, with its source in the place of its HTML."""
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(shown, type=dict[str, msgspec.Raw])
    fields.pop("content", None)
    fields["text"] = msgspec.Raw(_encode(status.text))
    return _encode(fields)
