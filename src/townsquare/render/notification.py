"""Notices as JSON.

Box: render. Source: Mastodon API, /entities/Notification/
"""

from townsquare.kit.clock import iso


def notification_json(
    notification_id: int, kind: str, *, group_key: str, account: bytes, status: bytes | None
) -> bytes:
    """The Notification entity. `account`, `status`: their JSON."""
    parts = [
        b'{"id":"%d","type":"%b","created_at":"%b","group_key":"%b","account":'
        % (notification_id, kind.encode(), iso(notification_id >> 16).encode(), group_key.encode()),
        account,
    ]
    if status is not None:
        parts += [b',"status":', status]
    parts.append(b"}")
    return b"".join(parts)
