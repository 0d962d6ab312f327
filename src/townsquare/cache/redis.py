"""The cache's values in Redis. All keys carry the number that Redis gives itself at each start: what a restart brought
back from a file may be old, and is not used.

Box: cache.
"""

from collections.abc import Sequence
from secrets import token_bytes
from typing import Any, NamedTuple

from townsquare.cache.outer import Found, Keep
from townsquare.model.findings import Finding
from townsquare.wire.link import Argument, Link
from townsquare.wire.redis import Redis, sound_answers
from townsquare.wire.redis_examine import examine
from townsquare.wire.script import Script

_LEASE_MS = 5_000  # a load that takes longer is not kept
_KEYS_A_CALL = 500  # Redis does nothing else during a call

# A value begins with 0, a lease with 1. Arguments: our lease, its milliseconds. Answer: what lies under each key,
# nothing where that is a lease.
_FIND = Script("""
local found = redis.call('MGET', unpack(KEYS))
for n, value in ipairs(found) do
  if not value then redis.call('SET', KEYS[n], ARGV[1], 'PX', ARGV[2])
  elseif string.byte(value) == 1 then found[n] = false end
end
return found
""")

# Arguments: our lease, then milliseconds to live and value for each key.
_KEEP = Script("""
for n, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('SET', key, ARGV[2 * n + 1], 'PX', ARGV[2 * n]) end
end
return 0
""")


class _Lease(NamedTuple):
    """Holds on the connection that it was taken on, alone: behind another one may be another Redis."""

    link: Link
    token: bytes


class RedisOuter:
    """Values in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._leases, self._name = 0, b"\x01" + token_bytes(8)

    async def find(self, keys: Sequence[str]) -> Found:
        link = await self._redis.link()
        first = self._first(link)
        self._leases += 1
        lease = _Lease(link, self._name + self._leases.to_bytes(6, "little"))
        calls = [
            (
                [first + key.encode(errors="surrogatepass") for key in keys[n : n + _KEYS_A_CALL]],
                (lease.token, _LEASE_MS),
            )
            for n in range(0, len(keys), _KEYS_A_CALL)
        ]
        answers = await _FIND.run(link, *calls)
        return Found([value and value[1:] for answer in answers for value in answer], lease)

    def keep(self, lease: Any, values: Sequence[Keep]) -> None:
        first = self._first(lease.link)
        for n in range(0, len(values), _KEYS_A_CALL):
            part = values[n : n + _KEYS_A_CALL]
            arguments: list[bytes | str | int] = [lease.token]
            for one in part:
                arguments += (one.ttl_ms, b"\0" + one.value)
            _KEEP.tell(lease.link, [first + one.key.encode(errors="surrogatepass") for one in part], arguments)

    async def drop(self, keys: Sequence[str]) -> None:
        link = await self._redis.link()
        first = self._first(link)
        names = [first + key.encode(errors="surrogatepass") for key in keys]
        parts = [names[n : n + _KEYS_A_CALL] for n in range(0, len(names), _KEYS_A_CALL)]
        if parts:
            await sound_answers(link, *[_unlink(part) for part in parts])

    async def count(self, key: str, amount: int, *, ttl_s: int) -> int:
        link = await self._redis.link()
        name = self._redis.address.prefix + b"n" + key.encode(errors="surrogatepass")
        if not amount:
            return int((await sound_answers(link, ["GET", name]))[0] or 0)
        return int((await sound_answers(link, ["INCRBY", name, amount], ["EXPIRE", name, ttl_s]))[0])

    async def examine(self) -> list[Finding]:
        """For `townsquare doctor`. Raises: Unavailable."""
        return await examine(self._redis)

    async def close(self) -> None:
        await self._redis.close()

    def _first(self, link: Link) -> bytes:
        return self._redis.address.prefix + b"c" + link.epoch


def _unlink(names: list[bytes]) -> list[Argument]:
    return ["UNLINK", *names]
