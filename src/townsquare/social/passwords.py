"""Passwords as Argon2id hashes, made and checked in threads, a few at a time.

Box: social. Source: RFC 9106, section 4, the second recommended option (64 MiB).
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from townsquare.model.errors import Unavailable

T = TypeVar("T")

AT_ONCE = 2  # hashes in work in one process: 128 MiB at most
MAX_WAITING = 200  # log-ins that wait for their turn; more are refused at once

# Checked where there is no user, so that the answer takes as long. The hash of 256 random bits that nobody kept.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$JTbaMvyHRKQhL2+cv0guxg$R8EJNEY//3uor7yCJkl2nwXsUWJar3GwsQMGY2tl2SU"


class Passwords:
    """Makes and checks hashes for one process."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    @property
    def in_hand(self) -> int:
        """How many hashes are in work or wait for their turn."""
        return self._waiting

    async def hash(self, password: str) -> str:
        """The hash to keep of a password.

        Raises: Unavailable where too many wait.
        """
        return await self._run(lambda: self._hasher.hash(password.encode("utf-8", "surrogatepass")))

    async def is_right(self, password_hash: str, password: str) -> bool:
        """Whether the password is the one behind the hash.

        Raises: Unavailable where too many wait.
        """
        return await self._run(lambda: self._verify(password_hash, password))

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many people are logging in just now")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
