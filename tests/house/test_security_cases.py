"""Every case of docs/security-cases.tsv is tested where it says, or waits in docs/security.md; never both."""

import ast
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CLASSES = {
    "cache", "crypto", "dos-fed", "dos-media", "dos-parse", "enum", "httpsig", "idor", "ldsig", "leak", "mail",
    "media-write", "mod-bypass", "oauth", "origin", "ratelimit", "redirect", "sanitise", "scope", "session", "smuggle",
    "ssrf", "stream",
}  # fmt: skip
ADVISORY = re.compile(r"cve_\d{4}_\d+|ghsa(?:_[2-9cfghjmpqrvwx]{4}){3}")


class Case(NamedTuple):
    """One line of the list."""

    id: str
    kind: str
    status: str
    where: str

    @property
    def words(self) -> list[str]:
        """What stands for the id in the name of a test."""
        return [re.sub(r"[^a-z0-9]+", "_", each.lower()).strip("_") for each in self.id.split(" / ")]


LINES = (ROOT / "docs" / "security-cases.tsv").read_text().splitlines()
CASES = [Case(*line.split("\t")) for line in LINES[1:]]
TESTED = [case for case in CASES if case.status == "tested"]
PAGE = (ROOT / "docs" / "security.md").read_text()
WAITING = re.findall(r"^- (.+)$", PAGE.partition("## Waiting")[2], re.MULTILINE)


def _tests_of(path: Path) -> set[str]:
    """The names of a file's tests."""
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))


def test_the_list_is_whole() -> None:
    assert LINES[0] == "id\tclass\tstatus\twhere"
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []
    assert {case.kind for case in CASES} <= CLASSES
    assert {case.status for case in CASES} == {"tested", "waits"}
    assert len(CASES) > 130


@pytest.mark.parametrize("case", TESTED, ids=[case.words[0] for case in TESTED])
def test_what_is_called_tested_is(case: Case) -> None:
    for each in case.where.split(" "):
        name, _, test = each.partition("::")
        assert test in _tests_of(ROOT / "tests" / name), each


def test_what_waits_is_told_with_its_reason_and_nothing_else() -> None:
    assert sorted(WAITING) == sorted(case.id for case in CASES if case.status == "waits")
    reasons = {title.lower() for title in re.findall(r"^### (.+)$", PAGE, re.MULTILINE)}
    assert {case.where.lower() for case in CASES if case.status == "waits"} == reasons


def test_advisories_in_the_names_of_tests_are_in_the_list_as_tested() -> None:
    tested = {word for case in TESTED for word in case.words}
    named = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                named |= set(ADVISORY.findall(node.name.lower()))
    assert named - tested == set()
