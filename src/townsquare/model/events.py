"""Events: what the bus tells all processes, as data. They can be lost; the rows they speak of are in the store.

Box: model.
"""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, tag_field="event", tag=True, array_like=True):
    """Base of all events."""

    topic: ClassVar[str]


class NotificationEvent(Event, frozen=True):
    """An account has a new notice."""

    topic: ClassVar[str] = "notifications"
    account_id: int
    notification_id: int


class ConversationEvent(Event, frozen=True):
    """A direct conversation of an account has a new status."""

    topic: ClassVar[str] = "conversations"
    account_id: int
    conversation_id: int


class StatusEvent(Event, frozen=True):
    """A status is new, was edited or is gone. Each process finds those of its streams that it may be for; whether they
    may see it is decided there, by the rows. Published once a change, by the fan-out, after its caches were dropped."""

    topic: ClassVar[str] = "statuses"
    change: str  # the API's events: update, status.update, delete
    status_id: int
    author: int
    visibility: str
    tags: tuple[str, ...] = ()  # lower case
    mentions: tuple[int, ...] = ()  # local accounts
    media: bool = False
    reply_to_author: int = 0
    boost_of: int = 0
    root: int = 0  # first status of its thread


class ViewersEvent(Event, frozen=True):
    """These accounts follow, block or mute others than before."""

    topic: ClassVar[str] = "viewers"
    account_ids: tuple[int, ...]


AnyEvent = NotificationEvent | ConversationEvent | StatusEvent | ViewersEvent

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[AnyEvent] = msgspec.msgpack.Decoder(AnyEvent)


def encode_event(event: AnyEvent) -> bytes:
    """An event as bytes for the bus, to be published under its `topic`."""
    return _ENCODER.encode(event)


def decode_event(data: bytes) -> AnyEvent:
    """The event in these bytes.

    Raises: msgspec.DecodeError, msgspec.ValidationError.
    """
    return _DECODER.decode(data)
