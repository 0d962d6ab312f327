"""Memcached: where it is, what it says.

Box: wire. Source: memcached, doc/protocol.txt (meta commands). URL: `memcached://host[:port][?prefix=name]`
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from townsquare.model.errors import Unavailable
from townsquare.wire.link import Argument, BadAnswer, Link, Speech
from townsquare.wire.server import Server

_END = b"\r\n"
_LONGEST_LINE = 4096


class MemcachedAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Memcached is, and what our keys begin with."""

    host: str
    port: int
    prefix: bytes

    @classmethod
    def of(cls, url: str) -> "MemcachedAddress":
        """Read a URL.

        Raises: ValueError with a sentence that says what is wrong.
        """
        parts = urlsplit(url)
        prefix = parse_qs(parts.query).get("prefix", ["ts"])[-1]
        sound = prefix.isascii() and prefix.isalnum() and len(prefix) <= 50
        if parts.scheme != "memcached" or not parts.hostname or parts.path.strip("/") or not sound:
            raise ValueError("An address of Memcached looks like memcached://host:11211")
        return cls(host=parts.hostname, port=parts.port or 11211, prefix=prefix.encode() + b":")


class Answer(NamedTuple):
    """An answer to a meta command: `HD`, `VA`, `EN`, `NF`, `NS`, `EX`, `MN` or an error in the server's own words."""

    code: bytes
    flags: Sequence[bytes] = ()
    value: bytes | None = None

    def flag(self, letter: bytes) -> bytes | None:
        """What stands behind the letter; None where the flag is not there."""
        return next((flag[1:] for flag in self.flags if flag[:1] == letter), None)


class Memcached(Server):
    """One Memcached, 1.6 or newer."""

    def __init__(self, address: MemcachedAddress) -> None:
        super().__init__(address.host, address.port)
        self.address = address

    def speech(self) -> Speech:
        return _Meta()

    async def greet(self, link: Link) -> None:
        (answer,) = await link.ask([b"mn"])
        if answer.code != b"MN":
            raise Unavailable(f"What answers at {self.address.host}:{self.address.port} is no Memcached 1.6")


class _Meta:
    """Meta commands: words, and a value as the last one of `ms`."""

    name = "Memcached"

    def __init__(self) -> None:
        self._rest = b""

    def pack(self, command: Sequence[Argument]) -> bytes:
        words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
        if words[0] == b"ms":
            return b" ".join(words[:-1]) + _END + words[-1] + _END
        return b" ".join(words) + _END

    def feed(self, data: bytes) -> None:
        self._rest = self._rest + data if self._rest else data

    def gets(self) -> Any:
        line_end = self._rest.find(_END, 0, _LONGEST_LINE)
        if line_end < 0:
            if len(self._rest) >= _LONGEST_LINE:
                raise BadAnswer
            return False
        code, *flags = self._rest[:line_end].split(b" ")
        start = line_end + len(_END)
        if code != b"VA":
            self._rest = self._rest[start:]
            return Answer(code, flags)
        if not flags or not flags[0].isdigit():
            raise BadAnswer
        stop = start + int(flags[0])
        if len(self._rest) < stop + len(_END):
            return False
        value, self._rest = self._rest[start:stop], self._rest[stop + len(_END) :]
        return Answer(code, flags[1:], value)

    def is_push(self, answer: Any) -> bool:
        return False
