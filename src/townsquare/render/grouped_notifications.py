"""Groups of notices as JSON.

Box: render. Source: Mastodon API, /methods/grouped_notifications/
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from townsquare.kit.clock import iso
from townsquare.model.account import Account
from townsquare.render.account import account_url, acct, avatar_url

_encode = msgspec.json.Encoder().encode


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group as a page shows it."""

    key: str
    kind: str
    count: int  # of its notices up to the newest one shown
    newest_id: int
    page: tuple[int, int] | None  # lowest and highest id that lies on the page; None where there is no page
    samples: Sequence[int]  # accounts, the last first
    status_id: int = 0


def group_dict(group: GroupView) -> dict[str, Any]:
    """The NotificationGroup entity."""
    shown: dict[str, Any] = {
        "group_key": group.key,
        "notifications_count": group.count,
        "type": group.kind,
        "most_recent_notification_id": group.newest_id,
    }
    if group.page is not None:
        shown["page_min_id"], shown["page_max_id"] = str(group.page[0]), str(group.page[1])
        shown["latest_page_notification_at"] = iso(group.newest_id >> 16)
    shown["sample_account_ids"] = [str(each) for each in group.samples]
    if group.status_id:
        shown["status_id"] = str(group.status_id)
    return shown


def partial_account(account: Account, base: str) -> dict[str, Any]:
    """The PartialAccountWithAvatar entity."""
    return {
        "id": str(account.account_id),
        "acct": acct(account),
        "url": account_url(account, base),
        "avatar": avatar_url(account, base),
        "avatar_static": avatar_url(account, base, still=True),
        "avatar_description": account.avatar_description,
        "locked": account.locked,
        "bot": account.bot,
    }


def groups_json(
    groups: Sequence[GroupView],
    *,
    accounts: Sequence[bytes],
    statuses: Sequence[bytes],
    partial: Sequence[dict[str, Any]] | None,
) -> bytes:
    """The GroupedNotificationsResults entity. `accounts`, `statuses`: as JSON; `partial`: where they were asked for."""
    parts = [b'{"accounts":[', b",".join(accounts)]
    if partial is not None:
        parts += [b'],"partial_accounts":', _encode(partial), b',"statuses":[']
    else:
        parts.append(b'],"statuses":[')
    parts += [b",".join(statuses), b'],"notification_groups":', _encode([group_dict(each) for each in groups]), b"}"]
    return b"".join(parts)
