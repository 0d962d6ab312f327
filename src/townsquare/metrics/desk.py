"""The desk where a process can be asked how it is: `/metrics`, `/health/live` and `/health/ready` on an address of the
operator's own.

All processes of a machine listen there, and the kernel sends who asks to any of them. That one reads the others over
their sockets, so one answer tells of all: a process that lives and does not answer is shown as such.

Box: metrics. Source: Prometheus text format, version 0.0.4
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from townsquare.metrics.exposition import CONTENT_TYPE, Page, Reading, render
from townsquare.metrics.slots import Slots
from townsquare.model.errors import CannotStart

_OTHERS_WITHIN_S = 2.0
_ASKED_WITHIN_S = 5.0
_MOST_HEAD_BYTES = 8192
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Page)
_TEXT = "text/plain; charset=utf-8"
_WORDS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Sources(msgspec.Struct, frozen=True):
    """What is read. `shared` is what all processes share, `ready` says whether this process should get work,
    with the words for it."""

    own: Sequence[Callable[[], list[Reading]]]
    shared: Callable[[], Awaitable[list[Reading]]]
    ready: Callable[[], Awaitable[tuple[bool, bytes]]]


class Desk:
    """One process's place at the desk."""

    def __init__(self, role: str, folder: Path, sources: Sources) -> None:
        """`folder`: of the sockets, the same for all processes that are told of together."""
        self._role, self._sources = role, sources
        self._slots = Slots(folder)
        self._name = self._slots.take(role)
        self._servers: list[asyncio.Server] = []

    async def open(self, address: str) -> None:
        """Listen at the address, HOST:PORT.

        Raises: CannotStart where it cannot be had.
        """
        self._servers.append(await asyncio.start_unix_server(self._tell_other, sock=self._slots.listen()))
        self._servers.append(await asyncio.start_server(self._answer, sock=bound(address, shared=True)))

    async def close(self) -> None:
        """Answer no more."""
        for server in self._servers:
            server.close()
        self._slots.close()

    def page(self) -> Page:
        """What there is to say of this process."""
        return Page(self._role, self._name, [reading for read in self._sources.own for reading in read()])

    async def text(self) -> bytes:
        """What there is to say of all."""
        others = await asyncio.gather(*(self._ask(name) for name in self._slots.others()))
        pages = [self.page(), *(page for page in others if page is not None)]
        return render([*pages, await self._shared()])

    async def _shared(self) -> Page:
        try:
            async with asyncio.timeout(_OTHERS_WITHIN_S):
                return Page("", "", await self._sources.shared())
        except TimeoutError:
            return Page("", "", [Reading("townsquare_queue_up", (), 0)])

    async def _ask(self, name: str) -> Page | None:
        """What another process says of itself; None where it is no more."""
        try:
            async with asyncio.timeout(_OTHERS_WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(self._slots.address(name))
                try:
                    return _DECODER.decode(await reader.read(-1))
                finally:
                    writer.close()
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except (TimeoutError, OSError, msgspec.DecodeError):
            return Page(name.rpartition("-")[0], name, [Reading("townsquare_process_up", (), 0)])

    async def _tell_other(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(_ENCODER.encode(self.page()))
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        with suppress(OSError, TimeoutError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_ASKED_WITHIN_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = await self._answer_to(*head[:_MOST_HEAD_BYTES].split(b" ", 2)[:2])
                writer.write(
                    f"HTTP/1.1 {status} {_WORDS[status]}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
                    "cache-control: no-store\r\nconnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    async def _answer_to(self, method: bytes, target: bytes = b"") -> tuple[int, str, bytes]:
        path = target.partition(b"?")[0]
        if method != b"GET":
            return 405, _TEXT, b"Only GET\n"
        if path == b"/metrics":
            return 200, CONTENT_TYPE, await self.text()
        if path == b"/health/live":
            return 200, _TEXT, b"OK\n"
        if path == b"/health/ready":
            return await self._readiness()
        return 404, _TEXT, b"/metrics, /health/live and /health/ready are here\n"

    async def _readiness(self) -> tuple[int, str, bytes]:
        ready, words = await self._sources.ready()
        return 200 if ready else 503, "application/json", words


def bound(address: str, *, shared: bool) -> socket.socket:
    """A socket that listens at HOST:PORT; where `shared`, others of this machine may listen there too.

    Raises: CannotStart where it cannot be had.
    """
    host, _, port = address.rpartition(":")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host.strip("[]"), int(port)))
        sock.listen()
    except (OSError, ValueError, OverflowError) as exc:
        sock.close()
        why = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else "not HOST:PORT"
        raise CannotStart(f"The setting metrics cannot be {address!r}: {why}.") from exc
    sock.setblocking(False)
    return sock
