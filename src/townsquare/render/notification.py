"""Notices as JSON.

Box: render. Source: Mastodon API, /entities/Notification/ and /methods/grouped_notifications/
"""

from collections.abc import Sequence

from townsquare.kit.clock import iso


def notification_json(notification_id: int, kind: str, *, account: bytes, status: bytes | None) -> bytes:
    """The Notification entity. `account`, `status`: their JSON."""
    parts = [
        b'{"id":"%d","type":"%b","created_at":"%b","group_key":"ungrouped-%d","account":'
        % (notification_id, kind.encode(), iso(notification_id >> 16).encode(), notification_id),
        account,
    ]
    if status is not None:
        parts += [b',"status":', status]
    parts.append(b"}")
    return b"".join(parts)


def group_json(group_key: str, kind: str, ids: Sequence[int], *, accounts: Sequence[int], status_id: int) -> bytes:
    """The NotificationGroup entity. `ids`: its notices, newest first; `accounts`: who, newest first."""
    sample = b",".join(b'"%d"' % each for each in accounts[:8])
    return (
        b'{"group_key":"%b","notifications_count":%d,"type":"%b","most_recent_notification_id":%d,'
        b'"page_min_id":"%d","page_max_id":"%d","latest_page_notification_at":"%b","sample_account_ids":[%b]%b}'
        % (
            group_key.encode(),
            len(ids),
            kind.encode(),
            ids[0],
            ids[-1],
            ids[0],
            iso(ids[0] >> 16).encode(),
            sample,
            b',"status_id":"%d"' % status_id if status_id else b"",
        )
    )
