"""Redis: where it is, how to greet it, what it says.

Box: wire. Source: Redis, /docs/latest/develop/reference/protocol-spec (RESP3).
URL: `redis://[user:password@]host[:port][/database][?prefix=name]`, `rediss://` for TLS.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis
import msgspec

from townsquare.model.errors import Unavailable
from townsquare.wire.link import Argument, BadAnswer, Link, Speech
from townsquare.wire.server import Server

_EPOCH_BYTES = 8


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Redis is, and under what prefix our keys lie there."""

    host: str
    port: int
    database: int
    user: str | None
    password: str | None
    tls: bool
    prefix: bytes

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL.

        Raises: ValueError with a sentence that says what is wrong.
        """
        parts = urlsplit(url)
        database = parts.path.strip("/") or "0"
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not database.isdecimal():
            raise ValueError(
                f"An address of Redis looks like redis://host:6379/0, not {parts.scheme}://...{parts.path}"
            )
        prefix = parse_qs(parts.query).get("prefix", ["ts"])[-1]
        return cls(
            host=parts.hostname,
            port=parts.port or 6379,
            database=int(database),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
            prefix=prefix.encode() + b":",
        )


class Redis(Server):
    """A Redis."""

    def __init__(
        self,
        address: Address,
        *,
        pushed: Callable[[Any], None] | None = None,
        connected: Callable[[Link], Awaitable[None]] | None = None,
        lost: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(address.host, address.port, tls=address.tls, pushed=pushed, connected=connected, lost=lost)
        self.address = address

    def speech(self) -> Speech:
        return _Resp()

    async def greet(self, link: Link) -> None:
        address, hello = self.address, list[Argument](["HELLO", 3])
        if address.password is not None:
            hello += ["AUTH", address.user or "default", address.password]
        answers = await link.ask(hello, ["SELECT", address.database], ["INFO", "server"])
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError):
                raise Unavailable(f"Redis at {address.host}:{address.port} refuses: {answer}")
        link.epoch = _run_id(answers[2])


class _Resp:
    """RESP3. Answers that are errors are of `hiredis.ReplyError`."""

    name = "Redis"

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self.feed = self._reader.feed

    def pack(self, command: Sequence[Argument]) -> bytes:
        packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]  # its types mean a tuple of one
        return packed

    def gets(self) -> Any:
        try:
            return self._reader.gets()
        except hiredis.ProtocolError as exc:
            raise BadAnswer from exc

    def is_push(self, answer: Any) -> bool:
        return isinstance(answer, hiredis.PushNotification)


async def sound_answers(link: Link, *commands: Sequence[Argument]) -> list[Any]:
    """The answers to some commands.

    Raises: Unavailable, also where one of them is an error.
    """
    answers = await link.ask(*commands)
    for answer in answers:
        if isinstance(answer, hiredis.ReplyError):
            raise Unavailable("Redis cannot do that just now") from answer
    return answers


def _run_id(info: bytes) -> bytes:
    """The number that a Redis gives itself at each start."""
    for line in bytes(info).splitlines():
        name, _, value = line.partition(b":")
        if name == b"run_id":
            return value.strip()[:_EPOCH_BYTES]
    return b""
