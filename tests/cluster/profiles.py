"""The profiles of engines that a town may stand on: which servers each needs, and what its settings say.

Feeds and news between processes lie in Redis in both profiles: rings and pub/sub have no other engine that several
machines share. Words and mail lie in folders that the machines share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.contract.servers import servers
from tests.engines import control


@dataclass(frozen=True, slots=True)
class Profile:
    """Servers of tests/engines, in the order in which they start, and the Python modules of their drivers."""

    name: str
    store: Sequence[str] = ()
    cache: str = ""
    queue: str = ""
    near: str = ""  # feeds and streaming
    drivers: Sequence[str] = ()

    @property
    def servers(self) -> list[str]:
        """All that must run."""
        return list(dict.fromkeys([*self.store, self.cache, self.queue, self.near])) if self.store else []

    def check(self) -> None:
        """Skip or fail the test where one of them is not installed."""
        for name in self.servers:
            for driver in self.drivers:
                servers().check(name, needs=driver)

    def boxes(self, shared: Path) -> dict[str, str]:
        """The settings of the boxes; of the embedded profile none. `shared`: the folder that all machines see."""
        if not self.store:
            return {}
        return {
            "store": _joined([control.url(name) for name in self.store]),
            "cache": control.url(self.cache),
            "queue": control.url(self.queue),
            "feeds": control.url(self.near),
            "streaming": control.url(self.near),
            "search": f"embedded:{shared}/search.db",
            "media": f"file:{shared}/media",
            "mail": f"log:{shared}/mail",
        }


def _joined(urls: Sequence[str]) -> str:
    """One address of several nodes: the first one's, with the hosts of all."""
    scheme, _, rest = urls[0].partition("://")
    place, slash, path = rest.partition("/")
    hosts = ",".join(url.partition("://")[2].partition("/")[0].rpartition(":")[0] for url in urls)
    return f"{scheme}://{hosts}:{place.rpartition(':')[2]}{slash}{path}"


EMBEDDED = Profile("embedded")
CASSANDRA = Profile(
    "cassandra",
    store=("cassandra-1", "cassandra-2", "cassandra-3"),
    cache="redis",
    queue="kafka",
    near="redis",
    drivers=("acsylla", "hiredis", "confluent_kafka"),
)
MONGO = Profile(
    "mongo",
    store=("mongo",),
    cache="memcached",
    queue="rabbitmq",
    near="redis",
    drivers=("pymongo", "hiredis"),
)
PROFILES = {each.name: each for each in (EMBEDDED, CASSANDRA, MONGO)}
