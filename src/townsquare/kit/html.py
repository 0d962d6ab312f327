"""HTML as values: all text is escaped unless it is Markup already, so a page cannot be broken by what people type.

Box: kit.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_LINKS = frozenset({"href", "src", "action", "formaction", "poster"})
_SAFE_LINK = re.compile(r"(?:https?:|mailto:|[/?#]|$)", re.IGNORECASE)


class Markup(str):
    """Text that is HTML. Made by `tag`, `text` and `join`, never from what people type."""

    __slots__ = ()


Child: TypeAlias = "str | int | Iterable[Child] | None"
Attribute: TypeAlias = "str | int | bool | None"


def text(value: str) -> Markup:
    """Plain text as HTML."""
    return Markup(escape(value, quote=True))


def join(*children: Child) -> Markup:
    """Children one after another: Markup as it is, other text escaped, None left out, sequences joined."""
    pieces: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            pieces.append(child)
        elif isinstance(child, str | int):
            pieces.append(escape(str(child), quote=True))
        elif child is not None:
            pieces.append(join(*child))
    return Markup("".join(pieces))


def tag(element: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """An element. `class_` and `for_` lose their stroke, `data_x` is `data-x`; None and False leave an attribute out,
    True gives it no value.

    Raises: ValueError for a link that could run a script, or a name that is none.
    """
    head = element + "".join(_attribute(key, value) for key, value in attributes.items())
    if not _NAME.fullmatch(element):
        raise ValueError(f"not an element's name: {element!r}")
    return Markup(f"<{head}>" if element in _VOID else f"<{head}>{join(*children)}</{element}>")


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(name) or name.startswith("on") or name == "style":
        raise ValueError(f"not an attribute's name: {key!r}")
    if value is True:
        return f" {name}"
    if name in _LINKS and not _SAFE_LINK.match(str(value)):
        raise ValueError(f"{name} may not lead to {value!r}")
    return f' {name}="{escape(str(value), quote=True)}"'
