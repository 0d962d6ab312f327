"""What answers of the API look like: the facts of entities.txt and answers.txt, and what in an answer deviates."""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

_FOLDER = Path(__file__).parent
_ID = re.compile(r"-?\d+")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_PLAIN: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "str": lambda value: isinstance(value, str),
        "id": lambda value: isinstance(value, str) and bool(_ID.fullmatch(value)),
        "date": lambda value: isinstance(value, str) and bool(_DATE.fullmatch(value)),
        "bool": lambda value: isinstance(value, bool),
        "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
        "num": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "map": lambda value: isinstance(value, dict),
        "null": lambda value: value is None,
    }
)


class Field(NamedTuple):
    """One field of an entity; of several keys where it lies inside others."""

    keys: tuple[str, ...]
    kind: str
    optional: bool


@functools.cache
def entities() -> Mapping[str, tuple[Field, ...]]:
    """The fields of every entity, those of what it extends included."""
    own: dict[str, list[Field]] = {}
    extends: dict[str, str] = {}
    name = ""
    for line in _lines("entities.txt"):
        if line.startswith(" "):
            own[name] += [_field(word) for word in line.split()]
        else:
            name, _, base = line.rstrip(")").partition("(")
            own[name], extends[name] = [], base
    return {each: (*own.get(extends[each], ()), *fields) for each, fields in own.items()}


@functools.cache
def answers() -> tuple[tuple[str, str, str], ...]:
    """Method, path and what is answered; of several that fit, the first is meant."""
    rows = [line.split(" ") for line in _lines("answers.txt")]
    return tuple(sorted(((method, path, kind) for method, path, kind in rows), key=lambda row: row[1].count("{")))


def answer_of(method: str, path: str) -> str:
    """What a call answers, for `deviations`."""
    for its_method, pattern, kind in answers():
        if its_method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            return kind
    raise KeyError(f"answers.txt has no {method} {path}")


def deviations(value: Any, kind: str, name: str = "") -> Iterator[str]:
    """What in `value` is not as `kind` says, in words that say where."""
    name = name or kind
    first, *others = kind.split("|") if kind[:1] != "[" else [kind]
    if any(not list(deviations(value, other, name)) for other in others):
        return
    if first in entities():
        yield from _of_entity(value, first)
    elif first[:1].isupper():
        raise KeyError(f"entities.txt has no {first}")
    elif first.startswith("["):
        inner, _, others_of_list = first[1:].partition("]")
        if value is None and others_of_list == "|null":
            return
        if not isinstance(value, list):
            yield f"{name}: {kind} wanted, not {value!r}"
            return
        for each in value:
            yield from deviations(each, inner, f"{name}[]")
    elif not (_PLAIN[first](value) if first in _PLAIN else value in first.split("/")):
        yield f"{name}: {kind} wanted, not {value!r}"


def _of_entity(value: Any, entity: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{entity} wanted, not {value!r}"
        return
    for field in entities()[entity]:
        name = f"{entity}.{'.'.join(field.keys)}"
        for inner in _insides(value, field.keys[:-1]):
            if field.keys[-1] in inner:
                yield from deviations(inner[field.keys[-1]], field.kind, name)
            elif not field.optional:
                yield f"{name} is missing"


def _insides(value: Any, keys: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The maps in which a field lies: of a list each, none where there is nothing."""
    if isinstance(value, list):
        for each in value:
            yield from _insides(each, keys)
    elif isinstance(value, dict):
        if keys:
            yield from _insides(value.get(keys[0]), keys[1:])
        else:
            yield value


def _field(word: str) -> Field:
    name, _, kind = word.partition("=")
    return Field(tuple(re.findall(r"[^\[\]?]+", name)), kind, name.endswith("?"))


def _lines(name: str) -> list[str]:
    return [line for line in (_FOLDER / name).read_text().splitlines() if not line.startswith("#")]
