"""Nothing acknowledged is lost or doubled when processes are killed."""

from pathlib import Path

import pytest

from tests.cluster import faults

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


def test_kill_at_random_loses_and_doubles_nothing(tmp_path: Path) -> None:
    found = faults.run(tmp_path / "data", kills=6)
    assert found.faults == []
    assert sum(found.kills.values()) == 6
    assert found.acts["posts"] > 20
