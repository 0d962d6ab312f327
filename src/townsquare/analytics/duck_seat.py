"""Who has the file of facts open: whoever holds its lock; the others ask that one over a socket beside the file.

Servers start a process of its own for it, which ends when it has nothing to do: so no request and no task waits for a
question, and 60 MB of DuckDB are there only while somebody asks. When the owner dies, the lock is free at once, and who
needs the file next sees to the next one; calls that got no answer are made again, which all of them allow.

Box: analytics.
"""

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from townsquare.analytics.duck_owner import Owner
from townsquare.analytics.duck_wire import Call, Link, LinkLost, Served
from townsquare.kit.file_locks import lock_byte
from townsquare.model.errors import Unavailable

# takes: has the file itself, from the first call on, where nobody has it. starts: starts a process that has it.
Manner = Literal["takes", "starts"]

IDLE_S = 30.0
_START_EVERY_S = 5.0  # where one that was started does not answer
_ALONE_S = 1.0
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
        self._lock_file = self._folder = self._started = -1
        self._start_after = 0.0
        self._reaching = asyncio.Lock()
        self._left = asyncio.Event()
        self._closed = False

    def open(self) -> None:
        """Make the folder. DuckDB itself waits for the first call.

        Raises: OSError.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)

    async def serve(self, lock_file: int) -> None:
        """Have the file, whose lock came with the open `lock_file`, until nobody asks any more."""
        self._lock_file = lock_file
        await self._take()
        while self._owner is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ALONE_S):
                    await self._left.wait()
            if not self._served:
                await self._leave()

    def stop(self) -> None:
        """Serve no more, once what was asked is answered."""
        if self._owner is not None:
            self._leaving = asyncio.get_running_loop().create_task(self._leave())

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
        while not self._closed:
            with contextlib.suppress(LinkLost):
                if (found := await self._reach()) is not None:
                    return await (found.answer(call) if isinstance(found, Owner) else found.ask(call))
            await asyncio.sleep(_AGAIN_S)
        raise Unavailable("The facts were closed")

    async def _reach(self) -> Owner | Link | None:
        async with self._reaching:
            if self._owner is not None:
                return self._owner
            if self._link is None or self._link.lost:
                self._link = await self._connected()
            if self._link is None:
                if self._manner == "takes":
                    await self._take()
                else:
                    self._start()
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
        self._start_after = 0.0
        return link

    async def _take(self) -> None:
        """Be the owner, where there is none."""
        if self._leaving is not None and not self._leaving.done():
            return
        if not self._locked():
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

    def _locked(self) -> bool:
        if self._lock_file < 0:
            self._lock_file = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if lock_byte(self._lock_file, 0):
            return True
        self._unlock()
        return False

    def _start(self) -> None:
        """Start a process that has the file, where there is none. It is given the lock, so there is never a second."""
        self._reap()
        now = asyncio.get_running_loop().time()
        if now < self._start_after or not self._locked():
            return
        self._start_after = now + _START_EVERY_S
        self._socket_path.unlink(missing_ok=True)
        # Where processes, not open files, have locks, the lock is free when ours is let go, and that one takes it.
        command = [sys.executable, "-m", "townsquare.analytics.duck_process", os.fspath(self._path), str(self._idle_s)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        given = [(os.POSIX_SPAWN_DUP2, self._lock_file, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        try:
            self._started = os.posix_spawn(sys.executable, command, environment, file_actions=given, setpgroup=0)
        finally:
            self._unlock()

    def _reap(self) -> None:
        """Let the system forget the process that was started, if it has ended."""
        if self._started > 0:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self._started, os.WNOHANG) == (0, 0):
                    return
            self._started = -1

    def _rested(self) -> None:
        """The owner has nothing to do, and gives its place to anybody."""
        self.stop()

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
        self._left.set()

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
        if self._leaving is not None:
            await self._leaving
        await self._leave()
        if self._link is not None:
            self._link.end()
        self._reap()
        if self._lock_file >= 0:
            self._unlock()
        if self._folder >= 0:
            os.close(self._folder)


def read(answer: Any, kind: Any) -> Any:
    """An answer of `Seat.call` as what it is."""
    return msgspec.msgpack.decode(answer, type=kind) if isinstance(answer, msgspec.Raw) else answer
