"""Parameters of a request: query, form, multipart and JSON bodies alike, as nested values, then as a Struct.

Box: web. Source: Mastodon API, /client/intro/#parameters
"""

from typing import Any, TypeVar

import msgspec

from townsquare.model.errors import Invalid

T = TypeVar("T")


def read_params(params: dict[str, Any], shape: type[T]) -> T:
    """Parameters as a Struct: unknown ones are passed over, forms' booleans and numbers are understood.

    Raises: Invalid with the parameter's name.
    """
    try:
        return msgspec.convert(params, shape, strict=False)
    except msgspec.ValidationError as exc:
        raise Invalid(f"Validation failed: {exc}") from exc
