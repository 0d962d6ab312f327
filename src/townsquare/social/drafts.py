"""What somebody wants to post, and whether it may be posted: texts, polls, languages.

Box: social. Source: Mastodon API, /methods/statuses/#create; the limits are those that /api/v2/instance tells.
"""

import re

import msgspec

from townsquare.kit.entities import counted_length, find_entities, seen_length
from townsquare.model.account import Account, User, Visibility
from townsquare.model.errors import Invalid
from townsquare.model.status import Mention, Poll
from townsquare.social.ports import Ports
from townsquare.store.accounts import get_accounts
from townsquare.store.tables import HANDLES

MAX_CHARACTERS = 500
MAX_MEDIA = 4
MAX_OPTIONS = 4
MAX_OPTION_CHARACTERS = 50
MIN_POLL_S = 300
MAX_POLL_S = 2_629_746  # a month
MAX_KEY_LENGTH = 512
QUOTE_POLICIES = ("public", "followers", "nobody")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8}){0,2}")
_WIDTH = {Visibility.PUBLIC: 0, Visibility.UNLISTED: 1, Visibility.PRIVATE: 2, Visibility.DIRECT: 3}


class PollDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A poll as asked for."""

    options: tuple[str, ...] = ()
    expires_in: int | None = None  # seconds
    multiple: bool = False
    hide_totals: bool = False


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A status as asked for; None where the author's defaults shall stand in."""

    text: str = ""
    spoiler_text: str = ""
    sensitive: bool | None = None
    language: str = ""
    visibility: str | None = None
    reply_to: int | None = None
    media: tuple[int, ...] = ()
    poll: PollDraft | None = None
    quote_policy: str | None = None
    app_name: str = ""
    app_website: str = ""
    key: str = ""  # Idempotency-Key


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Checked texts of a status, and what was found in them."""

    text: str
    spoiler_text: str
    tags: tuple[str, ...]
    handles: tuple[tuple[str, str], ...]  # (name, domain) as typed
    link: str


def check_words(text: str, spoiler_text: str, *, attached: bool) -> Words:
    """The texts of a status, `attached`: it holds media, so that it may do without a text.

    Raises: Invalid in Mastodon's words.
    """
    text, spoiler_text = _clean(text), _clean(spoiler_text)
    if not text.strip() and spoiler_text.strip():
        text, spoiler_text = spoiler_text, ""
    if not text.strip() and not attached:
        raise Invalid("Validation failed: Text can't be blank")
    # The cheap look first: no text of this size counts less, but for its links.
    if len(text) > 100 * MAX_CHARACTERS or counted_length(text) + seen_length(spoiler_text) > MAX_CHARACTERS:
        raise Invalid(f"Validation failed: Text character limit of {MAX_CHARACTERS} exceeded")
    found = find_entities(text)
    tags = {entity.value.lower(): entity.value for entity in reversed(found) if entity.kind == "tag"}
    return Words(
        text=text,
        spoiler_text=spoiler_text,
        tags=tuple(reversed(tags.values())),
        handles=tuple(dict.fromkeys((e.value, e.domain) for e in found if e.kind == "mention")),
        link=next((e.value for e in found if e.kind == "url"), ""),
    )


def _clean(text: str) -> str:
    """Without what no database, feed or terminal should meet: NUL, lone surrogates, carriage returns."""
    return text.replace("\x00", "").replace("\r\n", "\n").encode("utf-8", "replace").decode()


async def resolve_mentions(ports: Ports, handles: tuple[tuple[str, str], ...]) -> tuple[Mention, ...]:
    """The accounts of this server that the handles name; other handles stay text. Cost: two round trips."""
    own = ports.settings.domain.lower()
    local = list(dict.fromkeys(name.lower() for name, domain in handles if domain in ("", own)))
    if not local:
        return ()
    rows = await ports.store.get_many(HANDLES, [("", name) for name in local])
    accounts = await get_accounts(ports.store, [row.account_id for row in rows if row is not None])
    return tuple(
        Mention(account.account_id, account.username)
        for account in accounts
        if account is not None and not account.is_gone
    )


def check_poll(draft: PollDraft, now_ms: int) -> Poll:
    """The poll as it is kept.

    Raises: Invalid in Mastodon's words.
    """
    options = tuple(option for option in (_clean(each).strip() for each in draft.options) if option)
    if draft.expires_in is None:
        raise Invalid("Validation failed: Poll expires at can't be blank")
    if len(options) < 2:
        raise Invalid("Validation failed: Poll options must have more than one item")
    if len(options) > MAX_OPTIONS:
        raise Invalid(f"Validation failed: Poll options can't contain more than {MAX_OPTIONS} items")
    if any(len(option) > 1000 or seen_length(option) > MAX_OPTION_CHARACTERS for option in options):
        raise Invalid(f"Validation failed: Poll options can't be longer than {MAX_OPTION_CHARACTERS} characters each")
    if len(set(options)) < len(options):
        raise Invalid("Validation failed: Poll options contain duplicate items")
    if draft.expires_in > MAX_POLL_S:
        raise Invalid("Validation failed: Poll expires at is too far into the future")
    if draft.expires_in < MIN_POLL_S:
        raise Invalid("Validation failed: Poll expires at is too soon")
    return Poll(options, now_ms + draft.expires_in * 1000, draft.multiple, draft.hide_totals)


def check_visibility(asked: str | None, author: Account, user: User, parent: Visibility | None) -> Visibility:
    """Who the status is for. Where the author does not say: the default, or the parent's audience if that is smaller.

    Raises: Invalid for an unknown word.
    """
    if asked:
        try:
            visibility = Visibility(asked)
        except ValueError as exc:
            raise Invalid("Validation failed: Visibility is not included in the list") from exc
    else:
        visibility = max(user.privacy, parent or user.privacy, key=_WIDTH.__getitem__)
    return Visibility.UNLISTED if visibility is Visibility.PUBLIC and author.limited else visibility


def check_language(asked: str, user: User) -> str:
    """The language of a status; the author's own where the asked one is none."""
    return next((each for each in (asked, user.language, user.locale) if _LANGUAGE.fullmatch(each)), "en")


def check_quote_policy(asked: str | None, user: User, visibility: Visibility) -> str:
    """Who may quote the status.

    Raises: Invalid for an unknown word.
    """
    if asked and asked not in QUOTE_POLICIES:
        raise Invalid("Validation failed: Quote approval policy is not included in the list")
    if visibility in (Visibility.PRIVATE, Visibility.DIRECT):
        return "nobody"
    return asked or user.quote_policy
