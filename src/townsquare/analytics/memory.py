"""The facts in this process: what the other engines are held against.

Box: analytics.
"""

from collections.abc import Callable, Iterable, Sequence

from townsquare.analytics.places import finished
from townsquare.analytics.port import Coverage, Question, Row
from townsquare.model.facts import Fact, band_of


class MemoryAnalytics:
    """Answers by looking at every fact."""

    def __init__(self) -> None:
        self._facts: dict[int, Fact] = {}
        self._fresh: MemoryAnalytics | None = None
        self._old: MemoryAnalytics | None = None

    async def put(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            self._facts.setdefault(fact.id, fact)

    async def ask(self, questions: Sequence[Question]) -> list[list[Row]]:
        return [answer(question, self._facts.values()) for question in questions]

    async def coverage(self) -> Coverage:
        times = [fact.at_ms for fact in self._facts.values()]
        return Coverage(first_ms=min(times, default=0), last_ms=max(times, default=0), facts=len(times), bytes=0)

    async def erase(self, ids: Sequence[int]) -> None:
        gone = set(ids) - {0}
        self._keep(lambda fact: not {fact.actor, fact.author} & gone)

    async def expire(self, kinds: Sequence[str], before_ms: int) -> None:
        self._keep(lambda fact: fact.kind not in kinds or fact.at_ms >= before_ms)

    def _keep(self, wanted: Callable[[Fact], bool]) -> None:
        self._facts = {fact.id: fact for fact in self._facts.values() if wanted(fact)}

    async def renew(self, *, go_on: bool = False) -> "MemoryAnalytics":
        if self._fresh is None or not go_on:
            self._fresh = MemoryAnalytics()
            self._fresh._old = self
        return self._fresh

    async def adopt(self, kinds: Sequence[str], since_ms: int) -> None:
        old, self._old = self._old, None
        assert old is not None, "adopt comes after renew"
        await self.put([fact for fact in old._facts.values() if fact.kind in kinds or fact.at_ms >= since_ms])
        old._fresh = None
        old._facts = self._facts  # whoever holds the old one asks the new one

    async def close(self) -> None:
        """Nothing is held."""


def answer(question: Question, facts: Iterable[Fact]) -> list[Row]:
    """The rows of one question, by looking at each fact."""
    numbers: dict[tuple[int, tuple[int | str, ...]], int] = {}
    for fact in facts:
        if not _is_asked(fact, question):
            continue
        key = (_bucket(fact.at_ms, question), tuple(_field(fact, name) for name in question.by))
        match question.measure:
            case "value":
                numbers[key] = numbers.get(key, 0) + fact.value
            case "amount":
                numbers[key] = numbers.get(key, 0) + fact.value * fact.amount
            case "least" if fact.value > 0:
                numbers[key] = min(numbers.get(key, fact.amount), fact.amount)
            case "greatest" if fact.value > 0:
                numbers[key] = max(numbers.get(key, fact.amount), fact.amount)
    return finished(question, numbers)


def _is_asked(fact: Fact, question: Question) -> bool:
    return (
        fact.kind in question.kinds
        and question.since_ms <= fact.at_ms < question.until_ms
        and all(_field(fact, name) in values for name, values in question.where)
    )


def _field(fact: Fact, name: str) -> int | str:
    value: int | str = band_of(fact.amount) if name == "band" else getattr(fact, name)
    return value


def _bucket(at_ms: int, question: Question) -> int:
    if not question.step_s:
        return 0
    offset, step = question.offset_s * 1_000, question.step_s * 1_000
    return (at_ms - offset) // step * step + offset
