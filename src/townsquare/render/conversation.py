"""Direct conversations as JSON.

Box: render. Source: Mastodon API, /entities/Conversation/
"""

from collections.abc import Sequence


def conversation_json(
    conversation_id: int, *, unread: bool, accounts: Sequence[bytes], last_status: bytes | None
) -> bytes:
    """The Conversation entity. `accounts`, `last_status`: their JSON."""
    return b'{"id":"%d","unread":%b,"accounts":[%b],"last_status":%b}' % (
        conversation_id,
        b"true" if unread else b"false",
        b",".join(accounts),
        last_status or b"null",
    )
