"""Kafka's topics: made where they are missing, measured, trimmed, and described for the operator.

Box: queue. Source: https://kafka.apache.org/documentation/#topicconfigs
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from townsquare.model.errors import Unavailable
from townsquare.queue.kafka_address import ANSWER_WITHIN_S, Address, translated
from townsquare.queue.kafka_reader import Place
from townsquare.queue.kafka_records import Names

T = TypeVar("T")
log = logging.getLogger(__name__)
MAKE_WITHIN_S = 15.0
RETRY_PARTITIONS = 4  # at most; forwarding is shared, order does not matter
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
        self._making = asyncio.Lock()

    def partitions(self, topic: str) -> int | None:
        """How many a topic has; None where it is not known to be there."""
        return self._known.get(topic)

    async def look(self) -> dict[str, int]:
        """Our topics as they are now, with their partitions. Raises: Unavailable."""
        listed = await self._list()
        mine = {name: len(topic.partitions) for name, topic in listed.topics.items() if self._is_ours(name)}
        self._known = mine
        return mine

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
                await self.look()
            for topic in wanted:
                self._known.setdefault(topic, self._count(topic))  # made a moment ago, and not told to all yet

    async def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """The offset behind the last record of each. Raises: Unavailable."""
        if not places:
            return {}
        asked = self._client.list_offsets(
            {TopicPartition(*place): OffsetSpec.latest() for place in places}, request_timeout=ANSWER_WITHIN_S
        )
        found = await asyncio.gather(*(self._answer(one) for one in asked.values()))
        return {(tp.topic, tp.partition): one.offset for tp, one in zip(asked, found, strict=True)}

    async def committed(self) -> dict[Place, TopicPartition]:
        """What the workers have committed, with its text. Raises: Unavailable."""
        group = self._names.group
        asked = self._client.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group)], request_timeout=ANSWER_WITHIN_S
        )
        try:
            found = await self._answer(asked[group])
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return {}
            raise
        return {(tp.topic, tp.partition): tp for tp in found.topic_partitions}

    async def trim(self, before: Mapping[Place, int]) -> None:
        """Let go of all records before these offsets."""
        offsets = [TopicPartition(*place, offset) for place, offset in before.items() if offset > 0]
        if offsets:
            asked = self._client.delete_records(offsets, request_timeout=ANSWER_WITHIN_S)
            await asyncio.gather(*(self._answer(one) for one in asked.values()))

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
        asked = self._client.describe_configs(resources, request_timeout=ANSWER_WITHIN_S)
        found = await asyncio.gather(*(self._answer(one) for one in asked.values()))
        return {one: {k: str(v.value) for k, v in each.items()} for one, each in zip(asked, found, strict=True)}

    async def _create(self, topics: list[NewTopic]) -> None:
        asked = self._client.create_topics(topics, operation_timeout=MAKE_WITHIN_S, request_timeout=MAKE_WITHIN_S)
        for topic, made in asked.items():
            try:
                await self._answer(made, within_s=MAKE_WITHIN_S)
            except KafkaException as exc:
                error = exc.args[0]
                if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                    continue
                if error.code() == KafkaError.INVALID_REPLICATION_FACTOR:
                    copies = topics[0].replication_factor
                    text = f"Kafka has fewer than {copies} brokers: see replication= in the setting queue."
                    raise ValueError(text) from exc
                raise ValueError(f"Kafka does not make the topic {topic}: {error.str()}") from exc

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

    async def _answer(self, asked: "Future[T]", *, within_s: float = ANSWER_WITHIN_S) -> T:
        """Raises: Unavailable, and KafkaException where Kafka refused."""
        try:
            async with asyncio.timeout(within_s + 1):
                return await asyncio.wrap_future(asked)
        except TimeoutError as exc:
            raise Unavailable("The queue does not answer just now") from exc
        except KafkaException as exc:
            error = exc.args[0]
            if error.code() < 0 or error.retriable():
                raise translated(exc) from exc
            raise
