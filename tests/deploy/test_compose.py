"""The compose files are what Compose takes, and what they set is what we read."""

import re
from typing import Any

import pytest
import yaml

from tests.deploy.tools import DEPLOY, run, tool
from townsquare.boot import check_engines
from townsquare.settings import read_settings

pytestmark = pytest.mark.slow  # a program is started for each

FILES = ["compose.yaml", "cluster.yaml"]


def _loaded(file: str) -> dict[str, Any]:
    """The file as Compose's own loader understands it."""
    text = run([tool("compose"), file], folder=DEPLOY / "compose")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@pytest.mark.parametrize("file", FILES)
def test_compose_takes_the_file(file: str) -> None:
    """Its loader checks the schema, the names that are depended on, the volumes; our own are confined."""
    services = _loaded(file)["services"]
    ours = {name: each for name, each in services.items() if each["image"] == "townsquare"}
    assert ours
    for name, each in ours.items():
        assert each["read_only"] is True, name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert each["cap_drop"] == ["ALL"] or name == "edge-file"
        assert each["build"]["dockerfile"] == "deploy/Dockerfile"
        for volume in each.get("volumes", ()):
            assert volume["type"] == "volume", name


@pytest.mark.parametrize("file", FILES)
def test_its_settings_are_ours(file: str) -> None:
    """They are read without complaint and name engines that there are, hosts that the file starts."""
    loaded = _loaded(file)
    for name, each in loaded["services"].items():
        if each["image"] == "townsquare":
            settings = read_settings({**each["environment"], "TOWNSQUARE_DATA": "/nonexistent"})
            check_engines(settings)
            for box in ("store", "cache", "feeds", "queue", "streaming"):
                host = re.fullmatch(r"\w+://(?:[^@/]*@)?([^/:]+).*", getattr(settings, box))
                assert host is None or host[1] in loaded["services"], (name, box)
            for upstream in settings.edge_upstreams:
                assert upstream.partition(":")[0] in loaded["services"]


def test_the_image_is_made_of_what_there_is() -> None:
    """No daemon builds it in the tests, so at least what it copies and calls is there."""
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    allowed = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (DEPLOY.parent / name).exists(), name
                assert f"!{name}" in allowed, name
    assert "USER 10001:10001" in lines
    assert {line.partition("=")[0].split()[-1] for line in lines if "TOWNSQUARE_" in line} == {
        "TOWNSQUARE_DATA", "TOWNSQUARE_BIND", "TOWNSQUARE_METRICS", "TOWNSQUARE_LOG_FORMAT"
    }  # fmt: skip
