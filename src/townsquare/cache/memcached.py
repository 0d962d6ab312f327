"""The cache's values in Memcached. It keeps nothing over a restart.

Box: cache. Source: memcached, doc/protocol.txt: `mg ... N` leaves a lease where nothing is, `ms ... C` compares it.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from townsquare.cache.outer import Found, Keep
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Finding, fine
from townsquare.wire.link import Link
from townsquare.wire.memcached import Answer, Memcached

_LEASE_S = 5  # a load that takes longer is not kept
_LONGEST_TTL_S = 29 * 86_400  # from 30 days on it would be a date
_LONGEST_KEY = 150


class _Lease(NamedTuple):
    """Numbers by key. They hold on the connection that they came by: a restarted server gives the same ones anew."""

    link: Link
    numbers: dict[str, bytes]


class MemcachedOuter:
    """Values in Memcached."""

    def __init__(self, memcached: Memcached) -> None:
        self._memcached = memcached

    async def find(self, keys: Sequence[str]) -> Found:
        link = await self._memcached.link()
        answers: list[Answer] = await link.ask(
            *[(b"mg", self._name(b"c", key), b"v", b"c", b"N%d" % _LEASE_S) for key in keys]
        )
        values: list[bytes | None] = []
        numbers: dict[str, bytes] = {}
        for key, answer in zip(keys, answers, strict=True):
            values.append(answer.value or None)
            if not answer.value and answer.flag(b"W") is not None:
                numbers[key] = answer.flag(b"c") or b""
        return Found(values, _Lease(link, numbers))

    def keep(self, lease: Any, values: Sequence[Keep]) -> None:
        for one in values:
            number = lease.numbers.get(one.key)
            if number:
                ttl_s = min(max(one.ttl_ms // 1000, 1), _LONGEST_TTL_S)
                name = self._name(b"c", one.key)
                lease.link.ask((b"ms", name, len(one.value), b"C" + number, b"T%d" % ttl_s, one.value))

    async def drop(self, keys: Sequence[str]) -> None:
        link = await self._memcached.link()
        if not keys:
            return
        for answer in await link.ask(*[(b"md", self._name(b"c", key)) for key in keys]):
            if answer.code not in (b"HD", b"NF"):
                raise Unavailable("Memcached cannot do that just now")

    async def count(self, key: str, amount: int, *, ttl_s: int) -> int:
        link = await self._memcached.link()
        name = self._name(b"n", key)
        if not amount:
            (answer,) = await link.ask((b"mg", name, b"v"))
            return int(answer.value or 0)
        first = b"J%d" % max(amount, 0)
        mode = b"MI" if amount > 0 else b"MD"
        (answer,) = await link.ask((b"ma", name, b"N%d" % ttl_s, first, b"D%d" % abs(amount), mode, b"v"))
        if answer.value is None:
            raise Unavailable("Memcached cannot do that just now")
        return int(answer.value)

    async def examine(self) -> list[Finding]:
        """For `townsquare doctor`. Raises: Unavailable."""
        (answer,) = await (await self._memcached.link()).ask([b"version"])
        return [fine("memcached", f"Memcached {b' '.join(answer.flags).decode(errors='replace')}")]

    async def close(self) -> None:
        await self._memcached.close()

    def _name(self, sort: bytes, key: str) -> bytes:
        """A key as Memcached takes it: short, without spaces and the like."""
        name = key.encode(errors="surrogatepass")
        if len(name) > _LONGEST_KEY or not key.isascii() or not key.isprintable() or b" " in name:
            name = b"#" + blake2b(name, digest_size=16).hexdigest().encode()
        return self._memcached.address.prefix + sort + name
