"""Frames of the bus between processes: length, kind, topic, payload.

Box: streaming. Wire: u32 length of what follows (little endian), u8 kind, u8 topic length, topic, payload.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

from townsquare.streaming.topics import MAX_PAYLOAD_BYTES, MAX_TOPIC_BYTES

_HEAD = struct.Struct("<IBB")
_LENGTH_BYTES = 4
_REST_BYTES = _HEAD.size - _LENGTH_BYTES
_MAX_FRAME_BYTES = _REST_BYTES + MAX_TOPIC_BYTES + MAX_PAYLOAD_BYTES


class Frame(IntEnum):
    """What a frame says."""

    HELLO = 1  # topic: the sender's name; payload: 1 where it may have published before this link stood
    MESSAGE = 2
    BYE = 3  # everything was sent: the end that follows is no gap


class BadFrame(Exception):
    """The bytes are not ours; the link is of no use."""


def pack(kind: Frame, topic: bytes = b"", payload: bytes = b"") -> bytes:
    """One frame."""
    return _HEAD.pack(_REST_BYTES + len(topic) + len(payload), kind, len(topic)) + topic + payload


class Parser:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, str, bytes]]:
        """Kind, topic and payload of each frame that is complete now.

        Raises: BadFrame.
        """
        data = self._rest + data if self._rest else data
        start, end = 0, len(data)
        while end - start >= _HEAD.size:
            length, kind, topic_length = _HEAD.unpack_from(data, start)
            if not _REST_BYTES + topic_length <= length <= _MAX_FRAME_BYTES:
                raise BadFrame(f"a frame of {length} bytes")
            stop = start + _LENGTH_BYTES + length
            if stop > end:
                break
            topic_end = start + _HEAD.size + topic_length
            yield kind, data[start + _HEAD.size : topic_end].decode(errors="replace"), data[topic_end:stop]
            start = stop
        self._rest = data[start:]
