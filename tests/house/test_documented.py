"""Every setting, table, route, task and port method is documented where it is declared; made pages are fresh."""

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import msgspec
import pytest

from tests.house.write_docs import (
    API_PAGE,
    INSIGHTS_PAGE,
    METRICS_PAGE,
    SETTINGS_PAGE,
    api_page,
    insights_page,
    metrics_page,
    settings_page,
)
from townsquare.model import tasks
from townsquare.settings import Settings
from townsquare.store.tables import TABLES
from townsquare.web.server.table import ALL_ROUTES
from townsquare.workers.table import ALL_JOBS

ROOT = Path(__file__).parents[2]
PORTS = ["store", "queue", "cache", "feeds", "streaming", "media", "mail", "search", "analytics"]


def test_every_setting_has_a_line_of_help() -> None:
    hints = get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        hint = hints[field.name]
        assert get_origin(hint) is Annotated, field.name
        assert any(isinstance(extra, msgspec.Meta) and extra.description for extra in get_args(hint)[1:]), field.name


def test_every_table_says_what_it_is_for() -> None:
    for table in TABLES:
        assert table.about, table.name
        assert table.row.__doc__, table.name
    assert len({table.name for table in TABLES}) == len(TABLES)


def test_every_route_is_declared_once_and_documented() -> None:
    seen = set()
    for route in ALL_ROUTES:
        assert inspect.getdoc(route.handler), f"{route.method} {route.path}"
        assert (route.method, route.path) not in seen, f"{route.method} {route.path}"
        seen.add((route.method, route.path))


def test_every_task_has_a_job_and_every_job_a_task() -> None:
    declared = set(get_args(tasks.AnyTask))
    assert set(ALL_JOBS) == declared
    for task in declared:
        assert inspect.getdoc(task), task.__name__


@pytest.mark.parametrize("box", PORTS)
def test_every_port_method_has_its_contract(box: str) -> None:
    port = importlib.import_module(f"townsquare.{box}.port")
    protocols = [
        c
        for _, c in inspect.getmembers(port, inspect.isclass)
        if getattr(c, "_is_protocol", False) and c.__module__ == port.__name__
    ]
    assert protocols
    for protocol in protocols:
        for name, method in inspect.getmembers(protocol, inspect.isfunction):
            if not name.startswith("_") and name in vars(protocol):
                assert method.__doc__, f"{protocol.__name__}.{name}"


def test_the_drawing_and_the_other_pages_link_to_what_is_there() -> None:
    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert broken == []


def test_the_drawing_names_every_box() -> None:
    drawing = (ROOT / "docs" / "drawing.md").read_text()
    for folder in (ROOT / "src" / "townsquare").iterdir():
        if (folder / "__init__.py").exists() and folder.name not in {"cli", "kit"}:
            assert f"/{folder.name})" in drawing, folder.name


def test_pages_made_from_the_code_are_fresh() -> None:
    assert API_PAGE.read_text() == api_page(), "run `make docs`"
    assert SETTINGS_PAGE.read_text() == settings_page(), "run `make docs`"
    assert METRICS_PAGE.read_text() == metrics_page(), "run `make docs`"
    assert INSIGHTS_PAGE.read_text() == insights_page(), "run `make docs`"


def test_the_licence_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
    assert "Apache-2.0" in (ROOT / "README.md").read_text()
