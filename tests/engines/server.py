"""What a server is to this program: how it is had, how it is started, how it shows that it answers."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.engines.places import Places

_ANSWER_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Command:
    """A program in the foreground, with what it needs in its environment."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)


class Server(Protocol):
    """One server of one name. `install` twice costs nothing."""

    name: str
    starts_within_s: float
    stops_within_s: float

    def missing(self, where: Places) -> str | None:
        """What has to be installed yet, in words; None where all is there."""

    def install(self, where: Places) -> None:
        """Have what it needs. Raises: InstallError."""

    def url(self, where: Places) -> str:
        """The setting's value that leads to it."""

    def command(self, where: Places, folder: Path) -> Command:
        """Write its settings into `folder` and say how to start it."""

    def answers(self, where: Places) -> bool:
        """Whether it answers a request now. Raises: OSError where it does not even listen."""


class InstallError(Exception):
    """A server cannot be had; the message says why and what to do."""


def ask(address: tuple[str, int], request: bytes, *, enough: int) -> bytes:
    """Send a request and read at least `enough` bytes, or less where the connection ends.

    Raises: OSError.
    """
    with socket.create_connection(address, _ANSWER_WITHIN_S) as connection:
        connection.settimeout(_ANSWER_WITHIN_S)
        connection.sendall(request)
        answer = b""
        while len(answer) < enough and (part := connection.recv(4096)):
            answer += part
        return answer
