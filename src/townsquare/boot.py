"""The one module that knows every engine: settings to ports to a role.

Box: boot. ENGINES lists, per box, the schemes of its URL. Engines with a driver that not everybody installs are
imported where they are opened. A process opens its ports once, and closes them in reverse.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from townsquare.analytics.duckdb import DuckAnalytics
from townsquare.analytics.memory import MemoryAnalytics
from townsquare.analytics.off import OffAnalytics
from townsquare.cache.layered import LayeredCache
from townsquare.cache.memory import MemoryCache
from townsquare.feeds.memory import MemoryFeeds
from townsquare.feeds.ring_file import RingFile
from townsquare.kit.clock import Clock, SystemClock
from townsquare.mail.log import LogMailer
from townsquare.mail.memory import MemoryMailer
from townsquare.media.disk import DiskMedia
from townsquare.media.memory import MemoryMedia
from townsquare.metrics.watch import Watch
from townsquare.model.errors import CannotStart, Unavailable
from townsquare.model.tasks import RecordFacts
from townsquare.queue.memory import MemoryQueue
from townsquare.queue.port import Queue
from townsquare.queue.sqlite import SqliteQueue
from townsquare.search.embedded import EmbeddedSearch
from townsquare.search.memory import MemorySearch
from townsquare.settings import Settings, without_secrets
from townsquare.social.outbox import Outbox
from townsquare.social.ports import Ports
from townsquare.store.copying import check_copied
from townsquare.store.memory import MemoryStore
from townsquare.store.numbers import ids_by_lease, ids_by_lock
from townsquare.store.port import Store
from townsquare.store.sqlite import SqliteStore
from townsquare.store.tables import TABLES
from townsquare.store.versions import WrongVersion, check_version
from townsquare.streaming.local import LocalStreaming
from townsquare.streaming.memory import MemoryStreaming
from townsquare.streaming.port import Streaming
from townsquare.workers.lanes import LANES

Role = Literal["web", "workers", "command"]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an engine may need to open."""

    settings: Settings
    clock: Clock
    url: str
    path: Path
    streaming: Streaming | None = None
    watch: Watch | None = None
    role: Role = "command"

    def watched(self, engine: Any) -> Any:
        """The server behind the cache, with its calls counted where somebody wants to know."""
        return engine if self.watch is None else self.watch.over("cache", engine)


Open = Callable[[_Plan], Awaitable[Any]]


async def _memory_store(plan: _Plan) -> MemoryStore:
    return MemoryStore(TABLES, clock=plan.clock)


async def _sqlite_store(plan: _Plan) -> SqliteStore:
    return await SqliteStore.open(plan.path, TABLES, clock=plan.clock, relaxed=plan.settings.relaxed_sync)


async def _cassandra_store(plan: _Plan) -> Store:
    from townsquare.store.cassandra import CassandraStore

    return await CassandraStore.open(plan.url, TABLES, clock=plan.clock)


async def _mongo_store(plan: _Plan) -> Store:
    from townsquare.store.mongo import MongoStore

    return await MongoStore.open(plan.url, TABLES, clock=plan.clock)


async def _memory_queue(plan: _Plan) -> MemoryQueue:
    return MemoryQueue(plan.clock)


async def _sqlite_queue(plan: _Plan) -> SqliteQueue:
    return await SqliteQueue.open(plan.path, clock=plan.clock)


async def _rabbit_queue(plan: _Plan) -> Queue:
    from townsquare.queue.rabbitmq import RabbitQueue

    return await RabbitQueue.open(plan.url, clock=plan.clock, lanes=[lane.name for lane in LANES])


async def _kafka_queue(plan: _Plan) -> Queue:
    from townsquare.queue.kafka import KafkaQueue

    return await KafkaQueue.open(plan.url, [lane.name for lane in LANES], clock=plan.clock)


async def _memory_cache(plan: _Plan) -> MemoryCache:
    assert plan.streaming is not None
    shared = not plan.settings.streaming.startswith("memory:")
    return MemoryCache(plan.streaming, plan.clock, counters=Path(plan.settings.data) / "counters" if shared else None)


async def _redis_cache(plan: _Plan) -> LayeredCache:
    from townsquare.cache.redis import RedisOuter

    assert plan.streaming is not None
    inner = MemoryCache(plan.streaming, plan.clock, counters=None)
    return LayeredCache(inner, plan.watched(RedisOuter(await _redis(plan))), plan.streaming, plan.clock)


async def _memcached_cache(plan: _Plan) -> LayeredCache:
    from townsquare.cache.memcached import MemcachedOuter
    from townsquare.wire.memcached import Memcached, MemcachedAddress

    assert plan.streaming is not None
    memcached = Memcached(MemcachedAddress.of(plan.url))
    await memcached.link()
    inner = MemoryCache(plan.streaming, plan.clock, counters=None)
    return LayeredCache(inner, plan.watched(MemcachedOuter(memcached)), plan.streaming, plan.clock)


async def _redis_feeds(plan: _Plan) -> Any:
    from townsquare.feeds.redis import RedisFeeds

    return RedisFeeds(await _redis(plan))


async def _redis_streaming(plan: _Plan) -> Any:
    from townsquare.streaming.redis import RedisStreaming
    from townsquare.wire.redis import Address

    return RedisStreaming(Address.of(plan.url))


async def _redis(plan: _Plan) -> Any:
    """A connection of the box's own, tried at once. Raises: Unavailable."""
    from townsquare.wire.redis import Address, Redis

    redis = Redis(Address.of(plan.url))
    await redis.link()
    return redis


async def _memory_feeds(plan: _Plan) -> MemoryFeeds:
    return MemoryFeeds()


async def _ring_file(plan: _Plan) -> RingFile:
    return RingFile.open(plan.path)


async def _memory_streaming(plan: _Plan) -> MemoryStreaming:
    return MemoryStreaming()


async def _local_streaming(plan: _Plan) -> LocalStreaming:
    return LocalStreaming(plan.path)


async def _memory_search(plan: _Plan) -> MemorySearch:
    return MemorySearch()


async def _embedded_search(plan: _Plan) -> EmbeddedSearch:
    return await EmbeddedSearch.open(plan.path, clock=plan.clock)


async def _elastic_search(plan: _Plan) -> Any:
    from townsquare.search.elasticsearch import ElasticSearch

    return await ElasticSearch.open(plan.url)


async def _memory_analytics(plan: _Plan) -> MemoryAnalytics:
    return MemoryAnalytics()


async def _embedded_analytics(plan: _Plan) -> DuckAnalytics:
    return await DuckAnalytics.open(plan.path, manner="takes" if plan.role == "command" else "starts")


async def _off_analytics(plan: _Plan) -> OffAnalytics:
    return OffAnalytics()


async def _elastic_analytics(plan: _Plan) -> Any:
    from townsquare.analytics.elasticsearch import ElasticAnalytics

    return await ElasticAnalytics.open(plan.url)


async def _questdb_analytics(plan: _Plan) -> Any:
    from townsquare.analytics.questdb import QuestdbAnalytics

    return await QuestdbAnalytics.open(plan.url)


async def _memory_media(plan: _Plan) -> MemoryMedia:
    return MemoryMedia()


async def _disk_media(plan: _Plan) -> DiskMedia:
    return DiskMedia(plan.path)


async def _s3_media(plan: _Plan) -> Any:
    from townsquare.media.s3 import S3Media

    return await S3Media.open(plan.url)


async def _memory_mail(plan: _Plan) -> MemoryMailer:
    return MemoryMailer()


async def _log_mail(plan: _Plan) -> LogMailer:
    return LogMailer(plan.path)


ENGINES: dict[str, dict[str, Open]] = {
    "store": {
        "sqlite": _sqlite_store,
        "memory": _memory_store,
        "cassandra": _cassandra_store,
        "mongodb": _mongo_store,
        "mongodb+srv": _mongo_store,
    },
    "queue": {
        "sqlite": _sqlite_queue,
        "memory": _memory_queue,
        "kafka": _kafka_queue,
        "kafkas": _kafka_queue,
        "amqp": _rabbit_queue,
        "amqps": _rabbit_queue,
    },
    "cache": {
        "memory": _memory_cache,
        "redis": _redis_cache,
        "rediss": _redis_cache,
        "memcached": _memcached_cache,
    },
    "feeds": {"file": _ring_file, "memory": _memory_feeds, "redis": _redis_feeds, "rediss": _redis_feeds},
    "streaming": {
        "local": _local_streaming,
        "memory": _memory_streaming,
        "redis": _redis_streaming,
        "rediss": _redis_streaming,
    },
    "search": {
        "embedded": _embedded_search,
        "memory": _memory_search,
        "elasticsearch": _elastic_search,
        "elasticsearchs": _elastic_search,
    },
    "analytics": {
        "embedded": _embedded_analytics,
        "memory": _memory_analytics,
        "off": _off_analytics,
        "elasticsearch": _elastic_analytics,
        "elasticsearchs": _elastic_analytics,
        "questdb": _questdb_analytics,
        "questdbs": _questdb_analytics,
    },
    "media": {"file": _disk_media, "memory": _memory_media, "s3": _s3_media},
    "mail": {"log": _log_mail, "memory": _memory_mail},
}


_LOCAL_STORES = frozenset(("sqlite", "memory"))  # all of whose processes are on this machine


def check_engines(settings: Settings, *, processes: int = 1) -> None:
    """Refuse settings that cannot work.

    Raises: CannotStart.
    """
    for box, engines in ENGINES.items():
        scheme = getattr(settings, box).split(":", 1)[0]
        if scheme not in engines:
            known = ", ".join(f"{name}:" for name in engines)
            raise CannotStart(f"The setting {box} must begin with one of {known} and not with {scheme!r}.")
        if processes > 1 and scheme == "memory" and box != "cache":
            raise CannotStart(f"{box} = memory: lives in one process only; set {box} to another engine to run more.")


@asynccontextmanager
async def open_ports(settings: Settings, *, watch: Watch | None = None, role: Role = "command") -> AsyncIterator[Ports]:
    """Open the engines that the settings name, for one process; close them behind it. `watch` counts their calls.

    Raises: CannotStart where the settings cannot work, an engine does not answer, or the store is not for us.
    """
    check_engines(settings)
    clock = SystemClock()
    Path(settings.data).mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:

        async def engine(box: str, streaming: Streaming | None = None) -> Any:
            opened = await _open(settings, box, clock, streaming=streaming, watch=watch, role=role)
            stack.push_async_callback(opened.close)
            return watch.over(box, opened) if watch is not None and box != "cache" else opened

        streaming = await engine("streaming")
        store, queue = await engine("store"), await engine("queue")
        with _starting(settings, "store"):
            await check_version(store)
            await check_copied(store)
            if settings.store.split(":", 1)[0] in _LOCAL_STORES:
                new_id = stack.enter_context(ids_by_lock(Path(settings.data) / "numbers.lock", clock))
            else:
                new_id = await stack.enter_async_context(ids_by_lease(store, clock))
        without = () if settings.tells_facts else (RecordFacts,)
        outbox = Outbox(store, queue, new_id, without=without)
        ports = Ports(
            store=store,
            queue=queue,
            outbox=outbox,
            streaming=streaming,
            cache=await engine("cache", streaming),
            feeds=await engine("feeds"),
            search=await engine("search"),
            analytics=await engine("analytics"),
            media=await engine("media"),
            mail=await engine("mail"),
            settings=settings,
            clock=clock,
            new_id=new_id,
        )
        with _starting(settings, "streaming"):
            await streaming.start()
        await outbox.start()
        stack.push_async_callback(outbox.close)
        ports.facts.start()
        stack.push_async_callback(ports.facts.close)
        yield ports


@asynccontextmanager
async def open_engine(settings: Settings, box: str) -> AsyncIterator[Any]:
    """One engine by itself, for commands about it.

    Raises: CannotStart.
    """
    check_engines(settings)
    opened = await _open(settings, box, SystemClock(), streaming=MemoryStreaming())
    try:
        yield opened
    finally:
        await opened.close()


async def _open(
    settings: Settings,
    box: str,
    clock: Clock,
    *,
    streaming: Streaming | None = None,
    watch: Watch | None = None,
    role: Role = "command",
) -> Any:
    url: str = getattr(settings, box)
    plan = _Plan(settings, clock, url, settings.path(url), streaming, watch, role)
    with _starting(settings, box):
        return await ENGINES[box][url.split(":", 1)[0]](plan)


@contextmanager
def _starting(settings: Settings, box: str) -> Iterator[None]:
    """Around what is asked of an engine before all else. Raises: CannotStart with a sentence that says what to do."""
    url = without_secrets(getattr(settings, box))
    try:
        yield
    except ImportError as exc:
        raise CannotStart(f"{box} = {url} needs {exc.name}: pip install 'townsquare[cluster]'.") from exc
    except Unavailable as exc:
        sentence = str(exc).rstrip(".")
        raise CannotStart(f"{sentence}: start what the setting {box} names ({url}), or set {box} to another.") from exc
    except (ValueError, WrongVersion) as exc:
        raise CannotStart(str(exc)) from exc
