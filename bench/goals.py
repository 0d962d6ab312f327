"""What must hold, as numbers, and what was measured against it."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec


class Better(StrEnum):
    """Which side of a limit is good."""

    LESS = "at most"
    MORE = "at least"


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `must` holds or the line fails; `aim` is where we want to be."""

    name: str  # S5
    what: str
    unit: str
    must: float | None
    aim: float | None = None
    better: Better = Better.LESS

    def limit(self, value: float | None) -> str:
        """A limit for people."""
        return "-" if value is None else f"{self.better.value} {number(value)} {self.unit}".rstrip()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A goal with its measured value and what else is worth knowing."""

    goal: Goal
    value: float
    note: str = ""

    @property
    def verdict(self) -> str:
        """aim, holds, FAILS; empty where nothing must hold."""
        if self._meets(self.goal.aim):
            return "aim"
        if self.goal.must is None:
            return ""
        return "holds" if self._meets(self.goal.must) else "FAILS"

    def _meets(self, limit: float | None) -> bool:
        if limit is None:
            return False
        return self.value <= limit if self.goal.better is Better.LESS else self.value >= limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a scenario is given."""

    folder: Path  # its own, empty, on the disk in question
    cache: Path  # prepared data that may be used again
    graph: Path | None
    quick: bool
    full: bool
    say: Callable[[str], None]

    def seconds(self, usual: float) -> float:
        """How long to measure."""
        return min(1.0, usual) if self.quick else usual


Scenario = Callable[[Run], Coroutine[Any, Any, list[Result]]]


def number(value: float) -> str:
    """A number with three significant digits, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
