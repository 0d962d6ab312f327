"""The charts of insights say the same over each engine, in a zone whose clock changes, whoever asks.

Suite: analytics.
"""

import dataclasses
import random
from pathlib import Path

import pytest

from tests.api.conftest import memory_ports
from tests.contract.engines import ANALYTICS, open_analytics
from tests.social.insight_facts import AUTHORS, NOW_MS, random_facts
from townsquare.analytics.memory import MemoryAnalytics
from townsquare.analytics.port import Analytics
from townsquare.kit.clock import SetClock
from townsquare.model.account import Account, Role
from townsquare.model.facts import Fact
from townsquare.model.insights import Answer
from townsquare.social.insights.ask import Asked, ask, charts_for

ANN = Account(account_id=AUTHORS[0], username="ann", created_ms=0, role=Role.ADMIN)
ASKED = (Asked(zone="Europe/Berlin"), Asked(zone="America/St_Johns", since="2026-08-10", until="2026-10-26"))


async def answers_of(engine: Analytics, facts: list[Fact]) -> dict[tuple[str, str], Answer]:
    """All charts, after the facts came with a tenth of them twice."""
    told = facts + random.Random(3).sample(facts, len(facts) // 10)
    for start in range(0, len(told), 1_000):
        await engine.put(told[start : start + 1_000])
    ports = dataclasses.replace(memory_ports(SetClock(NOW_MS)), analytics=engine)
    return {
        (chart.name, asked.zone): await ask(ports, chart.name, asked, account=ANN)
        for chart in charts_for(ANN)
        for asked in ASKED
    }


@pytest.mark.slow
@pytest.mark.parametrize("engine", [each for each in ANALYTICS if each != "memory"])
async def test_charts_are_those_of_memory(engine: str, tmp_path: Path) -> None:
    facts = random_facts(9, 2_500)
    expected = await answers_of(MemoryAnalytics(), facts)
    analytics = await open_analytics(engine, tmp_path, SetClock(NOW_MS))
    try:
        found = await answers_of(analytics, facts)
    finally:
        await analytics.close()
    assert any(value for answer in expected.values() for line in answer.lines for value in line.values)
    for key, answer in expected.items():
        assert found[key] == answer, key
