"""Scopes: what a token may be used for. Wider ones imply narrower ones.

Box: model. Source: Mastodon API, /api/oauth-scopes/
"""

from collections.abc import Iterable

from townsquare.model.errors import Invalid

_NOUNS = (
    "accounts", "blocks", "bookmarks", "collections", "favourites", "filters", "follows", "lists", "mutes",
    "notifications", "statuses",
)  # fmt: skip
_ADMIN_NOUNS = (
    "accounts", "reports", "domain_allows", "domain_blocks", "ip_blocks", "email_domain_blocks",
    "canonical_email_blocks",
)  # fmt: skip

SCOPES: tuple[str, ...] = (
    "profile",
    "read",
    *(f"read:{noun}" for noun in (*_NOUNS, "search")),
    "write",
    *(f"write:{noun}" for noun in (*_NOUNS, "conversations", "media", "reports")),
    "follow",
    "push",
    "admin:read",
    *(f"admin:read:{noun}" for noun in _ADMIN_NOUNS),
    "admin:write",
    *(f"admin:write:{noun}" for noun in _ADMIN_NOUNS),
)
DEFAULT: tuple[str, ...] = ("read",)
_KNOWN = frozenset(SCOPES)
_FOLLOW = frozenset(f"{act}:{noun}" for act in ("read", "write") for noun in ("blocks", "follows", "mutes"))
MAX_TEXT = 2000  # characters of a scope parameter; all scopes together are shorter


def read_scopes(text: str | Iterable[str] | None) -> tuple[str, ...]:
    """Scopes from a parameter: words apart by blanks (or `+`, as some clients send), or a list. None or empty: DEFAULT.

    Raises: Invalid where one is unknown.
    """
    words = (text or "").replace("+", " ").split() if isinstance(text, str | None) else [str(word) for word in text]
    if sum(map(len, words)) > MAX_TEXT:
        raise Invalid("Validation failed: Scopes is too long")
    if not _KNOWN.issuperset(words):
        raise Invalid("Validation failed: Scopes doesn't match configured on the server.")
    return tuple(dict.fromkeys(words)) or DEFAULT


def allows(granted: Iterable[str], needed: str) -> bool:
    """Whether one of the granted scopes is `needed` or implies it: `write` implies `write:media`."""
    return any(
        scope == needed or needed.startswith(scope + ":") or (scope == "follow" and needed in _FOLLOW)
        for scope in granted
    )


def is_within(asked: Iterable[str], registered: Iterable[str]) -> bool:
    """Whether every asked scope is implied by the registered ones."""
    held = tuple(registered)
    return all(
        allows(held, scope) or (scope == "follow" and all(allows(held, part) for part in _FOLLOW)) for scope in asked
    )
