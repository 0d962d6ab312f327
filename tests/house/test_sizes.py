"""Modules stay small: 150 lines at the median, 400 at the 90th percentile, 600 at most (tables and settings apart)."""

import ast
import statistics
from pathlib import Path

import pytest

from tests.house.syntax import nodes_of, tree_of

SOURCE = Path(__file__).parents[2] / "src" / "townsquare"
FILES = sorted(SOURCE.rglob("*.py"))
APART = {"tables.py", "settings.py"}


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_modules_are_small() -> None:
    sizes = sorted(_lines(path) for path in FILES if path.name not in APART and path.name != "__init__.py")
    assert statistics.median(sizes) <= 150
    assert sizes[int(len(sizes) * 0.9)] <= 400
    assert sizes[-1] <= 600


def test_functions_are_small() -> None:
    long = []
    for path in FILES:
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > 60:
                    long.append(f"{path.relative_to(SOURCE)}:{node.name} has {length} lines")
    assert long == []


def test_no_file_is_named_for_nothing() -> None:
    names = {path.stem for path in FILES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "base", "misc"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "a module begins with what it is"
