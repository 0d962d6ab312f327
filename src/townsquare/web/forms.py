"""Pairs of names and values as nested parameters: `a[]=x`, `a[b]=x`, `a[][b]=x`, `a[0][b]=x`.

Box: web. Source: Mastodon API, /client/intro/#parameters, which are those of Rails.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from townsquare.model.errors import BadRequest

MAX_PARAMETERS = 1_000
MAX_DEPTH = 8
MAX_NAME_LENGTH = 256


def decode_pairs(data: bytes) -> list[tuple[str, str]]:
    """The pairs of a query string or a urlencoded body.

    Raises: BadRequest where there are too many, or they are not UTF-8.
    """
    pieces = data.split(b"&", MAX_PARAMETERS)
    if len(pieces) > MAX_PARAMETERS:
        raise BadRequest("Too many parameters")
    pairs = []
    for piece in pieces:
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(data: bytes) -> str:
    if b"+" in data:
        data = data.replace(b"+", b" ")
    if b"%" in data:
        data = unquote_to_bytes(data)
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise BadRequest("Invalid query parameters: they are not UTF-8") from exc
    if "\0" in text:
        raise BadRequest("Invalid query parameters: string contains null byte")
    return text


def nest(pairs: Iterable[tuple[str, Any]], into: dict[str, Any]) -> None:
    """Add pairs to nested parameters; a later value of a plain name replaces an earlier one.

    Raises: BadRequest where names are too long, too deep or say two things at once.
    """
    for name, value in pairs:
        if "[" not in name:
            if len(name) > MAX_NAME_LENGTH:
                raise BadRequest("Invalid query parameters: a name is too long")
            into[name] = value
        else:
            _place(into, _steps(name), value)


def _steps(name: str) -> list[str]:
    """`a[b][]` as a, b and an empty step."""
    if len(name) > MAX_NAME_LENGTH:
        raise BadRequest("Invalid query parameters: a name is too long")
    first, _, rest = name.partition("[")
    steps = [first, *(step.removesuffix("]") for step in rest.split("["))]
    if len(steps) > MAX_DEPTH:
        raise BadRequest("Invalid query parameters: they are nested too deep")
    return steps


def _place(place: dict[str, Any], steps: list[str], value: Any) -> None:
    at = 0
    while True:
        step, last = steps[at], at == len(steps) - 1
        if last:
            place[step] = value
            return
        if steps[at + 1]:
            place = _expect(place.setdefault(step, {}), dict, step)
            at += 1
            continue
        items = _expect(place.setdefault(step, []), list, step)
        if at + 2 == len(steps):
            items.append(value)
            return
        # `a[][b]`: a new object begins where the last one has a `b` already.
        inner = steps[at + 2]
        if not items or not isinstance(items[-1], dict) or (inner in items[-1] and at + 3 == len(steps)):
            items.append({})
        place = items[-1]
        at += 2


def _expect(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise BadRequest(f"Invalid query parameters: {name} is used in two ways")
    return value
