"""Uploading pictures, films and sounds, and what is said of them.

Box: web. Source: Mastodon API, /methods/media/
"""

from math import isfinite

import msgspec

from townsquare.model.errors import Invalid
from townsquare.model.status import Media
from townsquare.render.media import media_json
from townsquare.social import media
from townsquare.social.ports import Ports
from townsquare.web.routes import Limit, Request, Response, Route

BODY_LIMIT_BYTES = 101 << 20  # a film of 99 MiB and what is around it
_WAIT_S = 1.0  # for the worker; most pictures take a third of that
_FILM_WAIT_S = 20.0  # where the client waits for the whole
_SCOPE = ("write:media",)


class _Said(msgspec.Struct):
    """What may come with the file."""

    description: str | None = None
    focus: str | None = None


async def upload_and_wait(request: Request, ports: Ports) -> Response:
    """Upload a file; the answer comes when it is ready, of a film after 20 s at most."""
    row = await _upload(request, ports, queue=False)
    if row.kind != media.IMAGE:
        return await _finished(request, ports, await media.wait_until_made(ports, row, wait_s=_FILM_WAIT_S))
    return await _finished(request, ports, await media.work_on(ports, row.media_id))


async def upload(request: Request, ports: Ports) -> Response:
    """Upload a file. 200 when it is ready; 202 with `url: null` when it is still worked on."""
    row = await _upload(request, ports, queue=True)
    return await _finished(request, ports, await media.wait_until_made(ports, row, wait_s=_WAIT_S))


async def show(request: Request, ports: Ports) -> Response:
    """An upload that no status holds yet. 206 while it is worked on."""
    row = await media.unattached(ports, request.id(), account_id=request.account.account_id)
    if row.state == "failed":
        raise Invalid(row.error)
    return Response(media_json(row, ports.settings.base), status=206 if row.state == "pending" else 200)


async def describe(request: Request, ports: Ports) -> Response:
    """Change the description or the focal point of an upload that no status holds yet."""
    said = request.read(_Said)
    row = await media.describe(
        ports,
        request.id(),
        account_id=request.account.account_id,
        description=said.description,
        focus=read_focus(said.focus),
    )
    return Response(media_json(row, ports.settings.base))


async def discard(request: Request, ports: Ports) -> Response:
    """Delete an upload that no status holds."""
    await media.discard(ports, request.id(), account_id=request.account.account_id)
    return Response(b"{}")


def read_focus(text: str | None) -> tuple[float, float] | None:
    """A focal point from `x,y`, each from -1 to 1. None where nothing is said.

    Raises: Invalid.
    """
    if not text:
        return None
    try:
        x, y = (float(part) for part in text[:100].split(","))
    except ValueError:
        x = y = float("nan")
    if not (isfinite(x) and isfinite(y) and -1 <= x <= 1 and -1 <= y <= 1):
        said = ("ERR_INVALID", "must be two numbers from -1 to 1 with a comma between them")
        raise Invalid(f"Validation failed: Focus {said[1]}", {"focus": [said]})
    return x, y


async def _upload(request: Request, ports: Ports, *, queue: bool) -> Media:
    file = request.files.get("file")
    if file is None or not file.size:
        raise Invalid("Validation failed: File can't be blank", {"file": [("ERR_BLANK", "can't be blank")]})
    said = request.read(_Said)
    return await media.upload(
        ports,
        account_id=request.account.account_id,
        file=file.file,
        description=said.description or "",
        focus=read_focus(said.focus),
        queue=queue,
    )


async def _finished(request: Request, ports: Ports, row: Media) -> Response:
    if row.state == "failed":
        await media.discard(ports, row.media_id, account_id=request.account.account_id)
        raise Invalid(row.error)
    return Response(media_json(row, ports.settings.base), status=202 if row.state == "pending" else 200)


ROUTES = [
    Route("POST", "/api/v1/media", upload_and_wait, scope=_SCOPE, limit=Limit.MEDIA, body_limit_bytes=BODY_LIMIT_BYTES),
    Route("POST", "/api/v2/media", upload, scope=_SCOPE, limit=Limit.MEDIA, body_limit_bytes=BODY_LIMIT_BYTES),
    Route("GET", "/api/v1/media/{id}", show, scope=_SCOPE),
    Route("PUT", "/api/v1/media/{id}", describe, scope=_SCOPE),
    Route("DELETE", "/api/v1/media/{id}", discard, scope=_SCOPE),
]
