"""Polls as JSON.

Box: render. Source: Mastodon API, /entities/Poll/
"""

from collections.abc import Sequence

import msgspec

from townsquare.kit.clock import iso
from townsquare.model.status import Poll

_encode = msgspec.json.Encoder().encode


def poll_json(
    poll_id: int,
    poll: Poll,
    *,
    votes: Sequence[int],
    voters: int,
    now_ms: int,
    own: Sequence[int] | None,
    signed_in: bool,
) -> bytes:
    """The Poll entity. `votes`: by option, empty for none yet; `own`: what the viewer chose, None: has not voted."""
    expired = poll.expires_ms is not None and poll.expires_ms <= now_ms
    hidden = poll.hide_totals and not expired
    counts = [*votes, *([0] * (len(poll.options) - len(votes)))]
    shown: dict[str, object] = {
        "id": str(poll_id),
        "expires_at": iso(poll.expires_ms) if poll.expires_ms is not None else None,
        "expired": expired,
        "multiple": poll.multiple,
        "votes_count": sum(counts),
        "voters_count": voters if poll.multiple else sum(counts),
        "options": [
            {"title": title, "votes_count": None if hidden else count}
            for title, count in zip(poll.options, counts, strict=True)
        ],
        "emojis": [],
    }
    if signed_in:
        shown["voted"] = own is not None
        shown["own_votes"] = list(own or ())
    return _encode(shown)
