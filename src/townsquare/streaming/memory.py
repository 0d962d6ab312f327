"""The bus of a single process.

Box: streaming.
"""

from collections.abc import Callable

from townsquare.streaming.port import Listener
from townsquare.streaming.topics import Topics, checked_topic


class MemoryStreaming:
    """Streaming among the parts of one process. Nothing can be missed."""

    def __init__(self) -> None:
        self._topics = Topics()

    async def start(self) -> None:
        """Nothing to join."""

    def listen(self, topic: str, listener: Listener) -> None:
        self._topics.listen(topic, listener)

    def on_gap(self, listener: Callable[[], None]) -> None:
        self._topics.on_gap(listener)

    def hears(self) -> bool:
        return True

    def publish(self, topic: str, payload: bytes) -> None:
        checked_topic(topic, payload)
        self._topics.tell(topic, payload)

    async def close(self) -> None:
        """Nothing to leave."""
