"""Accounts (anyone) and users (a local log-in).

Box: model. Source: Mastodon API, /entities/Account/
"""

from enum import StrEnum

import msgspec


class Visibility(StrEnum):
    """Who a status is for, in the API's words."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"
    DIRECT = "direct"


# What anybody may read by its address.
OPEN = (Visibility.PUBLIC, Visibility.UNLISTED)


class Role(StrEnum):
    """What a user may do on this server, the weakest first."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"
    OWNER = "owner"


class ProfileField(msgspec.Struct, frozen=True, array_like=True):
    """One line of the table on a profile."""

    name: str
    value: str  # as typed
    verified_at: int | None = None  # ms


class Account(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Anyone, local or remote, as others may know them. Counts change, so they live in AccountStats."""

    account_id: int
    username: str  # as typed, the case kept
    domain: str = ""  # empty: local
    display_name: str = ""
    note: str = ""  # as typed
    fields: tuple[ProfileField, ...] = ()
    avatar: str = ""  # media key of the picture; empty: a drawn one
    avatar_static: str = ""
    avatar_description: str = ""
    header: str = ""
    header_static: str = ""
    header_description: str = ""
    locked: bool = False
    bot: bool = False
    discoverable: bool | None = None
    indexable: bool = False
    hide_collections: bool = False
    show_media: bool = True
    show_media_replies: bool = True
    show_featured: bool = True
    attribution_domains: tuple[str, ...] = ()
    created_ms: int
    role: Role = Role.USER
    suspended: bool = False
    limited: bool = False
    deleted: bool = False  # the name stays taken for ever
    version: int = 0  # grows with every change

    @property
    def is_gone(self) -> bool:
        """Whether others see nothing of it: suspended or deleted."""
        return self.suspended or self.deleted


class User(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A local log-in: what only its person and the server may know."""

    account_id: int
    email: str
    password_hash: str
    locale: str = "en"
    confirmed: bool = False
    approved: bool = True
    disabled: bool = False
    privacy: Visibility = Visibility.PUBLIC  # of a new status
    sensitive: bool = False
    language: str = ""
    quote_policy: str = "public"
    agreed_ms: int = 0
    reset_ms: int = 0  # when the password was last changed; codes and links made before are dead


class AccountStats(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Totals of an account, set by the counts worker from what it counted; never incremented."""

    account_id: int
    followers: int = 0
    following: int = 0
    statuses: int = 0
    last_status_ms: int = 0


class App(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A registered client program."""

    client_id: str
    app_id: int
    secret_hash: bytes
    name: str
    website: str = ""
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("read",)


class Token(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An access token or a browser's session, under the hash of its secret."""

    token_hash: bytes  # SHA-256
    token_id: int
    account_id: int  # 0: of an app, no user
    client_id: str  # empty: a browser's session or made by the command line
    app_name: str = ""
    app_website: str = ""
    scopes: tuple[str, ...]
    created_ms: int
    revoked: bool = False
