"""What people say of themselves: name, note, fields, pictures, and the defaults of their statuses.

Box: social. Source: Mastodon API, /methods/accounts/#update_credentials and /methods/profile/
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from townsquare.kit.entities import counted_length
from townsquare.model.account import Account, AccountStats, ProfileField, User, Visibility
from townsquare.model.errors import Invalid, NotFound
from townsquare.model.tasks import IndexAuthor
from townsquare.social.accounts import change_account
from townsquare.social.drafts import QUOTE_POLICIES
from townsquare.social.follows import authorize_all
from townsquare.social.ports import Ports
from townsquare.social.users import change_user
from townsquare.store.relations import count_relations
from townsquare.store.tables import ACCOUNT_STATS, ACCOUNTS, USERS

MAX_NAME, MAX_NOTE, MAX_FIELDS, MAX_FIELD = 40, 500, 4, 255
MAX_DESCRIPTION = 1_500
MAX_DOMAINS = 100
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """All about an account that its own person sees."""

    account: Account
    user: User
    stats: AccountStats
    requests: int


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be changed; None leaves it. Pictures come as media keys that are stored already."""

    display_name: str | None = None
    note: str | None = None
    fields: tuple[tuple[str, str], ...] | None = None
    locked: bool | None = None
    bot: bool | None = None
    discoverable: bool | None = None
    hide_collections: bool | None = None
    indexable: bool | None = None
    show_media: bool | None = None
    show_media_replies: bool | None = None
    show_featured: bool | None = None
    attribution_domains: tuple[str, ...] | None = None
    avatar: str | None = None
    avatar_static: str | None = None
    avatar_description: str | None = None
    header: str | None = None
    header_static: str | None = None
    header_description: str | None = None
    privacy: str | None = None
    sensitive: bool | None = None
    language: str | None = None
    quote_policy: str | None = None


_ACCOUNT_FIELDS = (
    "locked", "bot", "discoverable", "hide_collections", "indexable", "show_media", "show_media_replies",
    "show_featured", "attribution_domains", "avatar", "avatar_static", "avatar_description", "header", "header_static",
    "header_description",
)  # fmt: skip
_USER_FIELDS = ("sensitive", "language", "quote_policy")


async def profile_of(ports: Ports, account_id: int) -> Profile:
    """The account as its own person sees it, read from the store so that it never is old. Cost: four reads.

    Raises: NotFound.
    """
    account = await ports.store.get(ACCOUNTS, (account_id,))
    user = await ports.store.get(USERS, (account_id,))
    if account is None or user is None or account.deleted:
        raise NotFound
    stats = await ports.store.get(ACCOUNT_STATS, (account_id,)) or AccountStats(account_id=account_id)
    requests = await count_relations(ports.store, account_id, "request")
    return Profile(account=account, user=user, stats=stats, requests=requests)


async def change_profile(ports: Ports, account_id: int, change: ProfileChange) -> Profile:
    """Change what is given and leave the rest. All or nothing as far as the checks go.

    Raises: Invalid with details per field; NotFound.
    """
    check(change)
    before = await change_account_profile(ports, account_id, change)
    if change.privacy is not None or any(getattr(change, name) is not None for name in _USER_FIELDS):
        await change_user(ports, account_id, lambda user: _changed_user(user, change))
    profile = await profile_of(ports, account_id)
    if before and not profile.account.locked:
        await authorize_all(ports, actor=profile.account)
    return profile


async def change_account_profile(ports: Ports, account_id: int, change: ProfileChange) -> bool:
    """The account's part of a change; whether it was locked before."""
    was_locked = False

    def changed(old: Account) -> Account:
        nonlocal was_locked
        was_locked = old.locked
        return _changed_account(old, change)

    anew = [IndexAuthor(account_id)] if change.indexable is not None else []
    await change_account(ports, account_id, changed, tasks=anew)
    return was_locked


def _changed_account(old: Account, change: ProfileChange) -> Account:
    given: dict[str, Any] = {name: value for name in _ACCOUNT_FIELDS if (value := getattr(change, name)) is not None}
    if change.display_name is not None:
        given["display_name"] = _cleaned(change.display_name)
    if change.note is not None:
        given["note"] = _cleaned(change.note, lines=True)
    if change.fields is not None:
        verified = {(field.name, field.value): field.verified_at for field in old.fields}
        given["fields"] = tuple(
            ProfileField(name, value, verified.get((name, value))) for name, value in _cleaned_fields(change.fields)
        )
    return msgspec.structs.replace(old, **given)


def _changed_user(old: User, change: ProfileChange) -> User:
    given: dict[str, Any] = {name: value for name in _USER_FIELDS if (value := getattr(change, name)) is not None}
    if change.privacy is not None:
        given["privacy"] = Visibility(change.privacy)
    return msgspec.structs.replace(old, **given)


def _cleaned(text: str, *, lines: bool = False) -> str:
    """Without control characters (and without those that turn the direction of the text round them)."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    return text if lines else text.replace("\n", " ")


def _cleaned_fields(fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Fields without those that are all empty."""
    return [(_cleaned(name), _cleaned(value)) for name, value in fields if name.strip() or value.strip()]


# Checks ---------------------------------------------------------------------------------------------------------------


def check(change: ProfileChange) -> None:
    """Make sure that all values can be kept.

    Raises: Invalid with details per field.
    """
    faults: dict[str, list[tuple[str, str]]] = {}
    if change.display_name is not None and len(change.display_name) > MAX_NAME:
        faults["display_name"] = [_too_long(MAX_NAME)]
    if change.note is not None and counted_length(change.note) > MAX_NOTE:
        faults["note"] = [_too_long(MAX_NOTE)]
    for name in ("avatar_description", "header_description"):
        if len(getattr(change, name) or "") > MAX_DESCRIPTION:
            faults[name] = [_too_long(MAX_DESCRIPTION)]
    if change.fields is not None and (fault := _fields_fault(_cleaned_fields(change.fields))):
        faults["fields"] = [fault]
    if change.attribution_domains is not None and (
        len(change.attribution_domains) > MAX_DOMAINS
        or not all(_DOMAIN.fullmatch(domain) for domain in change.attribution_domains)
    ):
        faults["attribution_domains"] = [("ERR_INVALID", "is invalid")]
    faults.update(_source_faults(change))
    if faults:
        said = ", ".join(f"{name.replace('_', ' ').capitalize()} {all_[0][1]}" for name, all_ in faults.items())
        raise Invalid(f"Validation failed: {said}", faults)


def _fields_fault(fields: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    if len(fields) > MAX_FIELDS:
        return ("ERR_TOO_LONG", f"are too many (maximum is {MAX_FIELDS})")
    if any(len(name) > MAX_FIELD or len(value) > MAX_FIELD for name, value in fields):
        return _too_long(MAX_FIELD)
    if any(not name for name, _ in fields):
        return ("ERR_BLANK", "need a name each")
    return None


def _source_faults(change: ProfileChange) -> dict[str, list[tuple[str, str]]]:
    faults: dict[str, list[tuple[str, str]]] = {}
    not_listed = [("ERR_INCLUSION", "is not included in the list")]
    if change.privacy is not None and change.privacy not in ("public", "unlisted", "private", "direct"):
        faults["privacy"] = not_listed
    if change.quote_policy is not None and change.quote_policy not in QUOTE_POLICIES:
        faults["quote_policy"] = not_listed
    if change.language and not _LANGUAGE.fullmatch(change.language):
        faults["language"] = [("ERR_INVALID", "is invalid")]
    return faults


def _too_long(most: int) -> tuple[str, str]:
    return ("ERR_TOO_LONG", f"is too long (maximum is {most} characters)")
