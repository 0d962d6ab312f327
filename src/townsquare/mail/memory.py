"""A mailer that keeps what it is given: for tests and trials.

Box: mail.
"""

from townsquare.mail.message import checked
from townsquare.mail.port import Mail


class MemoryMailer:
    """Mailer into a list."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.sent.append(checked(mail))

    async def close(self) -> None:
        """Nothing to let go of."""
