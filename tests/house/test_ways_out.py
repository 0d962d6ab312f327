"""CVE-2026-27477: every request to the outside goes through one client, so no other module may open a connection."""

import ast
from collections.abc import Sequence
from pathlib import Path

from tests.house.syntax import nodes_of

ROOT = Path("src/townsquare")
ALLOWED = {
    "social/exchange.py",  # the guarded client's own connection
    "streaming/local.py",  # Unix sockets between our own processes
    "streaming/links.py",
    "wire/server.py",  # the address is a setting
    "wire/amqp.py",  # so is this
    "wire/rest.py",  # and this
    "store/cassandra_examine.py",  # the addresses come from the cluster that a setting names
    "media/s3.py",  # and this
    "analytics/duck_seat.py",  # a Unix socket between our own processes
    "cli/roles.py",  # listens
    "metrics/desk.py",  # the operator's address, and Unix sockets between our own processes
    "metrics/reading.py",  # the same address, asked
    "metrics/slots.py",
}
CLIENTS = {
    "httpx",
    "httpcore",
    "aiohttp",
    "requests",
    "urllib3",
    "http.client",
    "urllib.request",
    "ftplib",
    "smtplib",
    "obstore",
}
CALLS = {
    "open_connection", "create_connection", "create_datagram_endpoint", "sock_connect", "urlopen",
    "open_unix_connection", "create_unix_connection",
}  # fmt: skip


def test_no_other_module_connects_to_anything() -> None:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name not in ALLOWED:
            found += [f"{name}: {what}" for what in _ways_out(nodes_of(path))]
    assert not found, "use ports.outbound (social/outbound.py) for requests to other servers"


def test_only_the_guarded_client_uses_its_connection() -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if "townsquare.social.exchange" in path.read_text()
    ]
    assert users == ["social/outbound.py"]


def test_planted_ways_out_are_caught() -> None:
    planted = "import httpx\nfrom urllib.request import urlopen\nasyncio.open_connection('x', 1)\nsocket.socket()"
    assert len(_ways_out(list(ast.walk(ast.parse(planted))))) == 4


def _ways_out(nodes: Sequence[ast.AST]) -> list[str]:
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name in CLIENTS or each.name.split(".")[0] in CLIENTS]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module in CLIENTS or node.module.split(".")[0] in CLIENTS:
                found.append(node.module)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = node.func
            of_socket = isinstance(called.value, ast.Name) and called.value.id == "socket" and called.attr == "socket"
            if called.attr in CALLS or of_socket:
                found.append(called.attr)
    return found
