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


AnyEvent = NotificationEvent | ConversationEvent

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
