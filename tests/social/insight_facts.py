"""Random facts of some months, and what a reader of all of them counts by hand."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from townsquare.model.facts import DAY_MS, KINDS, Fact, fact_id, taken_back

NOW_MS = 1_793_000_000_000 - 1  # 26 October 2026, 01:33 UTC: the day after Berlin's clock went back
DAYS = 100
AUTHORS = (11, 12, 13)
ROLES = ("user", "user", "user", "moderator", "admin")
FORMS = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}


def random_facts(seed: int, count: int) -> list[Fact]:
    """Facts of all kinds, a tenth of them taken back, in any order. The oldest is of an hour that all kinds have."""
    chance = random.Random(seed)
    first = NOW_MS - DAYS * DAY_MS
    facts = [_fact(chance, kind, n, first + n) for n, kind in enumerate(KINDS)]
    for n in range(count):
        kind = chance.choice(list(KINDS))
        fact = _fact(chance, kind, n + 1_000, first + chance.randrange(DAYS * DAY_MS))
        facts += [fact, taken_back(fact)] if chance.random() < 0.1 else [fact]
    facts.append(_fact(chance, "storage", 999, NOW_MS))
    chance.shuffle(facts)
    return facts


def _fact(chance: random.Random, kind: str, n: int, at_ms: int) -> Fact:
    labels = {
        "request": ("api 2xx", "api 4xx", "api 5xx", "page 2xx", "page 5xx"),
        "active_day": ROLES,
        "active_week": ROLES,
        "active_month": ROLES,
        "queue_age": ("fan_out", "media"),
        "moderation": ("resolve", "suspend"),
    }
    return Fact(
        id=fact_id(kind, n),
        kind=kind,
        at_ms=at_ms,
        value=chance.choice((1, 1, 20)) if kind == "impression" else 1,
        actor=chance.randrange(1, 40),
        author=chance.choice(AUTHORS),
        object=chance.randrange(1, 60),
        amount=int(10 ** chance.uniform(0, 6)) if chance.random() < 0.9 else 0,
        visibility=chance.choice(("public", "public", "unlisted", "private", "direct")),
        app=chance.choice(("", "Elk", "Ivory", "Phanpy", "Tusky", "toot", "Moshidon", "Mona", "IceCubes")),
        language=chance.choice(("", "de", "en")),
        label=chance.choice(labels.get(kind, ("cats", "dogs", "birds"))),
        cohort=(at_ms // DAY_MS) - chance.choice((0, 0, 1, 3, 8, 31, 45)) if kind != "sign_up" else at_ms // DAY_MS,
    )


class Hand:
    """Counts by hand."""

    def __init__(self, facts: list[Fact], zone: str, step: str) -> None:
        self._zone, self._step = ZoneInfo(zone), step
        self._facts = facts

    def bucket(self, at_ms: int) -> str:
        """The name of the bucket of a time."""
        return datetime.fromtimestamp(at_ms / 1000, self._zone).strftime(FORMS[self._step])

    def facts(self, *kinds: str, **fields: Any) -> Iterator[Fact]:
        """Facts of these kinds with these fields; of a tuple, any."""
        for fact in self._facts:
            if fact.kind in kinds and all(
                getattr(fact, name) in value if isinstance(value, tuple) else getattr(fact, name) == value
                for name, value in fields.items()
            ):
                yield fact

    def sums(
        self, *kinds: str, of: Callable[[Fact], int] = lambda fact: fact.value, **fields: Any
    ) -> dict[str, int]:  # fmt: skip
        """A sum for each bucket."""
        found: dict[str, int] = {}
        for fact in self.facts(*kinds, **fields):
            name = self.bucket(fact.at_ms)
            found[name] = found.get(name, 0) + of(fact)
        return found

    def standing(self, *kinds: str, **fields: Any) -> list[Fact]:
        """The facts that were not taken back."""
        gone = {fact.id for fact in self._facts if fact.value < 0}
        return [
            fact
            for fact in self.facts(*kinds, **fields)
            if fact.value > 0 and fact_id("taken back", fact.id) not in gone
        ]
