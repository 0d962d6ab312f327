"""Where Kafka is, what its client is told, and what the client's errors become here.

Box: queue. Source: https://kafka.apache.org/documentation/, librdkafka's CONFIGURATION.md.
"""

import logging
import re
import time
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from confluent_kafka import KafkaError, KafkaException

from townsquare.model.errors import Unavailable

log = logging.getLogger(__name__)
PORT = 9092
ANSWER_WITHIN_S = 5.0
_SAY_AGAIN_S = 60.0
_FORM = (
    "kafka[s]://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...][?prefix=NAME&replication=COUNT&partitions=COUNT&sasl=NAME]"
)
_URL = re.compile(
    r"kafka(?P<tls>s?)://(?:(?P<user>[^:@/]*):(?P<password>[^@/]*)@)?(?P<hosts>[^/@?]+)/?(?:\?(?P<query>.*))?"
)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?")
_HAS_PORT = re.compile(r".*:\d{1,5}")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,100}")
_SASL = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_MOST_PARTITIONS = 256
_MISTAKES = frozenset(
    {
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Some brokers, from which the client learns the others, and how our topics are made."""

    hosts: str
    prefix: str = "townsquare"
    replication: int | None = None  # None: 3 where there are so many brokers, else as many as there are
    partitions: int = 16  # of a lane: as many workers can share it
    tls: bool = False
    user: str = ""
    password: str = ""
    sasl: str = "SCRAM-SHA-512"

    def client(self, **settings: Any) -> dict[str, Any]:
        """The settings of a client, with these beside what all have."""
        protocol = ("SASL_" if self.user else "") + ("SSL" if self.tls else "PLAINTEXT")
        log_in = {"sasl.mechanism": self.sasl, "sasl.username": self.user, "sasl.password": self.password}
        return {
            "bootstrap.servers": self.hosts,
            "client.id": "townsquare",
            "security.protocol": protocol,
            **(log_in if self.user else {}),
            "log_level": 0,  # what matters comes as an error
            "error_cb": _Notes().note,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            "socket.connection.setup.timeout.ms": 3000,
            "socket.keepalive.enable": True,
            **settings,
        }


def read_url(url: str) -> Address:
    """The address in a setting. Raises: ValueError with a sentence that does not show the password."""
    found = _URL.fullmatch(url)
    options = dict(parse_qsl(found["query"] or "")) if found is not None else {}
    if found is None or options.keys() - {"prefix", "replication", "partitions", "sasl"}:
        raise ValueError(f"The setting queue must look like {_FORM}.")
    hosts = found["hosts"].split(",")
    prefix, sasl = options.get("prefix", "townsquare"), options.get("sasl", "SCRAM-SHA-512").upper()
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise ValueError(f"The setting queue must look like {_FORM}.")
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("The setting queue: prefix= is of letters, digits, '.', '_' and '-', at most 100.")
    if sasl not in _SASL:
        raise ValueError(f"The setting queue: sasl= is one of {', '.join(_SASL)}.")
    replication = options.get("replication")
    return Address(
        hosts=",".join(host if _HAS_PORT.fullmatch(host) else f"{host}:{PORT}" for host in hosts),
        prefix=prefix,
        replication=None if replication is None else _count("replication", replication, 9),
        partitions=_count("partitions", options.get("partitions", "16"), _MOST_PARTITIONS),
        tls=bool(found["tls"]),
        user=unquote(found["user"] or ""),
        password=unquote(found["password"] or ""),
        sasl=sasl,
    )


def translated(exc: KafkaException | KafkaError) -> Exception:
    """The error as others know it: Unavailable, or ValueError where we are not let in."""
    error = exc.args[0] if isinstance(exc, KafkaException) else exc
    if error.code() in _MISTAKES:
        return ValueError(
            f"Kafka does not let us in: see user, password and rights in the setting queue ({error.str()})."
        )
    return Unavailable("The queue does not answer just now")


def _count(name: str, text: str, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ValueError(f"The setting queue: {name}= is a number from 1 to {most}.")
    return int(text)


class _Notes:
    """What one client says: while nobody answers it says so again and again."""

    def __init__(self) -> None:
        self._silent_until_s = 0.0

    def note(self, error: KafkaError) -> None:
        """Log it, but not too often."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            log.info("Kafka: %s", error.str())
        elif time.monotonic() >= self._silent_until_s:
            self._silent_until_s = time.monotonic() + _SAY_AGAIN_S
            log.warning("no broker of Kafka answers; trying again")
