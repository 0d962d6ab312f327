"""Frames of AMQP 0-9-1: those of every message packed by hand, all others by pamqp.

Box: wire. Source: AMQP 0-9-1, section 4.2; RabbitMQ, /docs/confirms.
"""

import struct

from pamqp import commands
from pamqp.base import Frame

PROTOCOL = b"AMQP\x00\x00\x09\x01"
HEADER = struct.Struct(">BHI")  # kind, channel, bytes of payload
METHOD, CONTENT, BODY, HEARTBEAT = 1, 2, 3, 8
END = 0xCE
OVERHEAD_BYTES = 8  # of each frame
HEARTBEAT_FRAME = HEADER.pack(HEARTBEAT, 0, 0) + b"\xce"

DELIVER = 60 << 16 | 60
RETURN = 60 << 16 | 50
ACK = 60 << 16 | 80
NACK = 60 << 16 | 120
GET_OK = 60 << 16 | 71

_END = b"\xce"
_ACK = struct.Struct(">BHIHHQBB")
_PUBLISH = struct.Struct(">HHH")
_PROPERTIES = struct.Struct(">HHQHB")
_HAS_DELIVERY_MODE = 0x1000
PERSISTENT, TRANSIENT = 2, 1


def pack(channel: int, method: Frame) -> bytes:
    """Any method."""
    payload = method.index.to_bytes(4, "big") + method.marshal()
    return HEADER.pack(METHOD, channel, len(payload)) + payload + _END


def unpack(payload: bytes) -> Frame:
    """Any method. Raises: ValueError."""
    kind = commands.INDEX_MAPPING.get(int.from_bytes(payload[:4], "big"))
    if kind is None:
        raise ValueError("a method that AMQP 0-9-1 does not know")
    method: Frame = kind()
    method.unmarshal(payload[4:])
    return method


def pack_ack(channel: int, tag: int, *, multiple: bool) -> bytes:
    """basic.ack."""
    return _ACK.pack(METHOD, channel, 13, 60, 80, tag, multiple, END)


def route(exchange: str, key: str, *, mandatory: bool) -> bytes:
    """Where messages go, packed once for all that go there."""
    to = b"".join(bytes([len(name)]) + name for name in (exchange.encode(), key.encode()))
    return _PUBLISH.pack(60, 40, 0) + to + bytes([mandatory])


def pack_message(channel: int, to: bytes, body: bytes, *, mode: int, most_bytes: int) -> bytes:
    """basic.publish with its content. `to`: a `route`. `most_bytes`: of a frame, as agreed with the server."""
    size, head = len(body), HEADER.pack
    properties = _PROPERTIES.pack(60, 0, size, _HAS_DELIVERY_MODE, mode)
    parts = [head(METHOD, channel, len(to)), to, _END, head(CONTENT, channel, 15), properties, _END]
    step = most_bytes - OVERHEAD_BYTES
    for at in range(0, size, step):
        piece = body[at : at + step]
        parts += (head(BODY, channel, len(piece)), piece, _END)
    return b"".join(parts)


def delivery_of(payload: bytes) -> tuple[str, int, bool]:
    """Consumer, tag, whether it was given before: of basic.deliver."""
    end = 5 + payload[4]
    return payload[5:end].decode(), int.from_bytes(payload[end : end + 8], "big"), payload[end + 8] & 1 == 1


def confirm_of(payload: bytes) -> tuple[int, bool]:
    """Tag, and whether all before it are meant as well: of basic.ack and basic.nack."""
    return int.from_bytes(payload[4:12], "big"), payload[12] & 1 == 1
