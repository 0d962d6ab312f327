"""Hashtags as JSON.

Box: render. Source: Mastodon API, /entities/Tag/
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec


class TagDay(msgspec.Struct, frozen=True, array_like=True):
    """How much a tag was used on one day (UTC)."""

    day: int  # days since 1970
    uses: int
    accounts: int


def tag(name: str, base: str, *, tag_id: int, history: Sequence[TagDay]) -> dict[str, Any]:
    """The Tag entity; `tag_id` 0 for one that nobody used."""
    return {
        "id": str(tag_id) if tag_id else "",
        "name": name,
        "url": f"{base}/tags/{quote(name.lower())}",
        "history": history_json(history),
        "following": False,
        "featuring": False,
    }


def history_json(history: Sequence[TagDay]) -> list[dict[str, str]]:
    """The days of a tag's or a link's history."""
    return [{"day": str(each.day * 86_400), "uses": str(each.uses), "accounts": str(each.accounts)} for each in history]
