"""Stream names as clients say them, the channels behind them, and the scopes they need.

Box: web. Source: Mastodon API, /methods/streaming/#streams
"""

from collections.abc import Sequence

import msgspec

from townsquare.model.errors import BadRequest, Unauthorized
from townsquare.model.events import StatusEvent
from townsquare.model.scopes import allows

MAX_NAME_LENGTH = 200
NO_SCOPE = "Access token does not have the required scopes"
NO_LIST = "Not authorized to stream this list"
_STATUSES = "read:statuses"
_NOTIFICATIONS = "read:notifications"
_LISTS = "read:lists"
_PUBLIC = frozenset(("public", "public:local", "public:remote"))


class Subscription(msgspec.Struct, frozen=True):
    """One stream of one connection: its name as events carry it, and the channels that feed it."""

    label: tuple[str, ...]
    channels: tuple[str, ...]


class Wish(msgspec.Struct, frozen=True):
    """A stream as a client asks for it."""

    stream: str = ""
    tag: str = ""
    list: str | int = ""
    only_media: bool = False


def subscription_of(wish: Wish, account_id: int, scopes: Sequence[str]) -> Subscription:
    """The subscription that a client asks for.

    Raises: BadRequest where there is no such stream, Unauthorized where the token's scopes do not allow it.
    """
    stream = wish.stream
    if stream == "user":
        _need(scopes, _STATUSES)
        channels = [f"user:{account_id}"]
        if allows(scopes, _NOTIFICATIONS):
            channels.append(f"notification:{account_id}")
        return Subscription(("user",), tuple(channels))
    if stream == "user:notification":
        _need(scopes, _NOTIFICATIONS)
        return Subscription((stream,), (f"notification:{account_id}",))
    if stream == "direct":
        _need(scopes, _STATUSES)
        return Subscription((stream,), (f"direct:{account_id}",))
    if stream in ("hashtag", "hashtag:local"):
        _need(scopes, _STATUSES)
        tag = wish.tag.strip().removeprefix("#").lower()
        if not tag or len(tag) > MAX_NAME_LENGTH:
            raise BadRequest("Missing tag name parameter")
        return Subscription((stream, wish.tag), (f"{stream}:{tag}",))
    if stream == "list":
        _need(scopes, _STATUSES)
        _need(scopes, _LISTS)
        raise Unauthorized(NO_LIST)
    name = stream.removesuffix(":media")
    if name not in _PUBLIC:
        raise BadRequest("Unknown stream type")
    _need(scopes, _STATUSES)
    if wish.only_media and name == stream:
        return Subscription((f"{stream}:media",), (f"{stream}:media",))
    return Subscription((stream,), (stream,))


def _need(scopes: Sequence[str], scope: str) -> None:
    if not allows(scopes, scope):
        raise Unauthorized(NO_SCOPE)


def thread_channel(root: int) -> str:
    """The channel of all statuses of a thread; each viewer hears of those that they may see."""
    return f"thread:{root}"


def shared_channels(event: StatusEvent) -> list[str]:
    """The channels of all that a status belongs to: its thread, public ones and those of its tags."""
    if event.boost_of:
        return []
    names = [thread_channel(event.root or event.status_id)]
    if event.visibility != "public":
        return names
    if event.reply_to_author in (0, event.author):
        names += ["public", "public:local"]
        if event.media:
            names += ["public:media", "public:local:media"]
    for tag in event.tags:
        names += [f"hashtag:{tag}", f"hashtag:local:{tag}"]
    return names
