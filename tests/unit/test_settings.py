"""Settings from the environment."""

from pathlib import Path

import msgspec
import pytest

from townsquare.settings import Settings, read_settings


def _written(value: object) -> str:
    """As a person would."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(Settings)])
def test_every_setting_can_be_a_variable(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its default, written as a variable, is read as what it is; only lists are cut at commas."""
    monkeypatch.chdir(tmp_path)
    default = getattr(Settings(), name)
    assert getattr(read_settings({f"TOWNSQUARE_{name.upper()}": _written(default)}), name) == default
