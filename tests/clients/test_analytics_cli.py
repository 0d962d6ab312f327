"""`townsquare analytics`, as an operator types it."""

from pathlib import Path

import pytest

from tests.clients.test_cli import Shell


@pytest.mark.slow
def test_what_the_store_knows_is_counted_again(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "data")
    shell.make("ada")
    assert shell.json("analytics", "status")["facts"] == 0
    assert shell.json("analytics", "rebuild") == {"facts": 1, "since": None}
    found = shell.json("analytics", "status")
    assert (found["facts"], found["rebuilding"]) == (1, False)
    assert found["first_at"] == found["last_at"]
    assert shell.json("analytics", "rebuild", "--from", "2099-01-01") == {
        "facts": 0,
        "since": "2099-01-01T00:00:00.000Z",
    }
    assert "1 facts from" in shell.type("analytics", "status").stdout


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "data")
    shell.make("ada")
    shell.refused("analytics", "rebuild", "--from", "yesterday", code=2)
