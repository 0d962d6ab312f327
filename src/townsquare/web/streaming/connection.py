"""One client's open connection: what waits to be sent to it, within bounds.

Box: web.
"""

import asyncio
from collections import deque
from typing import Any, Protocol

from townsquare.social.sessions import Session
from townsquare.web.streaming.channels import Subscription
from townsquare.web.streaming.envelopes import Envelope, Label

MAX_WAITING_BYTES = 256 * 1024
MAX_WAITING_EVENTS = 1_000
MAX_SUBSCRIPTIONS = 50

POLICY = 1008
RESTART = 1012


class Connection(Protocol):
    """What the hub knows of a connection, whatever it speaks."""

    account_id: int
    token_hash: bytes
    scopes: tuple[str, ...]
    checked_at: float  # when its token was last looked at, in the loop's time
    subscriptions: dict[Label, Subscription]

    def push(self, envelope: Envelope, label: Label) -> None:
        """Send an event, or keep it until the client takes it; one that is too slow is closed. Never waits."""

    def close(self, code: int) -> None:
        """Ask the client to go; the code says why. Never waits."""

    def stalled_s(self, now: float) -> float:
        """How long the client has not taken what is being sent, seconds."""

    def abort(self) -> None:
        """Cut the connection."""


class Waiting:
    """Messages for a client, in order, as many as the bounds allow."""

    __slots__ = ("_messages", "_size")

    def __init__(self) -> None:
        self._messages: deque[Any] = deque()
        self._size = 0

    def add(self, message: str | bytes) -> bool:
        """Keep a message; False where it is one too many."""
        self._messages.append(message)
        self._size += len(message)
        return self._size <= MAX_WAITING_BYTES and len(self._messages) <= MAX_WAITING_EVENTS

    def take(self) -> Any:
        """The oldest message, None if there is none."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._size -= len(message)
        return message

    def clear(self) -> None:
        """Forget all."""
        self._messages.clear()
        self._size = 0

    def __len__(self) -> int:
        return len(self._messages)


class Caller:
    """Whose connection it is."""

    __slots__ = ("account_id", "checked_at", "scopes", "subscriptions", "token_hash")

    def __init__(self, session: Session) -> None:
        self.account_id = session.account.account_id if session.account else 0
        self.token_hash = session.token.token_hash
        self.scopes = session.token.scopes
        self.checked_at = asyncio.get_running_loop().time()
        self.subscriptions: dict[Label, Subscription] = {}
