"""Every server by name, each with its first port within the run folder's span."""

from tests.engines.memcached import Memcached
from tests.engines.nginx import Nginx
from tests.engines.redis import Redis
from tests.engines.server import Server

SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Redis("redis", port=0),
        Memcached("memcached", port=1),
        Nginx("nginx", port=2),
    )
}
