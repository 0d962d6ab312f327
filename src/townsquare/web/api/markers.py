"""How far a user has read.

Box: web. Source: Mastodon API, /methods/markers/
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from townsquare.kit.clock import iso
from townsquare.model.errors import Invalid
from townsquare.social import markers
from townsquare.social.ports import Ports
from townsquare.store.tables import MarkerRow
from townsquare.web.params import read_id
from townsquare.web.routes import Request, Response, Route, json_response


class _Show(msgspec.Struct, frozen=True):
    timeline: list[str] = []


class _Place(msgspec.Struct, frozen=True):
    last_read_id: str


class _Move(msgspec.Struct, frozen=True):
    home: _Place | None = None
    notifications: _Place | None = None


async def show(request: Request, ports: Ports) -> Response:
    """The markers of the timelines that are asked for."""
    asked = request.read(_Show).timeline
    known = [timeline for timeline in markers.TIMELINES if timeline in asked]
    return json_response(_dict(await markers.read_markers(ports, actor=request.account, timelines=known)))


async def move(request: Request, ports: Ports) -> Response:
    """Say how far one has read."""
    form = request.read(_Move)
    places = {"home": form.home, "notifications": form.notifications}
    to = {timeline: _id(place.last_read_id) for timeline, place in places.items() if place}
    return json_response(_dict(await markers.move_markers(ports, actor=request.account, to=to)))


def _id(text: str) -> int:
    number = read_id(text)
    if number is None:
        raise Invalid("Validation failed: Last read is invalid", {"last_read_id": [("ERR_INVALID", "is invalid")]})
    return number


def _dict(rows: Sequence[MarkerRow]) -> dict[str, Any]:
    return {
        row.timeline: {
            "last_read_id": str(row.last_read_id),
            "version": row.version,
            "updated_at": iso(row.updated_ms),
        }
        for row in rows
    }


ROUTES = [
    Route("GET", "/api/v1/markers", show, scope=("read:statuses",)),
    Route("POST", "/api/v1/markers", move, scope=("write:statuses",), body_limit_bytes=1 << 16),
]
