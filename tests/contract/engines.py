"""Opens the engines of each box for the contract suites.

Only what needs nothing but this machine; servers that need a URL join the lists where the URL is set.
"""

from pathlib import Path

from townsquare.cache.memory import MemoryCache
from townsquare.cache.port import Cache
from townsquare.kit.clock import Clock
from townsquare.streaming.local import LocalStreaming
from townsquare.streaming.memory import MemoryStreaming
from townsquare.streaming.port import Streaming

CACHE = ["memory", "memory-shared-counters"]
STREAMING = ["memory", "local"]


def open_cache(engine: str, folder: Path, clock: Clock, streaming: Streaming) -> Cache:
    """A cache whose drops go over the bus; those of one bus are one cache."""
    counters = folder / "counters" if engine == "memory-shared-counters" else None
    return MemoryCache(streaming, clock, counters=counters)


def open_streaming(engine: str, folder: Path) -> Streaming:
    """A bus, not yet started; those of one folder are one bus where the engine joins processes."""
    return MemoryStreaming() if engine == "memory" else LocalStreaming(folder / "bus")
