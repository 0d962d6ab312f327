"""The body of a request: read under a cap and a deadline, then taken apart by its content type.

Box: web.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

import falcon
import msgspec
from falcon.media import MultipartFormHandler
from falcon.media.multipart import MultipartParseOptions

from townsquare.model.errors import BadRequest, TooLarge
from townsquare.web.forms import MAX_DEPTH, decode_pairs, nest
from townsquare.web.routes import Upload

B = TypeVar("B", bytes, bytearray)
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]

BODY_WITHIN_S = 30.0
MAX_PARTS = 100
MAX_FILES = 16
PART_HEADERS_BYTES = 8_192
_MAX_JSON_DEPTH = MAX_DEPTH * 2

_DECODER = msgspec.json.Decoder()


class Disconnected(Exception):
    """The client went before its body was whole."""


async def read_body(receive: Receive, *, limit: int) -> bytes:
    """The whole body, at most `limit` bytes, within `BODY_WITHIN_S`.

    Raises: TooLarge, BadRequest where it does not come within the time, Disconnected.
    """
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            event = await receive()
            if not event.get("more_body") and event["type"] == "http.request":
                whole: bytes = event.get("body", b"")
                return _within(whole, limit)
            body = bytearray()
            while event["type"] == "http.request":
                body += event.get("body", b"")
                _within(body, limit)
                if not event.get("more_body"):
                    return bytes(body)
                event = await receive()
    except TimeoutError as exc:
        raise BadRequest("The body did not come in time") from exc
    raise Disconnected


def _within(body: B, limit: int) -> B:
    if len(body) > limit:
        raise TooLarge("The request is too large")
    return body


def parse_body(content_type: str, body: bytes, params: dict[str, Any]) -> dict[str, Upload]:
    """Add the parameters of a body to `params`; its files. A content type we do not read adds nothing.

    Raises: BadRequest.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        params.update(_json_object(body))
    elif kind == "application/x-www-form-urlencoded":
        nest(decode_pairs(body), params)
    elif kind == "multipart/form-data":
        return _multipart(content_type, body, params)
    return {}


def _json_object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        value = _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError) as exc:
        raise BadRequest("Error occurred while parsing request parameters") from exc
    if not isinstance(value, dict):
        return {"_json": value}
    if b"\\u0000" in body or b"\0" in body:
        raise BadRequest("Invalid parameters: string contains null byte")
    _check_depth(value, _MAX_JSON_DEPTH)
    return value


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise BadRequest("Invalid parameters: they are nested too deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        if isinstance(item, dict | list):
            _check_depth(item, left - 1)


def _multipart(content_type: str, body: bytes, params: dict[str, Any]) -> dict[str, Upload]:
    options = MultipartParseOptions()
    options.max_body_part_count = MAX_PARTS
    options.max_body_part_buffer_size = len(body)
    options.max_body_part_headers_size = PART_HEADERS_BYTES
    handler = MultipartFormHandler(options)
    files: dict[str, Upload] = {}
    pairs: list[tuple[str, Any]] = []
    try:
        for part in handler.deserialize(io.BytesIO(body), content_type, len(body)):
            name, data = checked_text(part.name or ""), part.get_data()
            if part.filename is None:
                pairs.append((name, checked_text(data)))
            elif len(files) < MAX_FILES:
                files[name] = Upload(
                    filename=checked_text(part.filename), content_type=part.content_type, file=io.BytesIO(data)
                )
            else:
                raise BadRequest("Too many files")
    except (falcon.HTTPError, ValueError, LookupError) as exc:
        raise BadRequest("Invalid request: the multipart body cannot be read") from exc
    nest(pairs, params)
    return files


def checked_text(value: bytes | str) -> str:
    """Text of a form.

    Raises: BadRequest, UnicodeDecodeError.
    """
    text = value.decode() if isinstance(value, bytes) else value
    if "\0" in text:
        raise BadRequest("Invalid parameters: string contains null byte")
    return text
