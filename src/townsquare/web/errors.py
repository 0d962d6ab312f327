"""What our errors become at this door: the one table, and the body that clients expect.

Box: web. Source: Mastodon API, /entities/Error/
"""

from typing import Any

import msgspec

from townsquare.model.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    TownsquareError,
    Unauthorized,
    Unavailable,
)
from townsquare.web.limits import reset_text

HTTP_STATUS: dict[type[TownsquareError], int] = {
    BadRequest: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 422,
    TooLarge: 413,
    Invalid: 422,
    TooMany: 429,
    Unavailable: 503,
}
RETRY_AFTER_S = 5
UNKNOWN_ROUTE = "Not Found"
WRONG_METHOD = "Method Not Allowed"
OUR_FAULT = "We're sorry, but something went wrong on our end."

_ENCODER = msgspec.json.Encoder()


def status_of(error: TownsquareError) -> int:
    """The status code of an error, by its nearest known family."""
    return next((HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS), 500)


def error_body(message: str, details: dict[str, list[tuple[str, str]]] | None = None) -> bytes:
    """`{"error": ...}`, with `details` by field where there are some."""
    body: dict[str, Any] = {"error": message}
    if details:
        body["details"] = {
            name: [{"error": code, "description": text} for code, text in faults] for name, faults in details.items()
        }
    return _ENCODER.encode(body)


def error_headers(error: TownsquareError, *, now_ms: int) -> list[tuple[str, str]]:
    """The headers that belong to an error."""
    if isinstance(error, Unauthorized):
        return [("www-authenticate", f'Bearer realm="Townsquare", error="invalid_token", error_description="{error}"')]
    if isinstance(error, TooMany):
        return [
            ("retry-after", str(max(1, -(-(error.reset_ms - now_ms) // 1000)))),
            ("x-ratelimit-limit", str(error.limit)),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", reset_text(error.reset_ms)),
        ]
    if isinstance(error, Unavailable):
        return [("retry-after", str(RETRY_AFTER_S))]
    return []
