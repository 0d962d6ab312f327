"""Statuses as JSON, joined from kept bytes: what a status is, who wrote it, its totals, the viewer's flags.

Box: render. Source: Mastodon API, /entities/Status/
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from townsquare.kit.clock import iso
from townsquare.model.account import Account
from townsquare.model.status import Card, Media, Status, StatusCounts
from townsquare.render.account import account_url
from townsquare.render.card import card_json
from townsquare.render.content import content_html
from townsquare.render.media import media_json

_encode = msgspec.json.Encoder().encode

FAVOURITED, REBLOGGED, BOOKMARKED, MUTED, PINNED, VOTED = 1, 2, 4, 8, 16, 32

_BOOL = (b"false", b"true")
_FLAGS = [
    b',"favourited":%b,"reblogged":%b,"muted":%b,"bookmarked":%b,"filtered":[]'
    % (_BOOL[bits & 1], _BOOL[bits >> 1 & 1], _BOOL[bits >> 3 & 1], _BOOL[bits >> 2 & 1])
    for bits in range(16)
]
_PINNED = (b',"pinned":false', b',"pinned":true')
_ACCOUNT = b',"account":'


class Fragment(msgspec.Struct, frozen=True, array_like=True):
    """A status with the bytes that are the same for every viewer. `head`: its own, from the opening brace; `body`: what
    a boost shows of it, up to the author's account. A comma or a colon ends both."""

    status: Status
    head: bytes
    body: bytes
    media: tuple[Media, ...] = ()
    card: Card | None = None


class Person(msgspec.Struct, frozen=True, array_like=True):
    """An account with its JSON."""

    account: Account
    json: bytes


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """Counts of a status, with their JSON; of its poll too, if it has one."""

    counts: StatusCounts
    json: bytes
    votes: tuple[int, ...] = ()
    voters: int = 0


class StatusView(msgspec.Struct, frozen=True):
    """A status as one viewer sees it: all that a page needs."""

    fragment: Fragment
    author: Person
    totals: Totals
    author_id: int
    shown_id: int  # the status's own; of a boost, the original's
    flags: int = 0
    poll: bytes | None = None
    reblog: "StatusView | None" = None
    own_page: bool = False  # the viewer wrote it: `pinned` is told
    signed_in: bool = False
    parts: tuple[bytes, ...] = ()  # its JSON and a comma, in pieces, where `put_together` made them

    @property
    def status(self) -> Status:
        """The status itself."""
        return self.fragment.status


def status_url(status: Status, author: Account, base: str) -> str:
    """Where people read it."""
    return f"{account_url(author, base)}/{status.status_id}"


def status_uri(status: Status, base: str) -> str:
    """Its name among servers."""
    return f"{base}/ap/users/{status.author}/statuses/{status.status_id}"


def fragment(
    status: Status,
    author: Account,
    *,
    media: Sequence[Media],
    card: Card | None,
    mentioned: dict[int, str],
    base: str,
) -> Fragment:
    """Make the kept bytes of a status. `mentioned`: addresses of profiles by account id."""
    head: dict[str, Any] = {
        "id": str(status.status_id),
        "uri": status_uri(status, base) + ("/activity" if status.boost_of else ""),
        "url": status_url(status, author, base),
        "created_at": iso(status.created_ms),
        "edited_at": iso(status.edited_ms) if status.edited_ms else None,
        "visibility": status.visibility.value,
        "in_reply_to_id": str(status.reply_to) if status.reply_to else None,
        "in_reply_to_account_id": str(status.reply_to_author) if status.reply_to_author else None,
        "application": {"name": status.app_name, "website": status.app_website or None} if status.app_name else None,
    }
    body = _ACCOUNT if status.boost_of else _body(status, media, card, mentioned, base)
    return Fragment(status, _encode(head)[:-1] + b",", body, tuple(media), card)


def status_html(status: Status, mentioned: dict[int, str], base: str) -> str:
    """The text as HTML."""
    addresses = {
        (m.username.lower(), m.domain): mentioned[m.account_id] for m in status.mentions if m.account_id in mentioned
    }
    return content_html(status.text, base=base, mentions=addresses)


def _body(status: Status, media: Sequence[Media], card: Card | None, mentioned: dict[int, str], base: str) -> bytes:
    fields: dict[str, Any] = {
        "content": status_html(status, mentioned, base),
        "sensitive": status.sensitive,
        "spoiler_text": status.spoiler_text,
        "language": status.language or None,
        "mentions": [
            {
                "id": str(m.account_id),
                "username": m.username,
                "url": mentioned[m.account_id],
                "acct": f"{m.username}@{m.domain}" if m.domain else m.username,
            }
            for m in status.mentions
            if m.account_id in mentioned
        ],
        "tags": [{"name": tag.lower(), "url": f"{base}/tags/{tag.lower()}"} for tag in status.tags],
        "emojis": [],
        "quote": None,
        "quotes_count": 0,
        "quote_approval": {"automatic": [], "manual": [], "current_user": "denied"},
        "tagged_collections": [],
    }
    attachments = b",".join(media_json(m, base) for m in media)
    shown_card = card_json(card, base) if card is not None and not card.failed and card.title else b"null"
    return b"".join((_encode(fields)[1:-1], b',"media_attachments":[', attachments, b'],"card":', shown_card, _ACCOUNT))


def totals(counts: StatusCounts, *, votes: tuple[int, ...] = (), voters: int = 0) -> Totals:
    """Counts with their JSON."""
    return Totals(
        counts,
        b',"replies_count":%d,"reblogs_count":%d,"favourites_count":%d'
        % (counts.replies, counts.reblogs, counts.favourites),
        votes,
        voters,
    )


def status_json(view: StatusView) -> bytes:
    """The Status entity as bytes."""
    return b"".join(view.parts or _parts(view))[:-1]


def status_list_json(views: Sequence[StatusView]) -> bytes:
    """A page of statuses as bytes: one join."""
    if not views:
        return b"[]"
    parts = [b"[", *chain.from_iterable([view.parts or _parts(view) for view in views])]
    parts[-1] = parts[-1][:-1] + b"]"
    return b"".join(parts)


def put_together(view: StatusView) -> StatusView:
    """The same view, with the pieces of its JSON at hand."""
    return msgspec.structs.replace(view, parts=tuple(_parts(view)))


def _parts(view: StatusView) -> list[bytes]:
    """Its JSON and a comma, so that lists need not put them in between."""
    shown = view.reblog or view
    parts = [view.fragment.head, shown.fragment.body, view.author.json, shown.totals.json]
    end = _FLAGS[shown.flags & 15] if view.signed_in else b""
    if view.signed_in and view.own_page:
        end += _PINNED[view.flags >> 4 & 1]
    poll = shown.poll or b"null"
    if view.reblog is None:
        parts.append(b'%b,"poll":%b,"reblog":null},' % (end, poll))
    else:
        *inner, last = _parts(view.reblog)
        parts += (b'%b,"poll":%b,"reblog":' % (end, poll), *inner, last[:-1] + b"},")
    return parts
