"""Every server by name, each with its first port within the run folder's span."""

from tests.engines.cassandra import Cassandra
from tests.engines.elasticsearch import Elasticsearch
from tests.engines.kafka import Kafka
from tests.engines.memcached import Memcached
from tests.engines.mongo import Mongo
from tests.engines.nginx import Nginx
from tests.engines.questdb import QuestDb
from tests.engines.rabbitmq import RabbitMq
from tests.engines.redis import Redis
from tests.engines.s3 import S3
from tests.engines.server import Server

SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Redis("redis", port=0),
        Memcached("memcached", port=1),
        Nginx("nginx", port=2),
        RabbitMq("rabbitmq", port=10),
        Cassandra("cassandra", node=0, port=20),
        *(Cassandra(f"cassandra-{node}", node=node, port=30) for node in (1, 2, 3)),
        Kafka("kafka", node=0, port=40),
        *(Kafka(f"kafka-{node}", node=node, port=50 + 2 * node) for node in (1, 2, 3)),
        Mongo("mongo", port=60),
        S3("s3", port=70),
        Elasticsearch("elasticsearch", port=80),
        QuestDb("questdb", port=85),
    )
}
