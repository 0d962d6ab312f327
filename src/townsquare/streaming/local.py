"""The bus between the processes of one machine: a mesh of Unix sockets in a folder.

Each process listens at `<folder>/<pid>-<random>.sock`, opens a link to every other socket there, and is linked back by
whoever hears its greeting. So a newcomer is in the mesh both ways when its `start` returns, without waiting for
anybody's next look at the folder.

Box: streaming.
"""

import asyncio
import contextlib
import os
import re
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

from townsquare.streaming.frames import Frame, pack
from townsquare.streaming.links import Incoming, Outgoing
from townsquare.streaming.port import Listener
from townsquare.streaming.topics import Topics, checked_topic

_LOOK_EVERY_S = 0.5
_GREETINGS_WITHIN_S = 1.0  # how long `start` waits for peers that are busy or stopped
_FLUSH_AT_BYTES = 512 * 1024
_BACKLOG = 1024
_LONGEST_PATH = 100  # bytes; the system's limit for the address of a Unix socket is 107
_OLD_S = 60
_NAME = re.compile(r"[0-9]+-[0-9a-f]+")
_SUFFIX = ".sock"


class LocalStreaming:
    """Streaming over Unix sockets. Dead sockets of killed processes are removed by whoever finds them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._topics = folder, Topics()
        self._name = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._outgoing: dict[str, Outgoing] = {}
        self._incoming: set[Incoming] = set()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._awaited: set[str] = set()  # peers linked by `start` that have not yet linked back
        self._complete = asyncio.Event()
        self._started = self._closed = False
        self._folder_fd = -1
        self._seen_mtime_ns = -1
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        self._sweep()
        await self._listen()
        self._look()
        self._awaited = set(self._outgoing) - {link.name for link in self._incoming}
        if self._awaited:
            self._complete.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GREETINGS_WITHIN_S):
                    await self._complete.wait()
        self._started = True
        self._look_again()

    def listen(self, topic: str, listener: Listener) -> None:
        self._topics.listen(topic, listener)

    def on_gap(self, listener: Callable[[], None]) -> None:
        self._topics.on_gap(listener)

    def hears(self) -> bool:
        return True

    def publish(self, topic: str, payload: bytes) -> None:
        name = checked_topic(topic, payload)
        if self._outgoing and self._loop is not None:
            if not self._unsent:
                self._loop.call_soon(self._flush)
            self._unsent.append(pack(Frame.MESSAGE, name, payload))
            self._unsent_bytes += len(payload)
            if self._unsent_bytes > _FLUSH_AT_BYTES:
                self._flush()
        self._topics.tell(topic, payload)

    async def close(self) -> None:
        if self._closed:
            return
        self._flush()
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        with contextlib.suppress(FileNotFoundError):
            (self._folder / (self._name + _SUFFIX)).unlink()
        for link in list(self._outgoing.values()):
            link.close()
        self._outgoing.clear()
        for incoming in list(self._incoming):
            incoming.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._folder_fd >= 0:
            os.close(self._folder_fd)

    # What incoming links tell.

    def greeted(self, link: Incoming, *, missed: bool) -> None:
        """A peer linked to us: link back, and own up to a gap where it may have published before."""
        if self._closed or not _NAME.fullmatch(link.name):
            link.abort()
            return
        if link.name not in self._outgoing:
            self._connect(link.name)
        self._awaited_no_more(link.name)
        if missed and self._started:
            self._topics.tell_gap()

    def heard(self, topic: str, payload: bytes) -> None:
        """A message of a peer."""
        if not self._closed:
            self._topics.tell(topic, payload)

    def ended(self, link: Incoming) -> None:
        """A peer's link is gone: a gap, unless it said that all was sent."""
        self._incoming.discard(link)
        if link.name and not link.said_bye and self._started and not self._closed:
            self._topics.tell_gap()

    # The mesh.

    async def _listen(self) -> None:
        """Listen under a passing name first: a socket that is seen before it listens would be taken for a dead one."""
        passing = f"{self._name}.new"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.bind(self._address(passing))
            (self._folder / passing).chmod(0o600)
            sock.listen(_BACKLOG)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(self._accepted, sock=sock, backlog=_BACKLOG)
        except BaseException:
            sock.close()
            raise
        (self._folder / passing).rename(self._folder / (self._name + _SUFFIX))

    def _accepted(self) -> Incoming:
        link = Incoming(self)
        self._incoming.add(link)
        return link

    def _look_again(self) -> None:
        """Look at the folder from time to time, for what greetings do not repair: links that broke."""
        if self._closed or self._loop is None:
            return
        self._look()
        self._timer = self._loop.call_later(_LOOK_EVERY_S, self._look_again)

    def _look(self) -> None:
        try:
            mtime_ns = self._folder.stat().st_mtime_ns
            if mtime_ns == self._seen_mtime_ns:
                return
            names = [name.removesuffix(_SUFFIX) for name in os.listdir(self._folder) if name.endswith(_SUFFIX)]
        except FileNotFoundError:
            return
        missing = [n for n in names if n != self._name and n not in self._outgoing and _NAME.fullmatch(n)]
        linked = [self._connect(name) for name in missing]
        # A link that failed is tried at each look, changed folder or not.
        self._seen_mtime_ns = mtime_ns if all(linked) else -1

    def _connect(self, name: str) -> bool:
        """Open a link to a peer. False: to be tried again."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(self._address(name + _SUFFIX))
        except ConnectionRefusedError:
            sock.close()
            (self._folder / (name + _SUFFIX)).unlink(missing_ok=True)
            return True
        except FileNotFoundError:
            sock.close()
            return True
        except OSError:
            sock.close()
            return False
        link = Outgoing(sock, lambda lost: self._lost(name, lost))
        self._outgoing[name] = link
        link.send(pack(Frame.HELLO, self._name.encode(), b"1" if self._started else b"0"))
        return name in self._outgoing

    def _lost(self, name: str, link: Outgoing) -> None:
        if self._outgoing.get(name) is link:
            del self._outgoing[name]
        self._seen_mtime_ns = -1
        self._awaited_no_more(name)

    def _awaited_no_more(self, name: str) -> None:
        self._awaited.discard(name)
        if not self._awaited:
            self._complete.set()

    def _flush(self) -> None:
        """Send what was published in this turn of the loop, as one write a peer."""
        if not self._unsent:
            return
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        for link in list(self._outgoing.values()):
            link.send(data)

    def _address(self, name: str) -> str:
        path = str(self._folder / name)
        return path if len(os.fsencode(path)) <= _LONGEST_PATH else f"/proc/self/fd/{self._folder_fd}/{name}"

    def _sweep(self) -> None:
        """Remove passing names whose owner died between making and renaming them."""
        for path in self._folder.glob("*.new"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - _OLD_S:
                    path.unlink()
