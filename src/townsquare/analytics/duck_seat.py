"""Who has the file of facts open: whoever holds its lock; the others ask that one over a socket beside the file.

When the owner dies, the lock is free at once, and who needs it next takes its place; calls that got no answer are made
again, which all of them allow.

Box: analytics.
"""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any, Literal

import msgspec

from townsquare.analytics.duck_owner import Owner
from townsquare.analytics.duck_wire import Call, Link, LinkLost, Served
from townsquare.kit.file_locks import lock_byte
from townsquare.model.errors import Unavailable

# serves: has the file whenever nobody else has. takes: from the first call on, until it rests. asks: only where nobody
# answered for a while, because its own work must not wait for questions.
Manner = Literal["serves", "takes", "asks"]

IDLE_S = 300.0
_LOOK_EVERY_S = 1.0
_PATIENCE_S = 3.0
_AGAIN_S = 0.05
_BACKLOG = 128
_LONGEST_PATH = 100  # bytes; the system's limit for the address of a Unix socket is 107


class Seat:
    """This process's way to the facts."""

    def __init__(self, path: Path, *, manner: Manner, idle_s: float = IDLE_S) -> None:
        self._path, self._manner, self._idle_s = path, manner, idle_s
        self._socket_path, self._lock_path = (path.with_name(f"{path.name}.{end}") for end in ("sock", "lock"))
        self._owner: Owner | None = None
        self._server: asyncio.Server | None = None
        self._link: Link | None = None
        self._served = set[Served]()
        self._leaving: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lock_file = self._folder = -1
        self._reaching = asyncio.Lock()
        self._closed = False

    async def open(self) -> None:
        """Be there for others, where that is our manner. DuckDB itself waits for the first call."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        if self._manner == "serves":
            await self._take()
            self._look_later()

    @property
    def owns(self) -> bool:
        """Whether this process has the file."""
        return self._owner is not None

    @property
    def begun(self) -> bool:
        """Whether there is a file, or somebody who would make it."""
        return self._path.exists() or self._socket_path.exists()

    async def call(self, call: Call, *, within_s: float) -> Any:
        """The answer: itself, or in msgpack where it came over the socket.

        Raises: Unavailable, Invalid.
        """
        try:
            async with asyncio.timeout(within_s):
                return await self._until_answered(call)
        except TimeoutError as exc:
            raise Unavailable("The facts do not answer just now") from exc
        except OSError as exc:
            raise Unavailable("The facts cannot be reached") from exc

    async def _until_answered(self, call: Call) -> Any:
        begun = asyncio.get_running_loop().time()
        while not self._closed:
            with contextlib.suppress(LinkLost):
                if (found := await self._reach(begun)) is not None:
                    return await (found.answer(call) if isinstance(found, Owner) else found.ask(call))
            await asyncio.sleep(_AGAIN_S)
        raise Unavailable("The facts were closed")

    async def _reach(self, begun: float) -> Owner | Link | None:
        async with self._reaching:
            if self._owner is not None:
                return self._owner
            if self._link is None or self._link.lost:
                self._link = await self._connected()
            if self._link is None:
                patience_s = _PATIENCE_S if self._manner == "asks" else 0.0
                if asyncio.get_running_loop().time() - begun >= patience_s:
                    await self._take()
            return self._owner or self._link

    async def _connected(self) -> Link | None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(self._address())
            _, link = await asyncio.get_running_loop().create_unix_connection(Link, sock=sock)
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            sock.close()
            return None
        except BaseException:
            sock.close()
            raise
        return link

    async def _take(self) -> None:
        """Be the owner, where there is none."""
        if self._leaving is not None and not self._leaving.done():
            return
        if self._lock_file < 0:
            self._lock_file = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not lock_byte(self._lock_file, 0):
            return
        owner = Owner(self._path, idle_s=self._idle_s, rested=self._rested)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            self._socket_path.unlink(missing_ok=True)  # of one who died: the lock was free
            sock.bind(self._address())
            self._socket_path.chmod(0o600)
            sock.listen(_BACKLOG)
            make = lambda: Served(owner.answer, self._served)  # noqa: E731
            self._server = await asyncio.get_running_loop().create_unix_server(make, sock=sock)
        except BaseException:
            sock.close()
            self._unlock()
            raise
        self._owner = owner

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Whether the owner is gone, from time to time: one who serves does not wait until it needs the file."""
        if self._closed:
            return
        if self._owner is None and (self._leaving is None or self._leaving.done()):
            self._leaving = asyncio.get_running_loop().create_task(self._take_once())
        self._look_later()

    async def _take_once(self) -> None:
        with contextlib.suppress(OSError):
            async with self._reaching:
                if self._owner is None:
                    await self._take()

    def _rested(self) -> None:
        """The owner has nothing to do. Who does not serve gives its place to anybody."""
        if self._manner != "serves" and self._owner is not None:
            self._leaving = asyncio.get_running_loop().create_task(self._leave())

    async def _leave(self) -> None:
        """Answer what was asked, then be the owner no more."""
        owner, server = self._owner, self._server
        self._owner = self._server = None
        if owner is None:
            return
        if server is not None:
            server.close()
        tasks = [task for served in self._served for task in served.tasks]
        await owner.close()
        if tasks:
            await asyncio.wait(tasks)
        for served in list(self._served):
            served.end()
        self._unlock()

    def _unlock(self) -> None:
        os.close(self._lock_file)
        self._lock_file = -1

    def _address(self) -> str:
        path = os.fspath(self._socket_path)
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            return path
        return f"/proc/self/fd/{self._folder}/{self._socket_path.name}"

    async def close(self) -> None:
        """Let go of everything."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._leaving is not None:
            await self._leaving
        await self._leave()
        if self._link is not None:
            self._link.end()
        if self._lock_file >= 0:
            self._unlock()
        if self._folder >= 0:
            os.close(self._folder)


def read(answer: Any, kind: Any) -> Any:
    """An answer of `Seat.call` as what it is."""
    return msgspec.msgpack.decode(answer, type=kind) if isinstance(answer, msgspec.Raw) else answer
