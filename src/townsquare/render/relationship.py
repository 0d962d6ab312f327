"""What two accounts are to each other, as JSON.

Box: render. Source: Mastodon API, /entities/Relationship/
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from townsquare.kit.clock import iso


class Follow(Protocol):
    """One direction of a follow, as it is kept."""

    @property
    def state(self) -> str: ...
    @property
    def reblogs(self) -> bool: ...
    @property
    def notify(self) -> bool: ...
    @property
    def languages(self) -> tuple[str, ...]: ...


class Other(Protocol):
    """A block, mute or note that is in force."""

    @property
    def expires_ms(self) -> int: ...
    @property
    def notifications(self) -> bool: ...
    @property
    def comment(self) -> str: ...


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """All that the viewer and an account are to each other. `to`: the viewer's follow; `back`: the other's."""

    account_id: int
    to: Any  # Follow | None
    back: Any  # Follow | None
    kinds: Mapping[str, Any]  # block, blocked_by, mute, note: Other


def relationship(relation: Relation) -> dict[str, Any]:
    """All fields of the Relationship entity."""
    to: Follow | None = relation.to
    back: Follow | None = relation.back
    mute: Other | None = relation.kinds.get("mute")
    note: Other | None = relation.kinds.get("note")
    follows = to is not None and to.state == "on"
    asked = to is not None and to.state == "requested"
    return {
        "id": str(relation.account_id),
        "following": follows,
        "showing_reblogs": (follows or asked) and to is not None and to.reblogs,
        "notifying": (follows or asked) and to is not None and to.notify,
        "languages": list(to.languages) if to is not None and (follows or asked) and to.languages else None,
        "followed_by": back is not None and back.state == "on",
        "blocking": "block" in relation.kinds,
        "blocked_by": "blocked_by" in relation.kinds,
        "muting": mute is not None,
        "muting_notifications": mute is not None and mute.notifications,
        "muting_expires_at": iso(mute.expires_ms) if mute is not None and mute.expires_ms else None,
        "requested": asked,
        "requested_by": back is not None and back.state == "requested",
        "domain_blocking": False,
        "endorsed": False,
        "note": note.comment if note is not None else "",
    }
