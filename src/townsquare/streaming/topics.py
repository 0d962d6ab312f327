"""Who listens to what in this process: the part that every engine of the bus has.

Box: streaming.
"""

from collections.abc import Callable

from townsquare.streaming.port import Listener

MAX_PAYLOAD_BYTES = 256 * 1024
MAX_TOPIC_BYTES = 255


class Topics:
    """Listeners by topic. A topic is compared whole."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}
        self._gap_listeners: list[Callable[[], None]] = []

    def listen(self, topic: str, listener: Listener) -> None:
        """Add a listener of a topic."""
        self._listeners.setdefault(topic, []).append(listener)

    def on_gap(self, listener: Callable[[], None]) -> None:
        """Add a listener of gaps."""
        self._gap_listeners.append(listener)

    def tell(self, topic: str, payload: bytes) -> None:
        """Hand a message to all listeners of its topic, in the order in which they came."""
        for listener in self._listeners.get(topic, ()):
            listener(topic, payload)

    def tell_gap(self) -> None:
        """Say that messages may have been missed."""
        for listener in self._gap_listeners:
            listener()


def checked_topic(topic: str, payload: bytes) -> bytes:
    """The topic as it goes over the wire.

    Raises: ValueError where the topic or the payload is too long.
    """
    name = topic.encode()
    if len(name) > MAX_TOPIC_BYTES:
        raise ValueError(f"a topic has at most {MAX_TOPIC_BYTES} bytes")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a message has at most {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    return name
