"""Parameters of a request, as nested values of whatever body they came in, made into a Struct.

Box: web. Source: Mastodon API, /client/intro/#parameters
"""

import functools
import re
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from townsquare.model.errors import BadRequest, Invalid

T = TypeVar("T")

FALSE_WORDS = frozenset(("0", "f", "F", "false", "FALSE", "off", "OFF"))
MAX_ID = (1 << 63) - 1
_MISSING = re.compile(r"missing required field `([^`]+)`")
_PLACE = re.compile(r" - at `\$\.?([^`]*)`")
_ABSENT: Any = object()  # what a value becomes that counts as not given


def read_params(params: dict[str, Any], shape: type[T]) -> T:
    """Parameters as a Struct: unknown ones are passed over, forms' booleans, numbers and index keys are understood.

    An empty string is a value only for text; elsewhere, and for null where the type has no None, nothing was given.

    Raises: BadRequest with the name of what is missing, Invalid with the name of what is of the wrong type.
    """
    try:
        return msgspec.convert(_prepared(params, shape), shape, strict=False)
    except msgspec.ValidationError as exc:
        raise _refusal(str(exc)) from exc


def read_id(text: str) -> int | None:
    """The id that a text is; None where it cannot be one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= MAX_ID else None


def missing(name: str) -> BadRequest:
    """The error for a parameter that must be there."""
    return BadRequest(f"param is missing or the value is empty: {name}")


def _refusal(message: str) -> BadRequest | Invalid:
    place = _PLACE.search(message)
    path = place.group(1) if place else ""
    absent = _MISSING.search(message)
    if absent:
        return missing(f"{path}.{absent.group(1)}" if path else absent.group(1))
    name = path.split("[")[0] or "parameters"
    text = f"{name.replace('_', ' ').capitalize()} is invalid"
    return Invalid(f"Validation failed: {text}", {name: [("ERR_INVALID", "is invalid")]})


def _prepared(value: dict[str, Any], shape: type) -> dict[str, Any]:
    plan = _plan(shape)
    ready = {}
    for name, given in value.items():
        prepare = plan.get(name)
        if prepare is not None:
            made = prepare(given)
            if made is not _ABSENT:
                ready[name] = made
    return ready


@functools.cache
def _plan(shape: type) -> dict[str, Callable[[Any], Any]]:
    """How each field of a Struct is prepared. Made once per shape."""
    hints = typing.get_type_hints(shape)
    return {
        field.encode_name: _preparer(hints[field.name], required=field.required)
        for field in msgspec.structs.fields(shape)
    }


def _preparer(hint: Any, *, required: bool) -> Callable[[Any], Any]:
    options = _options(hint)
    nullable = type(None) in options
    kinds = [kind for kind in options if kind is not type(None) and kind is not msgspec.UnsetType]
    convert = _converter(kinds)

    def prepare(value: Any) -> Any:
        if value is None:
            return None if nullable and not required else _ABSENT
        if value == "" and required:
            return _ABSENT
        return convert(value)

    return prepare


def _options(hint: Any) -> list[Any]:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _options(typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return [option for arg in typing.get_args(hint) for option in _options(arg)]
    return [hint]


def _converter(kinds: list[Any]) -> Callable[[Any], Any]:
    if len(kinds) != 1:
        return _as_it_is
    kind = kinds[0]
    origin = typing.get_origin(kind)
    if kind is bool:
        return _boolean
    if kind is str:
        return _text
    if origin in (list, tuple, set, frozenset):
        args = typing.get_args(kind)
        return functools.partial(_listed, _preparer(args[0], required=False) if args else _as_it_is)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return lambda value: _prepared(value, kind) if isinstance(value, dict) else value
    return _plain


def _as_it_is(value: Any) -> Any:
    return value


def _plain(value: Any) -> Any:
    """A number, an enumeration and the like."""
    if value == "":
        return _ABSENT
    if isinstance(value, int) and abs(value) > MAX_ID:
        return "out of range"
    if isinstance(value, str):
        value = value.strip()
        if len(value) > 19 and value.lstrip("-").isdecimal():
            return "out of range"
    return value


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return _ABSENT if value == "" else value not in FALSE_WORDS
    if isinstance(value, int | float):
        return value != 0
    return value


def _text(value: Any) -> Any:
    """Text; numbers of JSON become text, because ids are."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _listed(prepare: Callable[[Any], Any], value: Any) -> Any:
    """A list: also `{"0": ..., "1": ...}` and a single value; blank entries are left out."""
    if isinstance(value, dict) and all(key.isdecimal() and len(key) < 10 for key in value):
        value = [value[key] for key in sorted(value, key=int)]
    elif value == "":
        return []
    elif isinstance(value, str | int):
        value = [value]
    if not isinstance(value, list):
        return value
    ready = [prepare(item) for item in value if item != ""]
    return [item for item in ready if item is not _ABSENT]
