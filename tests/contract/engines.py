"""Opens the engines of each box for the contract suites.

Those that need a server are tried where it is installed: `tests/contract/servers.py`.
"""

import tempfile
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contract.servers import mongo_server, servers
from townsquare.analytics.duckdb import DuckAnalytics
from townsquare.analytics.elasticsearch import ElasticAnalytics
from townsquare.analytics.memory import MemoryAnalytics
from townsquare.analytics.port import Analytics
from townsquare.analytics.questdb import QuestdbAnalytics
from townsquare.cache.layered import LayeredCache
from townsquare.cache.memcached import MemcachedOuter
from townsquare.cache.memory import MemoryCache
from townsquare.cache.outer import Outer
from townsquare.cache.port import Cache
from townsquare.cache.redis import RedisOuter
from townsquare.feeds.memory import MemoryFeeds
from townsquare.feeds.port import Feeds
from townsquare.feeds.redis import RedisFeeds
from townsquare.feeds.ring_file import RingFile
from townsquare.kit.clock import Clock
from townsquare.mail.log import LogMailer
from townsquare.mail.memory import MemoryMailer
from townsquare.mail.port import Mailer
from townsquare.media.disk import DiskMedia
from townsquare.media.memory import MemoryMedia
from townsquare.media.port import MediaStore
from townsquare.queue.memory import MemoryQueue
from townsquare.queue.port import Queue
from townsquare.queue.rabbitmq import RabbitQueue
from townsquare.queue.sqlite import SqliteQueue
from townsquare.search.elasticsearch import ElasticSearch
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
from townsquare.streaming.redis import RedisStreaming
from townsquare.wire.memcached import Memcached, MemcachedAddress
from townsquare.wire.redis import Address, Redis

LIGHT = pytest.mark.slow  # servers that start at once; each suite has keys of its own there
CACHE = [
    "memory",
    "memory-shared-counters",
    pytest.param("redis", marks=LIGHT),
    pytest.param("memcached", marks=LIGHT),
]
FEEDS = ["memory", "ring_file", pytest.param("redis", marks=LIGHT)]
MAIL = ["memory", "log"]
MEDIA = ["memory", "disk", pytest.param("s3", marks=LIGHT)]
# One after the other: some share tables, some kill what they share, and two of these at once starve each other.
SERVERS = [pytest.mark.slow, pytest.mark.xdist_group("servers")]
QUEUE = [
    "memory",
    "sqlite",
    pytest.param("kafka", marks=SERVERS),
    pytest.param("rabbitmq", marks=SERVERS),
    pytest.param("rabbitmq-quorum", marks=SERVERS),
]
SEARCH = ["memory", "embedded", pytest.param("elasticsearch", marks=SERVERS)]
ANALYTICS = ["memory", "duckdb", pytest.param("elasticsearch", marks=SERVERS), pytest.param("questdb", marks=SERVERS)]
# strict: memory, checked; chaos: SQLite, checked and in disorder
STORES = [
    "memory",
    "sqlite",
    "strict",
    "chaos",
    pytest.param("cassandra", marks=SERVERS),
    pytest.param("strict-cassandra", marks=SERVERS),
    pytest.param("mongo", marks=SERVERS),
    pytest.param("strict-mongo", marks=SERVERS),
]
STREAMING = ["memory", "local", pytest.param("redis", marks=LIGHT)]


def open_cache(engine: str, folder: Path, clock: Clock, streaming: Streaming) -> Cache:
    """A cache whose drops go over the bus; those of one bus are one cache."""
    if engine in ("redis", "memcached"):
        outer = RedisOuter(Redis(redis_address(folder))) if engine == "redis" else memcached_outer(folder)
        return LayeredCache(MemoryCache(streaming, clock, counters=None), outer, streaming, clock)
    counters = folder / "counters" if engine == "memory-shared-counters" else None
    return MemoryCache(streaming, clock, counters=counters)


@asynccontextmanager
async def open_store(engine: str, tables: Sequence[Table[Any]], clock: Clock) -> AsyncIterator[Store]:
    """An empty store that goes away at the end."""
    with tempfile.TemporaryDirectory() as folder:
        store: Store
        if engine in ("memory", "strict"):
            store = MemoryStore(tables, clock=clock)
        elif engine in ("cassandra", "strict-cassandra"):
            store = await _empty_cassandra(tables, clock)
        elif engine in ("mongo", "strict-mongo"):
            store = await _empty_mongo(tables, clock, routed=engine == "strict-mongo")
        else:
            store = await SqliteStore.open(Path(folder) / "store.db", tables, clock=clock)
        if engine in ("strict", "chaos", "strict-cassandra", "strict-mongo"):
            store = StrictStore(store, tables, clock=clock, chaos=engine == "chaos")
        try:
            yield store
        finally:
            await store.close()


async def _empty_cassandra(tables: Sequence[Table[Any]], clock: Clock) -> Store:
    server = servers().url("cassandra", needs="acsylla")
    from tests.contract.cassandra_keyspaces import empty_store  # noqa: PLC0415  # its driver may not be here

    return await empty_store(server, tables, clock)


async def _empty_mongo(tables: Sequence[Table[Any]], clock: Clock, *, routed: bool) -> Store:
    server = mongo_server()
    from tests.contract.mongo_databases import empty_store  # noqa: PLC0415  # its driver may not be here

    return await empty_store(server, tables, clock, routed=routed)


def open_streaming(engine: str, folder: Path) -> Streaming:
    """A bus, not yet started; those of one folder are one bus where the engine joins processes."""
    if engine == "redis":
        return RedisStreaming(redis_address(folder))
    return MemoryStreaming() if engine == "memory" else LocalStreaming(folder / "bus")


def open_feeds(engine: str, folder: Path) -> Feeds:
    """Home timelines; those of one folder are the same ones where the engine joins processes."""
    if engine == "redis":
        return RedisFeeds(Redis(redis_address(folder)))
    return MemoryFeeds() if engine == "memory" else RingFile.open(folder / "feeds")


def open_mail(engine: str, folder: Path) -> Mailer:
    """A mailer."""
    return MemoryMailer() if engine == "memory" else LogMailer(folder / "mail")


def open_media(engine: str, folder: Path) -> MediaStore:
    """A media store."""
    if engine == "s3":
        url = servers().url("s3", needs="obstore")
        from townsquare.media.s3 import S3Address, S3Media  # noqa: PLC0415  # its client may not be here

        return S3Media(msgspec.structs.replace(S3Address.of(url), prefix=f"{zlib.crc32(bytes(folder)):08x}"))
    return MemoryMedia() if engine == "memory" else DiskMedia(folder / "media")


async def open_queue(engine: str, folder: Path, clock: Clock) -> Queue:
    """A queue; those of one folder are the same one where the engine joins processes."""
    if engine == "memory":
        return MemoryQueue(clock)
    if engine == "sqlite":
        return await SqliteQueue.open(folder / "queue.db", clock=clock)
    if engine == "kafka":
        url = kafka_url(folder)
        from townsquare.queue.kafka import KafkaQueue  # noqa: PLC0415  # its driver may not be here

        return await KafkaQueue.open(url, clock=clock)
    return await RabbitQueue.open(rabbit_url(folder, kind=engine.partition("-")[2] or "classic"), clock=clock)


class PassingElasticSearch(ElasticSearch):
    """One whose indices go away at the end."""

    async def close(self) -> None:
        """Drop them first."""
        await self.drop(list(await self.indices()))
        await super().close()


async def open_search(engine: str, folder: Path, clock: Clock) -> Search:
    """An index; those of one folder are the same one where the engine joins processes."""
    if engine == "elasticsearch":
        return await PassingElasticSearch.open(f"{elasticsearch_url(folder)}&refresh=true")
    return MemorySearch() if engine == "memory" else await EmbeddedSearch.open(folder / "search.db", clock=clock)


async def open_analytics(engine: str, folder: Path, clock: Clock) -> Analytics:
    """Facts; those of one folder are the same ones where the engine joins processes."""
    if engine == "elasticsearch":
        return await ElasticAnalytics.open(elasticsearch_url(folder))
    if engine == "questdb":
        return await QuestdbAnalytics.open(questdb_url(folder))
    return MemoryAnalytics() if engine == "memory" else await DuckAnalytics.open(folder / "facts.duckdb")


def redis_address(folder: Path) -> Address:
    """Redis, with keys of the folder's own."""
    url = servers().url("redis", needs="hiredis")

    return Address.of(f"{url}?prefix={zlib.crc32(bytes(folder)):08x}")


def rabbit_url(folder: Path, *, kind: str = "classic") -> str:
    """RabbitMQ, with queues of the folder's own."""
    url = servers().url("rabbitmq", needs="pamqp")
    return f"{url}?prefix={zlib.crc32(bytes(folder)):08x}&partitions=4&type={kind}"


def kafka_url(folder: Path) -> str:
    """Kafka, with topics of the folder's own."""
    server = servers().url("kafka", needs="confluent_kafka")
    return f"{server}?prefix=t{zlib.crc32(bytes(folder)):08x}&partitions=8"


def elasticsearch_url(folder: Path) -> str:
    """Elasticsearch, with indices of the folder's own."""
    url = servers().url("elasticsearch", needs="httptools")
    return f"{url}?prefix=t{zlib.crc32(bytes(folder)):08x}"


def questdb_url(folder: Path) -> str:
    """QuestDB, with tables of the folder's own."""
    url = servers().url("questdb", needs="httptools")
    return f"{url}?prefix=t{zlib.crc32(bytes(folder)):08x}"


def memcached_outer(folder: Path) -> Outer:
    """Memcached, with keys of the folder's own."""
    url = servers().url("memcached", needs="hiredis")
    return MemcachedOuter(Memcached(MemcachedAddress.of(f"{url}?prefix={zlib.crc32(bytes(folder)):08x}")))
