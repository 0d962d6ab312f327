"""Statuses, their edits, polls and counts.

Box: model. Source: Mastodon API, /entities/Status/
"""

import msgspec

from townsquare.model.account import Visibility


class Mention(msgspec.Struct, frozen=True, array_like=True):
    """An account named in a status. `silent`: only addressed, not in the text."""

    account_id: int
    username: str
    domain: str = ""
    silent: bool = False


class Poll(msgspec.Struct, frozen=True, array_like=True):
    """A poll's question side; its id is its status's."""

    options: tuple[str, ...]
    expires_ms: int | None
    multiple: bool = False
    hide_totals: bool = False


class Status(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One post as it is kept. What changes with every reader or reaction lives elsewhere."""

    status_id: int
    author: int
    text: str = ""  # as typed, before rendering
    spoiler_text: str = ""
    visibility: Visibility = Visibility.PUBLIC
    sensitive: bool = False
    language: str = ""
    reply_to: int = 0  # status
    reply_to_author: int = 0
    root: int = 0  # first status of the thread; its own id for a first one
    boost_of: int = 0  # status; then text and the like are empty
    boost_of_author: int = 0
    media: tuple[int, ...] = ()
    mentions: tuple[Mention, ...] = ()
    tags: tuple[str, ...] = ()  # as typed, without #
    poll: Poll | None = None
    card: str = ""  # the first link, whose preview card may exist
    app_name: str = ""
    app_website: str = ""
    quote_policy: str = "public"
    edited_ms: int = 0
    deleted: bool = False  # a tombstone: all of the above is emptied
    version: int = 0  # grows with every edit

    @property
    def created_ms(self) -> int:
        """When it was posted, Unix milliseconds."""
        return self.status_id >> 16


class StatusCounts(msgspec.Struct, frozen=True, array_like=True):
    """Totals of a status, as of the last count."""

    replies: int = 0
    reblogs: int = 0
    favourites: int = 0


class Media(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A picture, film or sound that somebody uploaded."""

    media_id: int
    account_id: int
    state: str = "pending"  # pending, ready, failed; deleted: its files go next
    kind: str = "image"  # the API's types
    original: str = ""  # media keys
    preview: str = ""
    raw: str = ""  # the upload as it came, until it is worked on
    width: int = 0
    height: int = 0
    preview_width: int = 0
    preview_height: int = 0
    blurhash: str = ""
    description: str = ""
    focus: tuple[float, float] | None = None
    status_id: int = 0  # what it is attached to
    error: str = ""
    duration_ms: int = 0  # of a film or sound
    frame_rate: str = ""  # frames a second, as a fraction: 30000/1001
    bitrate: int = 0  # bits per second


class Card(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a linked page says of itself. Plain text throughout."""

    url_hash: bytes
    url: str
    title: str = ""
    description: str = ""
    kind: str = "link"
    author_name: str = ""
    author_url: str = ""
    provider_name: str = ""
    provider_url: str = ""
    image: str = ""  # media key
    image_description: str = ""
    width: int = 0
    height: int = 0
    blurhash: str = ""
    language: str = ""
    published_ms: int = 0
    fetched_ms: int = 0
    failed: bool = False
