"""The mailer's promise: a message handed over for delivery.

Box: mail. Engines: memory, log. Suite: tests/contract/mail.
"""

from typing import Protocol

import msgspec


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `to` and `subject` hold no control characters (checked by the engine: `ValueError`)."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Sends mail. Raises `Unavailable`; a repeat may send twice, so callers claim before they send."""

    async def send(self, mail: Mail) -> None:
        """Hand the message over."""

    async def close(self) -> None:
        """Let go of connections."""
