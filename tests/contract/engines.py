"""Opens the engines of each box for the contract suites.

Only what needs nothing but this machine; servers that need a URL join the lists where the URL is set.
"""

from pathlib import Path

from townsquare.streaming.local import LocalStreaming
from townsquare.streaming.memory import MemoryStreaming
from townsquare.streaming.port import Streaming

STREAMING = ["memory", "local"]


def open_streaming(engine: str, folder: Path) -> Streaming:
    """A bus, not yet started; those of one folder are one bus where the engine joins processes."""
    return MemoryStreaming() if engine == "memory" else LocalStreaming(folder / "bus")
