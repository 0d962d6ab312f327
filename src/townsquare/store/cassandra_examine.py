"""How a Cassandra cluster is set up, for `townsquare doctor`.

Box: store.
"""

import asyncio
import time
from contextlib import suppress

from townsquare.model.findings import Finding, clock, fine, warning, wrong
from townsquare.store.cassandra_schema import REPLICAS
from townsquare.store.cassandra_session import Session

_CONNECT_WITHIN_S = 2.0
_OLDEST = (4, 0)


async def examine(session: Session, keyspace: str) -> list[Finding]:
    """Version, nodes that answer, copies of each row, agreement on the schema, clock. Raises: Unavailable."""
    before_ms = time.time_ns() // 1_000_000
    ((version, data_center, schema, theirs_ms),) = await session.run(
        "SELECT release_version, data_center, schema_version, toUnixTimestamp(now()) FROM system.local"
    )
    after_ms = time.time_ns() // 1_000_000
    peers = await session.run(
        "SELECT native_address, native_port, data_center, release_version, schema_version FROM system.peers_v2"
    )
    ours = [peer for peer in peers if peer[2] == data_center]
    up = 1 + sum(await asyncio.gather(*(_answers(str(host), int(port)) for host, port, *_ in ours)))
    return [
        _version([version, *(peer[3] for peer in peers)]),
        _nodes(up, 1 + len(ours), data_center),
        await _copies(session, keyspace, data_center, 1 + len(ours)),
        fine("cassandra consistency", "LOCAL_QUORUM both ways, LOCAL_SERIAL for what must be agreed on"),
        _schema({schema, *(peer[4] for peer in peers)}),
        clock("cassandra clock", theirs_ms=int(theirs_ms), before_ms=before_ms, after_ms=after_ms),
    ]


def _version(versions: list[str]) -> Finding:
    found = sorted(set(versions))
    about = f"Cassandra {', '.join(found)}"
    if any(tuple(int(part) for part in each.split(".")[:2]) < _OLDEST for each in found):
        return wrong("cassandra", f"{about}; 4.0 or newer is needed, 5.0 is what we test")
    return fine("cassandra", about) if len(found) == 1 else warning("cassandra", f"{about}: bring all nodes to one")


def _nodes(up: int, nodes: int, data_center: str) -> Finding:
    about = f"{up} of {nodes} nodes in {data_center} answer"
    if up == nodes:
        return fine("cassandra nodes", about)
    return (wrong if up <= nodes // 2 else warning)("cassandra nodes", f"{about}: start the others")


async def _copies(session: Session, keyspace: str, data_center: str, nodes: int) -> Finding:
    check = "cassandra copies"
    ((replication,),) = await session.run(
        f"SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'"
    )
    found: dict[str, str] = dict(replication)
    copies = int(found.get(data_center) or found.get("replication_factor") or 0)
    about = f"{copies} of each row on {nodes} nodes"
    change = (
        f"ALTER KEYSPACE {keyspace} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', '{data_center}': {REPLICAS}}}, then `nodetool repair` on each node"
    )
    if not copies:
        return wrong(check, f"the keyspace {keyspace} has no copy in {data_center}: {change}")
    if copies >= REPLICAS:
        return fine(check, about)
    if nodes >= REPLICAS:
        return wrong(check, f"{about}, so rows are lost or out of reach with one of them: {change}")
    return warning(check, f"{about}: with that disk all is lost; use three nodes, or save often")


def _schema(versions: set[object]) -> Finding:
    if len(versions) == 1:
        return fine("cassandra schema", "all nodes have the same schema")
    return warning("cassandra schema", "nodes disagree on the schema: wait, and see `nodetool describecluster`")


async def _answers(host: str, port: int) -> bool:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            await writer.wait_closed()
            return True
    return False
