"""The bus's promise: what is published reaches every listening process, soon, in order per sender, or is known lost.

Box: streaming. Engines: memory (one process), local (sockets between the processes of one machine),
redis.
Suite: tests/contract/streaming.
"""

from collections.abc import Callable
from typing import Protocol

Listener = Callable[[str, bytes], None]


class Streaming(Protocol):
    """A bus between processes. What it carries can be lost: whoever needs it durable reads the store."""

    async def start(self) -> None:
        """Join the bus: from now on listeners hear. Called once, in the event loop."""

    def listen(self, topic: str, listener: Listener) -> None:
        """Call `listener(topic, payload)` in the event loop for each message of the topic, our own included.
        It must not wait."""

    def on_gap(self, listener: Callable[[], None]) -> None:
        """Call `listener()` when messages may have been missed: caches empty themselves, streams ask for a reload."""

    def hears(self) -> bool:
        """Whether messages reach us just now. While they do not, caches keep nothing: it might be old for long."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send to all processes, ourselves included (there before this returns). Never waits; a peer that does not
        read is cut off and finds a gap. At most 256 KiB."""

    async def close(self) -> None:
        """Leave the bus."""
