"""Kafka's topics: made where they are missing, measured, trimmed, and described for the operator.

Box: queue. Source: https://kafka.apache.org/documentation/#topicconfigs
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from townsquare.model.errors import Unavailable
from townsquare.queue.kafka_address import ANSWER_WITHIN_S, Address, translated
from townsquare.queue.kafka_reader import Place
from townsquare.queue.kafka_records import Names

K = TypeVar("K")
T = TypeVar("T")
log = logging.getLogger(__name__)
MAKE_WITHIN_S = 15.0
_ANEW_S = 0.1
RETRY_PARTITIONS = 4  # at most; forwarding is shared, order does not matter
# A topic was made a moment ago, has another leader now, or Kafka itself is just starting.
_PASSING = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_CONTROLLER,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError._NOENT,  # the client's own word where it is told of no leader yet
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.STALE_BROKER_EPOCH,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
    }
)
_NEVER = "-1"
# Nothing is deleted by age or size: workers trim what is done. In small pieces, as a whole one is trimmed at a time.
_LOG = {"cleanup.policy": "delete", "retention.ms": _NEVER, "retention.bytes": _NEVER, "segment.bytes": "67108864"}
_KEPT = {"cleanup.policy": "compact", "delete.retention.ms": "604800000", "segment.bytes": "16777216"}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator should know of the cluster, for `townsquare doctor`."""

    brokers: int
    replication: int  # the least of our topics; 0 where there is none yet
    min_insync: int  # the least of our topics: so many have a message before it is accepted
    acks: str  # what we ask for
    take_over_s: float  # until the partitions of a worker that was killed are given to others


class Admin:
    """Use from one event loop."""

    def __init__(self, address: Address, names: Names) -> None:
        self._address, self._names = address, names
        settings = address.client(**{"socket.timeout.ms": int(ANSWER_WITHIN_S * 1000)})
        self._client = AdminClient(settings)
        self._known = dict[str, int]()  # topic -> partitions
        self._made = dict[str, int]()  # those of them that were made a moment ago, and are not told to all yet
        self._making = asyncio.Lock()

    def partitions(self, topic: str) -> int | None:
        """How many a topic has; None where it is not known to be there."""
        return self._known.get(topic)

    async def look(self) -> dict[str, int]:
        """Our topics as they are now, with their partitions. Raises: Unavailable."""
        listed = await self._list()
        # One that is just being made may be told without its partitions, or not at all yet.
        mine = {
            name: n for name, topic in listed.topics.items() if self._is_ours(name) and (n := len(topic.partitions))
        }
        self._made = {name: n for name, n in self._made.items() if name not in mine}
        self._known = {**self._made, **mine}
        return self._known

    async def make(self, lanes: Iterable[str]) -> None:
        """Make the topics of these lanes that are missing. Raises: Unavailable; ValueError where it cannot be."""
        wanted = [self._names.parked, *(name(lane) for lane in lanes for name in (self._names.lane, self._names.retry))]
        if all(topic in self._known for topic in wanted):
            return
        async with self._making:
            listed = await self._list()
            await self.look()
            missing = [topic for topic in wanted if topic not in self._known]
            copies = self._address.replication or min(3, max(len(listed.brokers), 1))
            if missing:
                await self._create([self._new(topic, copies) for topic in missing])
                self._made.update((topic, self._count(topic)) for topic in missing)
                await self.look()

    async def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """The offset behind the last record of each. Raises: Unavailable."""
        if not places:
            return {}
        found = await self._all(
            [TopicPartition(*place) for place in places],
            lambda left: self._client.list_offsets(
                {one: OffsetSpec.latest() for one in left}, request_timeout=ANSWER_WITHIN_S
            ),
        )
        return {(tp.topic, tp.partition): one.offset for tp, one in found.items()}

    async def trim(self, before: Mapping[Place, int]) -> None:
        """Let go of all records before these offsets. Raises: Unavailable."""
        offsets = [TopicPartition(*place, offset) for place, offset in before.items() if offset > 0]
        if offsets:
            await self._all(offsets, lambda left: self._client.delete_records(left, request_timeout=ANSWER_WITHIN_S))

    async def facts(self) -> Facts:
        """Facts of the cluster. Raises: Unavailable."""
        listed = await self._list()
        ours = [topic for name, topic in listed.topics.items() if self._is_ours(name)]
        resources = [ConfigResource(ResourceType.TOPIC, str(topic.topic)) for topic in ours]
        broker = ConfigResource(ResourceType.BROKER, str(next(iter(listed.brokers), 0)))
        found = await self._settings([*resources, broker])
        session_ms = found[broker].get("group.consumer.session.timeout.ms", "45000")
        return Facts(
            brokers=len(listed.brokers),
            replication=min((len(p.replicas) for topic in ours for p in topic.partitions.values()), default=0),
            min_insync=min((int(found[one]["min.insync.replicas"]) for one in resources), default=0),
            acks="all",
            take_over_s=int(session_ms) / 1000,
        )

    async def _settings(self, resources: list[ConfigResource]) -> dict[ConfigResource, dict[str, str]]:
        found = await self._all(
            resources, lambda left: self._client.describe_configs(left, request_timeout=ANSWER_WITHIN_S)
        )
        return {one: {k: str(v.value) for k, v in each.items()} for one, each in found.items()}

    async def _create(self, topics: list[NewTopic]) -> None:
        copies = topics[0].replication_factor

        def refused(exc: KafkaException) -> Exception:
            error = exc.args[0]
            if error.code() == KafkaError.INVALID_REPLICATION_FACTOR:
                return ValueError(f"Kafka has fewer than {copies} brokers: see replication= in the setting queue.")
            return ValueError(f"Kafka does not make our topics: {error.str()}")

        by_name = {topic.topic: topic for topic in topics}
        await self._all(
            by_name,
            lambda left: self._client.create_topics(
                [by_name[name] for name in left], operation_timeout=MAKE_WITHIN_S, request_timeout=MAKE_WITHIN_S
            ),
            within_s=MAKE_WITHIN_S,
            nothing=KafkaError.TOPIC_ALREADY_EXISTS,
            refused=refused,
        )

    def _new(self, topic: str, copies: int) -> NewTopic:
        config = {
            **(_KEPT if topic == self._names.parked else _LOG),
            "min.insync.replicas": "2" if copies >= 3 else "1",
        }
        return NewTopic(topic, num_partitions=self._count(topic), replication_factor=copies, config=config)

    def _count(self, topic: str) -> int:
        if topic == self._names.parked:
            return 1
        lane, partitions = self._names.lane_of(topic), self._address.partitions
        return partitions if topic == self._names.lane(lane or "") else min(partitions, RETRY_PARTITIONS)

    def _is_ours(self, topic: str) -> bool:
        return topic == self._names.parked or self._names.lane_of(topic) is not None

    async def _list(self) -> Any:
        try:
            return await asyncio.to_thread(self._client.list_topics, timeout=ANSWER_WITHIN_S)
        except KafkaException as exc:
            raise translated(exc) from exc

    async def _all(
        self,
        wanted: Iterable[K],
        ask: Callable[[list[K]], Mapping[K, "Future[T]"]],
        *,
        within_s: float = ANSWER_WITHIN_S,
        nothing: int | None = None,
        refused: Callable[[KafkaException], Exception] = translated,
    ) -> dict[K, T]:
        """Answers to requests that are harmless to repeat; those that pass by are asked again for `within_s`.

        `nothing`: the error of one that has no answer. `refused`: what any other becomes.
        Raises: Unavailable; what `refused` says.
        """
        found, left, give_up_s = dict[K, T](), list(wanted), time.monotonic() + within_s
        while True:
            asked = ask(left)
            again = list[K]()
            for one, answer in zip(asked, await asyncio.gather(*map(self._answer, asked.values())), strict=True):
                if not isinstance(answer, KafkaException):
                    found[one] = answer
                elif (code := answer.args[0].code()) in _PASSING:
                    again.append(one)
                    last = answer
                elif code != nothing:
                    raise refused(answer) from answer
            if not again:
                return found
            if time.monotonic() > give_up_s:
                raise translated(last) from last
            left = again
            await asyncio.sleep(_ANEW_S)

    async def _answer(self, asked: "Future[T]") -> T | KafkaException:
        """The answer, or what Kafka says in its place. Raises: Unavailable, where Kafka says nothing."""
        try:
            async with asyncio.timeout(MAKE_WITHIN_S + 1):  # the client gives up before
                return await asyncio.wrap_future(asked)
        except TimeoutError as exc:
            raise Unavailable("The queue does not answer just now") from exc
        except KafkaException as exc:
            if (code := exc.args[0].code()) < 0 and code not in _PASSING:
                raise translated(exc) from exc
            return exc
