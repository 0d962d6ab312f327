"""How a Redis is set up, for `townsquare doctor`.

Box: wire. Source: Redis, /docs/latest/commands/info
"""

import time

from townsquare.model.findings import Finding, clock, fine, warning, wrong
from townsquare.wire.redis import Redis, sound_answers

OLDEST = (6, 2)
_MIB = 1 << 20


async def examine(redis: Redis) -> list[Finding]:
    """Version, memory, what is evicted, what is written to disk, clock. Raises: Unavailable."""
    link = await redis.link()
    before_ms = _now_ms()
    (when,) = await sound_answers(link, ["TIME"])
    after_ms = _now_ms()
    facts: dict[str, str] = {}
    for answer in await sound_answers(link, ["INFO", "server"], ["INFO", "memory"], ["INFO", "persistence"]):
        facts |= _facts(bytes(answer))
    theirs_ms = int(when[0]) * 1000 + int(when[1]) // 1000
    return [
        _version(facts),
        _memory(facts),
        _disk(facts),
        clock("redis clock", theirs_ms=theirs_ms, before_ms=before_ms, after_ms=after_ms),
    ]


def _version(facts: dict[str, str]) -> Finding:
    version = facts.get("redis_version", "0")
    about = f"Redis {version}"
    known = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    return fine("redis", about) if known >= OLDEST else wrong("redis", f"{about}; 6.2 or newer is needed")


def _memory(facts: dict[str, str]) -> Finding:
    most, policy = int(facts.get("maxmemory", "0")), facts.get("maxmemory_policy", "unknown")
    if not most:
        return warning(
            "redis memory",
            "no maxmemory: Redis grows until the machine has no memory; set maxmemory and maxmemory-policy allkeys-lru",
        )
    about = f"maxmemory {most // _MIB} MiB, maxmemory-policy {policy}"
    if policy == "noeviction":
        return warning("redis memory", f"{about}: when it is full nothing new is kept; set allkeys-lru")
    return fine("redis memory", about)


def _disk(facts: dict[str, str]) -> Finding:
    check = "redis disk"
    if facts.get("rdb_last_bgsave_status", "ok") != "ok" or facts.get("aof_last_write_status", "ok") != "ok":
        return wrong(check, "its last write to disk failed, and it may refuse writes: see its log, or turn saving off")
    if facts.get("aof_enabled") == "1":
        return warning(check, "appendonly is on: all that is kept here can be made again, so it only costs time")
    return fine(check, "nothing here needs the disk: all of it can be made again")


def _facts(info: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value.strip() for name, colon, value in pairs if colon}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
