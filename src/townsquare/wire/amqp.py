"""A connection to an AMQP 0-9-1 server such as RabbitMQ, with many channels.

Box: wire. Source: AMQP 0-9-1; RabbitMQ, /docs/connection-blocked, /docs/heartbeats.
URL: `amqp://[user:password@]host[:port][,host...][/vhost][?name=value&...]`, `amqps://` for TLS.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from pamqp import commands
from pamqp.base import Frame
from pamqp.common import FieldTable

from townsquare import __version__
from townsquare.model.errors import Unavailable
from townsquare.wire import amqp_frames as frames
from townsquare.wire.amqp_channel import Channel

PORTS = {"amqp": 5672, "amqps": 5671}
CONNECT_WITHIN_S = 4.0
HEARTBEAT_S = 10  # a peer that was silent for twice as long is gone
_MOST_FRAME_BYTES = 131_072
_MOST_UNSENT_BYTES = 64 * 1024 * 1024
_ABILITIES = (
    "publisher_confirms",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "authentication_failure_close",
)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is, or the nodes of a cluster; what follows the `?` is the engine's to understand."""

    hosts: tuple[tuple[str, int], ...]
    user: str
    password: str
    vhost: str
    tls: bool
    options: Mapping[str, str]

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL. Raises: ValueError with a sentence that does not show the password."""
        parts = urlsplit(url)
        who, _, where = parts.netloc.rpartition("@")
        user, _, password = who.partition(":")
        if parts.scheme not in PORTS or not where or "/" in parts.path[1:]:
            raise ValueError("An address of RabbitMQ looks like amqp://user:password@host:5672/vhost")
        return cls(
            hosts=tuple(_host(one.strip(), PORTS[parts.scheme]) for one in where.split(",")),
            user=unquote(user) or "guest",
            password=unquote(password) or "guest",
            vhost=unquote(parts.path[1:]) or "/",
            tls=parts.scheme == "amqps",
            options=dict(parse_qsl(parts.query, keep_blank_values=True)),
        )


class Connection(asyncio.Protocol):
    """A connection. Made by `connect`; when it is over all its channels are."""

    def __init__(self, address: Address, lost: Callable[[], None]) -> None:
        """`lost` hears once of the end."""
        self._address, self._lost = address, lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._channels, self._last_number, self._most_channels = dict[int, Channel](), 0, 2047
        self._heard_at, self._beat_s = self._loop.time(), float(HEARTBEAT_S)
        self._timer: asyncio.TimerHandle | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._opened.add_done_callback(lambda future: None if future.cancelled() else future.exception() and None)
        self.most_bytes, self.blocked, self.unsent = _MOST_FRAME_BYTES, False, list[bytes]()
        self.up, self.version = False, ""  # of the server

    async def channel(self, *, confirms: bool = False, ended: Callable[[], None] | None = None) -> Channel:
        """A new channel. Raises: Unavailable."""
        if not self.up:
            raise Unavailable("RabbitMQ does not answer")
        channel = Channel(self, self._free_number(), ended=ended)
        self._channels[channel.number] = channel
        methods: list[Frame] = [commands.Channel.Open()]
        if confirms:
            methods.append(commands.Confirm.Select())
        await channel.ask(*methods)
        return channel

    def send(self, data: bytes) -> None:
        """Send it at the end of this turn of the loop."""
        if not self.unsent:
            self._loop.call_soon(self.flush)
        self.unsent.append(data)

    def flush(self) -> None:
        """Send now what is to be sent."""
        if self.unsent and self._transport is not None:
            self._transport.write(b"".join(self.unsent))
            if self._transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
                self.abort()
        self.unsent.clear()

    def drop(self, number: int) -> None:
        """The channel of this number is no more."""
        self._channels.pop(number, None)

    def close(self) -> None:
        """Send what is to be sent, say good-bye, and end."""
        if self.up:
            self.send(frames.pack(0, commands.Connection.Close(reply_code=200, reply_text="", class_id=0, method_id=0)))
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    async def opened(self) -> None:
        """Wait until the server has let us in. Raises: Unavailable; ValueError where it does not let us in."""
        await self._opened

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of no class of asyncio's
        self._transport.write(frames.PROTOCOL)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        data, at = self._rest + data if self._rest else data, 0
        unpack_head, have = frames.HEADER.unpack_from, len(data)
        try:
            while have - at >= frames.OVERHEAD_BYTES:
                kind, channel, size = unpack_head(data, at)
                end = at + 7 + size
                if end >= have:
                    break
                if data[end] != frames.END:
                    raise ValueError("not a frame")
                self._frame(kind, channel, data[at + 7 : end])
                at = end + 1
        except (ValueError, IndexError):
            self.abort()
            return
        self._rest = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.up = False
        if self._timer is not None:
            self._timer.cancel()
        why = Unavailable("RabbitMQ does not answer")
        if not self._opened.done():
            self._opened.set_exception(why)
        for channel in list(self._channels.values()):
            channel.end(why)
        self._channels.clear()
        self.unsent.clear()
        self._lost()

    def _frame(self, kind: int, number: int, payload: bytes) -> None:
        if number == 0:
            if kind == frames.METHOD:
                self._about_us(frames.unpack(payload))
            return
        channel = self._channels.get(number)
        if channel is None:
            return
        if kind == frames.METHOD:
            channel.method(payload)
        elif kind == frames.CONTENT:
            channel.content(payload)
        elif kind == frames.BODY:
            channel.body(payload)

    def _about_us(self, method: Frame) -> None:
        if isinstance(method, commands.Connection.Start):
            self.version = str((method.server_properties or {}).get("version", ""))
            self._greet()
        elif isinstance(method, commands.Connection.Tune):
            self._tune(method)
        elif isinstance(method, commands.Connection.OpenOk):
            self.up = True
            if not self._opened.done():
                self._opened.set_result(None)
            self._look()
        elif isinstance(method, commands.Connection.Blocked):
            self.blocked = True
        elif isinstance(method, commands.Connection.Unblocked):
            self.blocked = False
        elif isinstance(method, commands.Connection.Close):
            self._refused(method)

    def _greet(self) -> None:
        abilities: FieldTable = dict.fromkeys(_ABILITIES, True)
        about: FieldTable = {"product": "townsquare", "version": __version__, "capabilities": abilities}
        secret = f"\0{self._address.user}\0{self._address.password}"
        self.send(frames.pack(0, commands.Connection.StartOk(client_properties=about, response=secret)))

    def _tune(self, offered: commands.Connection.Tune) -> None:
        self.most_bytes = min(offered.frame_max or _MOST_FRAME_BYTES, _MOST_FRAME_BYTES)
        self._most_channels = offered.channel_max or 65_535
        beat_s = min(offered.heartbeat or HEARTBEAT_S, HEARTBEAT_S)
        self._beat_s = float(beat_s)
        agreed = commands.Connection.TuneOk(
            channel_max=self._most_channels, frame_max=self.most_bytes, heartbeat=beat_s
        )
        self.send(frames.pack(0, agreed))
        self.send(frames.pack(0, commands.Connection.Open(virtual_host=self._address.vhost)))

    def _refused(self, close: commands.Connection.Close) -> None:
        if not self._opened.done():
            mistakes = {
                403: "RabbitMQ does not let us in: see the user and password in the setting queue",
                530: f"RabbitMQ has no vhost {self._address.vhost} for us: see the setting queue",
            }
            sentence = mistakes.get(close.reply_code or 0)
            self._opened.set_exception(ValueError(sentence) if sentence else Unavailable("RabbitMQ does not answer"))
        self.send(frames.pack(0, commands.Connection.CloseOk()))
        self.flush()
        self.abort()

    def _free_number(self) -> int:
        for _ in range(self._most_channels):
            self._last_number = self._last_number % self._most_channels + 1
            if self._last_number not in self._channels:
                return self._last_number
        raise Unavailable("RabbitMQ gives no more channels")

    def _look(self) -> None:
        if self._loop.time() - self._heard_at > 2 * self._beat_s:
            self.abort()
            return
        self.send(frames.HEARTBEAT_FRAME)
        self._timer = self._loop.call_later(self._beat_s / 2, self._look)


async def connect(address: Address, *, lost: Callable[[], None]) -> Connection:
    """Connect to one of the hosts. Raises: Unavailable; ValueError where we are not let in."""
    tls = ssl.create_default_context() if address.tls else None
    loop, hosts = asyncio.get_running_loop(), list(address.hosts)
    SystemRandom().shuffle(hosts)
    for host, port in hosts:
        connection = Connection(address, lost)
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S / len(hosts)):
                await loop.create_connection(lambda made=connection: made, host, port, ssl=tls)
                await connection.opened()
        except (OSError, TimeoutError, Unavailable):
            connection.abort()
            continue
        except BaseException:
            connection.abort()
            raise
        return connection
    names = ", ".join(f"{host}:{port}" for host, port in address.hosts)
    raise Unavailable(f"RabbitMQ does not answer at {names}")


def _host(text: str, port: int) -> tuple[str, int]:
    host, colon, given = text.rpartition(":")
    if colon and given.isdecimal():
        return host.strip("[]"), int(given)
    if not text or (colon and "]" not in text):
        raise ValueError("An address of RabbitMQ looks like amqp://user:password@host:5672/vhost")
    return text.strip("[]"), port
