"""What a web process answered, as facts: how many of each class a minute, how long they took, and faults of ours.

Box: web.
"""

from collections import Counter

from townsquare.model.facts import Fact, fact_id
from townsquare.web.routes import Route
from townsquare.web.server.app import App

_FAULT = 5  # first digit of its status


def class_of(route: Route) -> str:
    """api, page or other."""
    if route.html:
        return "page"
    return "api" if route.path.startswith("/api/") else "other"


class RequestFacts:
    """Reads an application's meters. `process`: an id of its own."""

    def __init__(self, app: App, process: int) -> None:
        self._app, self._process = app, process
        self._counts: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, float] = {}

    def __call__(self, minute_ms: int) -> list[Fact]:
        """What was answered since it was asked before."""
        counts: Counter[tuple[str, int]] = Counter()
        seconds: dict[str, float] = {}
        for stop in self._app.stops():
            kind = class_of(stop.route)
            seconds[kind] = seconds.get(kind, 0.0) + stop.meter.total_s
            for digit, n in enumerate(stop.meter.statuses):
                if n:
                    counts[kind, digit] += n
        new = counts - self._counts
        took = {kind: total - self._seconds.get(kind, 0.0) for kind, total in seconds.items()}
        self._counts, self._seconds = counts, seconds
        of_class: Counter[str] = Counter()
        for (kind, _), n in new.items():
            of_class[kind] += n
        facts = [
            self._fact("request", minute_ms, f"{kind} {digit}xx", n, round(took[kind] * 1000 / of_class[kind]))
            for (kind, digit), n in new.items()
        ]
        faults = sum(n for (_, digit), n in new.items() if digit == _FAULT)
        return [*facts, self._fact("error", minute_ms, "web", faults, 0)] if faults else facts

    def _fact(self, kind: str, minute_ms: int, label: str, value: int, amount: int) -> Fact:
        number = fact_id(kind, self._process, minute_ms, label)
        return Fact(id=number, kind=kind, at_ms=minute_ms, value=value, amount=amount, label=label)
