"""The analytics' promise: facts are added once, and questions about them are answered by sums.

A question is data. Each engine puts it into its own language; what the dashboards ask is written once over this port.

Box: analytics. Engines: memory, duckdb, elasticsearch, questdb. Suite: tests/contract/analytics.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from townsquare.model.facts import Fact

Field = Literal["kind", "actor", "author", "object", "visibility", "app", "language", "label", "cohort", "band"]
Measure = Literal["value", "amount", "least", "greatest"]
MOST_ROWS = 100_000


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A number, over time and by fields.

    `measure`: "value" is the sum of values; "amount" the sum of amounts, each times its value; "least" and "greatest"
    the least and greatest amount of facts with a value above 0, where no group without such a fact has a row.
    """

    kinds: tuple[str, ...]
    since_ms: int  # from here
    until_ms: int  # up to here, which is not part of it
    measure: Measure = "value"
    step_s: int = 0  # width of the buckets of time; 0: one for all
    offset_s: int = 0  # buckets begin this long after a multiple of the width since 1970: where days begin elsewhere
    by: tuple[Field, ...] = ()  # at most two
    where: tuple[tuple[Field, tuple[int | str, ...]], ...] = ()  # each field is one of these
    spread: bool = False  # not the groups, but how many of them have each number: rows (n,), and `n` is how many
    limit: int = MOST_ROWS  # the greatest first where less than MOST_ROWS, else in the order of time and fields


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One number of an answer. Groups whose values or amounts sum up to 0 have none."""

    at_ms: int  # where its bucket of time begins; 0 where `step_s` is 0
    by: tuple[int | str, ...]
    n: int


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers speak of: before `first_ms` nothing was recorded; after `last_ms` facts may still be coming."""

    first_ms: int  # 0: no facts yet
    last_ms: int
    facts: int  # stored, those that take back included
    bytes: int  # on disk; 0: not known


class Analytics(Protocol):
    """Facts and questions. All methods raise `Unavailable` when the engine does not answer."""

    async def put(self, facts: Sequence[Fact]) -> None:
        """Add the facts; those whose id (with its `at_ms`) is there already change nothing. They outlive a crash when
        this returns, and the next question counts them."""

    async def ask(self, questions: Sequence[Question]) -> list[list[Row]]:
        """The answers, one for each question."""

    async def coverage(self) -> Coverage:
        """From when to when there are facts."""

    async def erase(self, ids: Sequence[int]) -> None:
        """Forget all facts whose actor or author is one of these, for good. Repeatable."""

    async def expire(self, kinds: Sequence[str], before_ms: int) -> None:
        """Forget the facts of these kinds that are older. An engine that keeps months or days whole may keep some of
        them as long as one of those lasts."""

    async def renew(self, *, go_on: bool = False) -> "Analytics":
        """An empty place beside this one, to be filled anew; what an earlier `renew` left there is gone. With `go_on`
        it is given again as it was left, if there is one that was not adopted."""

    async def adopt(self, kinds: Sequence[str], since_ms: int) -> None:
        """On what `renew` gave: take over from the old place the facts of these kinds, and all since `since_ms`; then
        be what every process asks, and be rid of the old place."""

    async def close(self) -> None:
        """Let go of files and connections."""
