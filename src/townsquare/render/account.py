"""Accounts as JSON.

Box: render. Source: Mastodon API, /entities/Account/
"""

from typing import Any

import msgspec

from townsquare.kit.clock import iso
from townsquare.kit.urls import files_base
from townsquare.model.account import Account, AccountStats, Role
from townsquare.render.content import content_html

_encode = msgspec.json.Encoder().encode

ROLE_NAMES = {Role.OWNER: "Owner", Role.ADMIN: "Admin", Role.MODERATOR: "Moderator"}
ROLE_IDS = {Role.USER: "-99", Role.MODERATOR: "1", Role.ADMIN: "2", Role.OWNER: "3"}


def account_url(account: Account, base: str) -> str:
    """Where people read the profile."""
    return f"{base}/@{account.username}" + (f"@{account.domain}" if account.domain else "")


def acct(account: Account) -> str:
    """The name as others type it here."""
    return f"{account.username}@{account.domain}" if account.domain else account.username


def avatar_url(account: Account, base: str, *, still: bool = False) -> str:
    """The picture, or the one drawn from the id."""
    key = account.avatar_static if still and account.avatar_static else account.avatar
    return f"{files_base(base)}/media/{key}" if key else f"{files_base(base)}/avatars/{account.account_id}.png"


def header_url(account: Account, base: str, *, still: bool = False) -> str:
    """The wide picture, or the one that everybody starts with."""
    key = account.header_static if still and account.header_static else account.header
    return f"{files_base(base)}/media/{key}" if key else f"{files_base(base)}/headers/default.png"


def account_dict(account: Account, stats: AccountStats, base: str) -> dict[str, Any]:
    """All fields of the Account entity."""
    gone = account.is_gone
    shown: dict[str, Any] = {
        "id": str(account.account_id),
        "username": account.username,
        "acct": acct(account),
        "url": account_url(account, base),
        "uri": f"{base}/ap/users/{account.account_id}",
        "display_name": "" if gone else account.display_name,
        "note": "" if gone else content_html(account.note, base=base, mentions={}),
        "avatar": avatar_url(account, base),
        "avatar_static": avatar_url(account, base, still=True),
        "avatar_description": account.avatar_description,
        "header": header_url(account, base),
        "header_static": header_url(account, base, still=True),
        "header_description": account.header_description,
        "locked": account.locked,
        "fields": [] if gone else field_dicts(account, base),
        "emojis": [],
        "bot": account.bot,
        "group": False,
        "discoverable": account.discoverable,
        "indexable": account.indexable,
        "noindex": not account.indexable,
        "moved": None,
        "created_at": iso(account.created_ms // 86_400_000 * 86_400_000),
        "last_status_at": iso(stats.last_status_ms)[:10] if stats.last_status_ms else None,
        "statuses_count": stats.statuses,
        "followers_count": stats.followers,
        "following_count": stats.following,
        "hide_collections": account.hide_collections,
        "show_media": account.show_media,
        "show_media_replies": account.show_media_replies,
        "show_featured": account.show_featured,
        "roles": role_dicts(account),
        "feature_approval": {"automatic": [], "manual": [], "current_user": "denied"},
    }
    if account.suspended:
        shown["suspended"] = True
    if account.limited:
        shown["limited"] = True
    return shown


def field_dicts(account: Account, base: str) -> list[dict[str, Any]]:
    """The table on a profile, its values as HTML."""
    return [
        {
            "name": field.name,
            "value": content_html(field.value, base=base, mentions={}, whole_links=True)
            .removeprefix("<p>")
            .removesuffix("</p>"),
            "verified_at": iso(field.verified_at) if field.verified_at else None,
        }
        for field in account.fields
    ]


def role_dicts(account: Account) -> list[dict[str, str]]:
    """Roles that everybody may see."""
    if account.role is Role.USER:
        return []
    return [{"id": ROLE_IDS[account.role], "name": ROLE_NAMES[account.role], "color": ""}]


def account_json(account: Account, stats: AccountStats, base: str) -> bytes:
    """The Account entity as bytes."""
    return _encode(account_dict(account, stats, base))
