"""An account as its own person sees it.

Box: render. Source: Mastodon API, /entities/Account/#CredentialAccount and /entities/Profile/
"""

from typing import Any

from townsquare.kit.clock import iso
from townsquare.model.account import Account, AccountStats, Role, User
from townsquare.render.account import ROLE_IDS, ROLE_NAMES, account_dict, avatar_url, field_dicts, header_url
from townsquare.render.content import content_html

_PERMISSIONS = {Role.USER: "65536", Role.MODERATOR: "1308", Role.ADMIN: "2097023", Role.OWNER: "1"}


def credential_account(
    account: Account, user: User, stats: AccountStats, *, requests: int, base: str
) -> dict[str, Any]:
    """All fields of the CredentialAccount entity. `requests`: how many ask to follow."""
    shown = account_dict(account, stats, base)
    shown["source"] = {
        "attribution_domains": list(account.attribution_domains),
        "privacy": user.privacy.value,
        "sensitive": user.sensitive,
        "language": user.language or None,
        "note": account.note,
        "fields": _typed_fields(account),
        "follow_requests_count": requests,
        "hide_collections": account.hide_collections,
        "discoverable": account.discoverable,
        "indexable": account.indexable,
        "quote_policy": user.quote_policy,
    }
    shown["role"] = role(account.role)
    return shown


def role(each: Role) -> dict[str, Any]:
    """The Role entity, with what it allows."""
    return {
        "id": ROLE_IDS[each],
        "name": ROLE_NAMES.get(each, ""),
        "color": "",
        "permissions": _PERMISSIONS[each],
        "highlighted": each is not Role.USER,
        "collection_limit": 0,
    }


def profile(account: Account, base: str) -> dict[str, Any]:
    """All fields of the Profile entity. A picture that was not chosen is null."""
    avatar, header = bool(account.avatar), bool(account.header)
    return {
        "id": str(account.account_id),
        "display_name": account.display_name,
        "note": account.note,
        "formatted_note": content_html(account.note, base=base, mentions={}),
        "fields": _typed_fields(account),
        "formatted_fields": field_dicts(account, base),
        "avatar": avatar_url(account, base) if avatar else None,
        "avatar_static": avatar_url(account, base, still=True) if avatar else None,
        "avatar_description": account.avatar_description,
        "header": header_url(account, base) if header else None,
        "header_static": header_url(account, base, still=True) if header else None,
        "header_description": account.header_description,
        "locked": account.locked,
        "bot": account.bot,
        "hide_collections": account.hide_collections,
        "discoverable": account.discoverable,
        "indexable": account.indexable,
        "show_media": account.show_media,
        "show_media_replies": account.show_media_replies,
        "show_featured": account.show_featured,
        "attribution_domains": list(account.attribution_domains),
        "featured_tags": [],
    }


def _typed_fields(account: Account) -> list[dict[str, Any]]:
    """The fields as typed."""
    return [
        {"name": field.name, "value": field.value, "verified_at": iso(field.verified_at) if field.verified_at else None}
        for field in account.fields
    ]
