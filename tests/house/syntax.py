"""The product's modules as syntax trees, each read once."""

import ast
from functools import cache
from pathlib import Path


@cache
def tree_of(path: Path) -> ast.Module:
    """The module's tree."""
    return ast.parse(path.read_text())


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All of its nodes."""
    return tuple(ast.walk(tree_of(path)))
