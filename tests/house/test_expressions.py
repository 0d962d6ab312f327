"""CVE-2025-68475, CVE-2020-6817: every regular expression of the product takes a time that grows with its text, not
with its square. They are read from the code, so a new one is tried from its first day."""

import ast
import re
import time
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2] / "src" / "townsquare"
SHORT, LONG = 2_000, 16_000
SEEDS = [
    "a",
    " ",
    "a.",
    "@a",
    "@a.",
    "#",
    "<a",
    "<a ",
    "a=",
    "a:",
    "-",
    "1",
    "/",
    "%2e",
    "https://",
    "a@",
    "[",
    '"',
    "\t",
    "é",
    "_.",
    "a-",
]
SURELY_LINEAR = 0.03  # seconds for LONG characters


class Expression(NamedTuple):
    """One of the code, and what is done with it there."""

    where: str
    pattern: re.Pattern[str]
    uses: frozenset[str]


def expressions() -> list[Expression]:
    """Each `re.compile` with a constant (f-strings with their names filled by a letter)."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        code = path.read_text()
        if "re.compile(" not in code:
            continue
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile":
                flags = re.IGNORECASE if "IGNORECASE" in ast.unparse(node) else 0
                name = code.splitlines()[node.lineno - 1].split()[0]
                uses = frozenset(re.findall(rf"\b{re.escape(name)}\.(\w+)\(", code)) or frozenset(("finditer",))
                pattern = re.compile(_text_of(node.args[0]), flags)
                found.append(Expression(f"{path.relative_to(ROOT)}:{node.lineno}", pattern, uses))
    return found


def _text_of(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "a" for part in node.values)
    assert isinstance(node, ast.Constant), f"line {node.lineno}: an expression that is put together cannot be tried"
    return node.value if isinstance(node.value, str) else node.value.decode("latin-1")


EXPRESSIONS = expressions()


def _seconds(expression: Expression, text: str) -> float:
    """The best of three, so that a busy machine is no square."""
    best = 9.0
    for _ in range(3):
        begun = time.thread_time()
        if expression.uses <= {"match", "fullmatch"}:
            expression.pattern.fullmatch(text)
            expression.pattern.match(text)
        else:
            for _ in expression.pattern.finditer(text):
                pass
        best = min(best, time.thread_time() - begun)
        if best < SURELY_LINEAR:
            break
    return best


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=[each.where for each in EXPRESSIONS])
def test_cve_2025_68475_every_expression_is_linear(expression: Expression) -> None:
    """CVE-2025-68475, CVE-2020-6817: eight times the text, never a square of the time."""
    for seed in SEEDS:
        for end in ("", "\x00"):
            long = _seconds(expression, (seed * LONG)[:LONG] + end)
            if long >= SURELY_LINEAR:
                short = _seconds(expression, (seed * SHORT)[:SHORT] + end)
                assert long < 14 * max(short, 0.002), f"{seed!r}: {short:.4f} s, then {long:.4f} s"


def test_cve_2025_68475_all_expressions_are_found() -> None:
    """CVE-2025-68475: none is made in another way than is read above."""
    assert len(EXPRESSIONS) > 25
    direct = re.compile(r"\bre\.(match|fullmatch|search|sub|split|findall|finditer)\(")
    found = [path.name for path in sorted(ROOT.rglob("*.py")) if direct.search(path.read_text())]
    assert found == [], "name the expression by re.compile at the top of the module"
