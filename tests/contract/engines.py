"""Opens the engines of each box for the contract suites.

Only what needs nothing but this machine; servers that need a URL join the lists where the URL is set.
"""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from townsquare.cache.memory import MemoryCache
from townsquare.cache.port import Cache
from townsquare.feeds.memory import MemoryFeeds
from townsquare.feeds.port import Feeds
from townsquare.feeds.ring_file import RingFile
from townsquare.kit.clock import Clock
from townsquare.mail.log import LogMailer
from townsquare.mail.memory import MemoryMailer
from townsquare.mail.port import Mailer
from townsquare.media.disk import DiskMedia
from townsquare.media.memory import MemoryMedia
from townsquare.media.port import MediaStore
from townsquare.search.embedded import EmbeddedSearch
from townsquare.search.memory import MemorySearch
from townsquare.search.port import Search
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Store, Table
from townsquare.store.sqlite import SqliteStore
from townsquare.store.strict import StrictStore
from townsquare.streaming.local import LocalStreaming
from townsquare.streaming.memory import MemoryStreaming
from townsquare.streaming.port import Streaming

CACHE = ["memory", "memory-shared-counters"]
FEEDS = ["memory", "ring_file"]
MAIL = ["memory", "log"]
MEDIA = ["memory", "disk"]
SEARCH = ["memory", "embedded"]
STORES = ["memory", "sqlite", "strict", "chaos"]  # strict: memory, checked; chaos: SQLite, checked and in disorder
STREAMING = ["memory", "local"]


def open_cache(engine: str, folder: Path, clock: Clock, streaming: Streaming) -> Cache:
    """A cache whose drops go over the bus; those of one bus are one cache."""
    counters = folder / "counters" if engine == "memory-shared-counters" else None
    return MemoryCache(streaming, clock, counters=counters)


@asynccontextmanager
async def open_store(engine: str, tables: Sequence[Table[Any]], clock: Clock) -> AsyncIterator[Store]:
    """An empty store that goes away at the end."""
    with tempfile.TemporaryDirectory() as folder:
        store: Store
        if engine in ("memory", "strict"):
            store = MemoryStore(tables, clock=clock)
        else:
            store = await SqliteStore.open(Path(folder) / "store.db", tables, clock=clock)
        if engine in ("strict", "chaos"):
            store = StrictStore(store, tables, clock=clock, chaos=engine == "chaos")
        try:
            yield store
        finally:
            await store.close()


def open_streaming(engine: str, folder: Path) -> Streaming:
    """A bus, not yet started; those of one folder are one bus where the engine joins processes."""
    return MemoryStreaming() if engine == "memory" else LocalStreaming(folder / "bus")


def open_feeds(engine: str, folder: Path) -> Feeds:
    """Home timelines; those of one folder are the same ones where the engine joins processes."""
    return MemoryFeeds() if engine == "memory" else RingFile.open(folder / "feeds")


def open_mail(engine: str, folder: Path) -> Mailer:
    """A mailer."""
    return MemoryMailer() if engine == "memory" else LogMailer(folder / "mail")


def open_media(engine: str, folder: Path) -> MediaStore:
    """A media store."""
    return MemoryMedia() if engine == "memory" else DiskMedia(folder / "media")


async def open_search(engine: str, folder: Path, clock: Clock) -> Search:
    """An index; those of one folder are the same one where the engine joins processes."""
    return MemorySearch() if engine == "memory" else await EmbeddedSearch.open(folder / "search.db", clock=clock)
