"""Templates: files of this folder in which `{{ name }}` stands for a value.

Box: edge. A name alone on its line stands for whole lines, which take its indentation; where they are none, the line
goes.
"""

import re
from collections.abc import Mapping
from importlib.resources import files

_ALONE = re.compile(r"^( *)\{\{ (\w+) \}\}\n", re.MULTILINE)
_INSIDE = re.compile(r"\{\{ (\w+) \}\}")
_LINE = re.compile(r"^(?=.)", re.MULTILINE)


def filled(name: str, values: Mapping[str, str]) -> str:
    """The template's text with the values in their places.

    Raises: KeyError for a name without a value.
    """
    text = (files(__package__) / "templates" / name).read_text()
    text = _ALONE.sub(lambda found: _lines(values[found[2]], found[1]), text)
    return _INSIDE.sub(lambda found: values[found[1]], text)


def _lines(value: str, indent: str) -> str:
    return _LINE.sub(indent, value.strip("\n")) + "\n" if value.strip() else ""
