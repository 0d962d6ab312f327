"""What processes tell each other of dropped keys.

Box: cache.
"""

from collections.abc import Sequence

import msgspec

from townsquare.streaming.port import Streaming

DROP = "drop"
_KEYS_A_MESSAGE = 2000

Key = int | str | tuple[int, int]


class Drop(msgspec.Struct, frozen=True, array_like=True):
    """Keys of one kind."""

    kind: str
    keys: list[Key]


_encode = msgspec.msgpack.Encoder().encode
decode_drop = msgspec.msgpack.Decoder(Drop).decode


def tell_drops(streaming: Streaming, topic: str, kind: str, keys: Sequence[Key]) -> None:
    """Tell all processes. Our own listeners have heard it when this returns."""
    for start in range(0, len(keys), _KEYS_A_MESSAGE):
        streaming.publish(topic, _encode(Drop(kind, list(keys[start : start + _KEYS_A_MESSAGE]))))
