"""A mailer that writes messages to a folder, for servers that have no mail: the operator hands links on.

Box: mail.
"""

import asyncio
import logging
import secrets
import time
from pathlib import Path

from townsquare.mail.message import checked, message_bytes
from townsquare.mail.port import Mail
from townsquare.model.errors import Unavailable

_SENDER = "Townsquare <noreply@localhost>"
log = logging.getLogger(__name__)


class LogMailer:
    """Mailer into `.eml` files, readable by their owner alone. The log says which file, never what is in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: Mail) -> None:
        now_ms = time.time_ns() // 1_000_000
        data = message_bytes(checked(mail), sender=_SENDER, now_ms=now_ms)
        path = self._folder / f"{now_ms}-{secrets.token_hex(4)}.eml"
        try:
            await asyncio.to_thread(_write, path, data)
        except OSError as exc:
            raise Unavailable("Mail cannot be sent just now") from exc
        log.info("A mail is in %s", path)

    async def close(self) -> None:
        """Nothing to let go of."""


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    passing = path.with_suffix(".passing")
    passing.touch(mode=0o600, exist_ok=False)
    passing.write_bytes(data)
    passing.rename(path)
