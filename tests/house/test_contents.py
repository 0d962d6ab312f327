"""What the repository and its code never hold: CVE-2026-24044 (keys and passwords), Akkoma 2023.08: XML (a parser that
follows entities), CVE-2023-44271 (pictures drawn from what people type)."""

import ast
import re
import subprocess
from pathlib import Path

from tests.house.syntax import nodes_of

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "src" / "townsquare"
SECRETS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    rb"|(?i:(?:password|secret|api_key|token)\s*[=:]\s*[\"'][A-Za-z0-9+/_-]{32,}[\"'])"
)
XML = ("xml", "lxml", "defusedxml", "xmltodict", "html5lib", "bs4", "feedparser")
DRAWING = ("PIL", "cairo", "cairosvg", "matplotlib")


def test_cve_2026_24044_no_key_or_password_is_part_of_the_product() -> None:
    """CVE-2026-24044: each server makes its own at its first start."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = []
    for name in listed.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and SECRETS.search(path.read_bytes()):
            found.append(name)
        assert Path(name).suffix not in (".pem", ".key", ".p12", ".env"), name
    assert found == []
    assert SECRETS.search(b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 64)
    assert SECRETS.search(b'SECRET = "' + b"a1" * 20 + b'"')


def test_akkoma_2023_08_xml_is_read_nowhere() -> None:
    """Akkoma 2023.08: XML. No parser of XML is imported, so no entity can be followed; pictures as SVG are refused
    before any decoder (see the tests of media headers)."""
    assert _imported(XML) == []


def test_cve_2023_44271_no_picture_is_drawn_from_text() -> None:
    """CVE-2023-44271: no library that draws text is imported, and ours is never asked to."""
    assert _imported(DRAWING) == []
    assert [path.name for path in PRODUCT.rglob("*.py") if re.search(r"\bImage\.text\b", path.read_text())] == []


def _imported(names: tuple[str, ...]) -> list[str]:
    found = []
    for path in sorted(PRODUCT.rglob("*.py")):
        for node in nodes_of(path):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            found += [f"{path.name}: {each}" for each in modules if each.split(".")[0] in names]
    return found
