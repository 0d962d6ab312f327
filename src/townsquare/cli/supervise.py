"""All roles in one supervised set: forked from one process that has imported everything, so a new one costs little.

Box: cli. The parent listens and holds the port: when a web process dies, its connections' successors wait in the queue
of the socket for another one.
"""

import ctypes
import gc
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from townsquare.model.errors import CannotStart

log = logging.getLogger(__name__)

_HEALTHY_S = 10.0  # who lives longer is started again at once
_LONGEST_PAUSE_S = 5.0
_KILL_AFTER_DRAIN_S = 5.0
_CANNOT_START = 2  # exit code
_PATIENCE = 4  # quick deaths before there are pauses
_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@dataclass(slots=True)
class Role:
    """One process to keep alive. `run` is called in the child, with the number of a pipe to write a byte to when it is
    ready; its return ends the child."""

    name: str
    run: Callable[[int], None]
    pid: int = 0
    started_s: float = 0.0
    quick_deaths: int = 0
    start_at_s: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Starts roles, starts again what dies, ends them together."""

    roles: list[Role]
    drain_s: float
    on_ready: Callable[[], None]
    on_stop: Callable[[], None]  # before the roles are told
    _stopping: bool = False
    _ready: int = 0
    _failed: bool = False  # a role that could not end well
    _pipe: tuple[int, int] = field(default_factory=lambda: (-1, -1))

    def run(self) -> int:
        """Until SIGTERM or SIGINT; 0 when all ended well and in time."""
        self._pipe = os.pipe()
        wake_r, wake_w = os.pipe()
        os.set_blocking(wake_w, False)
        signal.set_wakeup_fd(wake_w)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.collect()
        gc.freeze()
        for role in self.roles:
            self._start(role)
        while not self._stopping:
            pause = min([role.start_at_s - time.monotonic() for role in self.roles if not role.pid], default=60.0)
            readable, _, _ = select.select([wake_r, self._pipe[0]], [], [], max(0.0, pause))
            if wake_r in readable:
                os.read(wake_r, 4096)
            if self._pipe[0] in readable:
                self._count_ready(len(os.read(self._pipe[0], 4096)))
            self._reap()
            for role in self.roles:
                if not role.pid and role.start_at_s <= time.monotonic() and not self._stopping:
                    self._start(role)
        return self._end()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _count_ready(self, n: int) -> None:
        before, self._ready = self._ready, self._ready + n
        if before < len(self.roles) <= self._ready:
            self.on_ready()

    def _start(self, role: Role) -> None:
        role.started_s = time.monotonic()
        parent = os.getpid()
        # A signal that comes between the fork and the child's own handlers waits for these.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid:
            role.pid = pid
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        else:
            self._live(role, parent)

    def _live(self, role: Role, parent: int) -> NoReturn:
        """The whole life of a child."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            _die_with(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            role.run(self._pipe[1])
            code = 0
        except KeyboardInterrupt:
            code = 0
        except CannotStart as exc:
            code = _CANNOT_START
            log.error("%s cannot start: %s", role.name, exc)
        except BaseException:
            log.exception("%s ended by a fault", role.name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        for role in self.roles:
            pid, status = os.waitpid(role.pid, os.WNOHANG) if role.pid else (0, 0)
            if pid:
                role.pid = 0
                if self._stopping:
                    self._failed |= os.waitstatus_to_exitcode(status) not in (0, -signal.SIGTERM, -signal.SIGINT)
                else:
                    self._plan_restart(role, _ended_by(status))

    def _plan_restart(self, role: Role, how: str) -> None:
        lived_s = time.monotonic() - role.started_s
        role.quick_deaths = 0 if lived_s > _HEALTHY_S else role.quick_deaths + 1
        if role.quick_deaths < _PATIENCE:
            pause_s = 0.0
            log.warning("%s ended after %.1f s (%s) and is started again", role.name, lived_s, how)
        else:
            pause_s = min(_LONGEST_PAUSE_S, 0.05 * 2 ** (role.quick_deaths - _PATIENCE))
            log.error(
                "%s does not stay alive: %d times in a row, now after %.1f s (%s); next try in %.1f s",
                role.name, role.quick_deaths, lived_s, how, pause_s,
            )  # fmt: skip
        role.start_at_s = time.monotonic() + pause_s

    def _end(self) -> int:
        log.info("stopping; what has begun is finished within %.0f s", self.drain_s)
        self.on_stop()
        for role in self.roles:
            if role.pid:
                os.kill(role.pid, signal.SIGTERM)
        deadline = time.monotonic() + self.drain_s + _KILL_AFTER_DRAIN_S
        while any(role.pid for role in self.roles) and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        late = [role for role in self.roles if role.pid]
        for role in late:
            log.error("%s did not end in time and is killed", role.name)
            os.kill(role.pid, signal.SIGKILL)
            os.waitpid(role.pid, 0)
        return 1 if late or self._failed else 0


def _ended_by(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _die_with(parent: int) -> None:
    """Ask Linux to end this process when the supervisor is killed, so that none is left behind to hold the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)
