"""No analytics: nothing is told, and every question has an empty answer.

Box: analytics.
"""

from collections.abc import Sequence

from townsquare.analytics.port import Analytics, Coverage, Question, Row
from townsquare.model.facts import Fact


class OffAnalytics:
    """What an operator has who wants no numbers."""

    async def put(self, facts: Sequence[Fact]) -> None:
        """Forget them."""

    async def ask(self, questions: Sequence[Question]) -> list[list[Row]]:
        return [[] for _ in questions]

    async def coverage(self) -> Coverage:
        return Coverage(first_ms=0, last_ms=0, facts=0, bytes=0)

    async def erase(self, ids: Sequence[int]) -> None:
        """Nothing is there."""

    async def expire(self, kinds: Sequence[str], before_ms: int) -> None:
        """Nothing is there."""

    async def renew(self, *, go_on: bool = False) -> Analytics:
        return self

    async def adopt(self, kinds: Sequence[str], since_ms: int) -> None:
        """Nothing is there."""

    async def close(self) -> None:
        """Nothing is held."""
