"""How a MongoDB is set up, for `townsquare doctor`.

Box: store.
"""

import time
from datetime import UTC, datetime

from townsquare.model.findings import Finding, clock, fine, warning, wrong
from townsquare.store.mongo_session import Session

_COPIES = 3


async def examine(session: Session) -> list[Finding]:
    """Version, members of the replica set, write concern, clock. Raises: Unavailable."""
    before_ms = time.time_ns() // 1_000_000
    hello = await session.command("isMaster")  # `hello` is not known to older servers
    after_ms = time.time_ns() // 1_000_000
    build = await session.command("buildInfo")
    found = [
        fine("mongodb", f"MongoDB {build.get('version', 'of an unknown version')}"),
        _members(hello),
        fine("mongodb writes", "confirmed by a majority that has them on disk"),
    ]
    when = hello.get("localTime")
    if isinstance(when, datetime):
        theirs_ms = int(when.replace(tzinfo=UTC).timestamp() * 1000)
        found.append(clock("mongodb clock", theirs_ms=theirs_ms, before_ms=before_ms, after_ms=after_ms))
    return found


def _members(hello: dict[str, object]) -> Finding:
    check, hosts = "mongodb copies", hello.get("hosts")
    if hello.get("msg") == "isdbgrid":
        return fine(check, "a sharded cluster; look at each shard's replica set by `sh.status()`")
    if not hello.get("setName") or not isinstance(hosts, list):
        return warning(check, "no replica set, so one copy of each row: with that disk all is lost")
    about = f"replica set {hello['setName']} of {len(hosts)} members with data"
    if len(hosts) < _COPIES:
        return warning(check, f"{about}: use three, or writes stop when one is away")
    return fine(check, about) if hello.get("primary") else wrong(check, f"{about}, and none of them leads")
