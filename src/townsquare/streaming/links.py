"""One-way links between two processes: each sends over the links it opened and hears over those it accepted.

Box: streaming.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from townsquare.streaming.frames import BadFrame, Frame, Parser, pack

MAX_UNSENT_BYTES = 4 * 1024 * 1024


class Outgoing:
    """A connected socket that is only written to. Never waits: what the peer does not take yet is kept here."""

    def __init__(self, sock: socket.socket, lost: Callable[["Outgoing"], None]) -> None:
        """`lost` is called once, when the peer went or did not read for too long; never after `close`."""
        self._sock, self._lost, self._unsent, self._open = sock, lost, bytearray(), True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._hear)

    def send(self, data: bytes) -> None:
        """Send, or keep what cannot be sent yet; give the peer up at `MAX_UNSENT_BYTES`."""
        if not self._open:
            return
        if not self._unsent:
            sent = self._try(data)
            if sent == len(data) or not self._open:
                return
            data = data[sent:]
            self._loop.add_writer(self._sock, self._write)
        self._unsent += data
        if len(self._unsent) > MAX_UNSENT_BYTES:
            self._give_up()

    def close(self) -> None:
        """End the link; a peer that was sent everything hears that it is no gap."""
        if self._open and not self._unsent:
            self._try(pack(Frame.BYE))
        self._shut()

    def _try(self, data: bytes | bytearray) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._give_up()
            return 0

    def _write(self) -> None:
        sent = self._try(self._unsent)
        if self._open:
            del self._unsent[:sent]
            if not self._unsent:
                self._loop.remove_writer(self._sock)

    def _hear(self) -> None:
        """The peer sends nothing on this link: something to read is its end."""
        try:
            self._sock.recv(1)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._give_up()

    def _give_up(self) -> None:
        if self._open:
            self._shut()
            self._lost(self)

    def _shut(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
            self._unsent.clear()


class Bus(Protocol):
    """What an incoming link tells."""

    def greeted(self, link: "Incoming", *, missed: bool) -> None:
        """The peer said its name; `missed`: it may have published before this link stood."""

    def heard(self, topic: str, payload: bytes) -> None:
        """A message came."""

    def ended(self, link: "Incoming") -> None:
        """The link is gone."""


class Incoming(asyncio.Protocol):
    """An accepted connection that is only read."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self._parser = bus, Parser()
        self._transport: asyncio.BaseTransport | None = None
        self.name = ""  # the peer's, once it greeted
        self.said_bye = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for kind, topic, payload in self._parser.feed(data):
                self._take(kind, topic, payload)
        except BadFrame:
            self.abort()

    def _take(self, kind: int, topic: str, payload: bytes) -> None:
        if kind == Frame.MESSAGE and self.name:
            self._bus.heard(topic, payload)
        elif kind == Frame.HELLO and not self.name:
            self.name = topic
            self._bus.greeted(self, missed=payload == b"1")
        elif kind == Frame.BYE:
            self.said_bye = True
        else:
            raise BadFrame(f"a frame of kind {kind}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._bus.ended(self)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.close()
