"""Answers joined from kept bytes: lists of accounts and of statuses, with their Link headers.

Box: web.
"""

from collections.abc import Sequence
from typing import Literal

from townsquare.model.paging import Window
from townsquare.render.status import StatusView, status_list_json
from townsquare.social.accounts import shown_jsons
from townsquare.social.ports import Ports
from townsquare.web.paging import Headers, link_header
from townsquare.web.routes import Request, Response


def joined(parts: Sequence[bytes], headers: Headers = ()) -> Response:
    """A JSON list of what is JSON already."""
    return Response(b"[" + b",".join(parts) + b"]", headers=headers)


async def account_list(
    request: Request,
    ports: Ports,
    ids: Sequence[int],
    window: Window,
    *,
    prev: Literal["min_id", "since_id"] = "min_id",
) -> Response:
    """A page of accounts, paged by account id."""
    headers = link_header(request, ids[0], ids[-1], len(ids), window.limit, prev=prev) if ids else ()
    return joined(await shown_jsons(ports, ids), headers)


def status_list(request: Request, views: Sequence[StatusView], window: Window, last: int | None) -> Response:
    """A page of statuses. `last`: the last id that was looked at, where the list goes on; it leads to a next page even
    if all between was hidden from the viewer."""
    if window.forward:
        first, next_id, full = (views[0].status.status_id if views else 0), 0, False
        if views:
            next_id, full = views[-1].status.status_id, True
    else:
        first = views[0].status.status_id if views else 0
        next_id, full = last or 0, last is not None
    if not views and not full:
        return Response(b"[]")
    count = window.limit if full else min(len(views), window.limit - 1) or 1
    headers = link_header(request, first or next_id, next_id, count, window.limit)
    return Response(status_list_json(views), headers=headers)
