"""A Lua script that runs within Redis, sent whole only where Redis does not have it.

Box: wire. Source: Redis, /docs/latest/develop/interact/programmability/eval-intro
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import hiredis

from townsquare.model.errors import Unavailable
from townsquare.wire.link import Argument, Link


class Script:
    """A script by its hash."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._hash = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, link: Link, *calls: tuple[Sequence[Argument], Sequence[Argument]]) -> list[Any]:
        """Run it with each pair of keys and arguments, in one round trip; the answers.

        Raises: Unavailable.
        """
        answers = await link.ask(*[self.command(keys, arguments) for keys, arguments in calls])
        if any(_unknown(answer) for answer in answers):
            # A Redis that has just started, or was told to forget. A call that did run runs twice: all may.
            answers = (await link.ask(["SCRIPT", "LOAD", self._text], *[self.command(k, a) for k, a in calls]))[1:]
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError):
                raise Unavailable("Redis cannot do that just now") from answer
        return answers

    def tell(self, link: Link, keys: Sequence[Argument], arguments: Sequence[Argument]) -> None:
        """Run it once without waiting for it; whether it succeeds is not heard."""

        def again(answer: "asyncio.Future[list[Any]]") -> None:
            if not answer.cancelled() and answer.exception() is None and _unknown(answer.result()[0]):
                link.ask(["SCRIPT", "LOAD", self._text], self.command(keys, arguments))

        link.ask(self.command(keys, arguments)).add_done_callback(again)

    def command(self, keys: Sequence[Argument], arguments: Sequence[Argument]) -> list[Argument]:
        """One call as a command."""
        return ["EVALSHA", self._hash, len(keys), *keys, *arguments]


def _unknown(answer: Any) -> bool:
    return isinstance(answer, hiredis.ReplyError) and str(answer).startswith("NOSCRIPT")
