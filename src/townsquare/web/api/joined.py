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
    """A page of statuses; `last` as for `scanned_links`."""
    ids = [view.status.status_id for view in views]
    return Response(status_list_json(views), headers=scanned_links(request, ids, window, last))


def scanned_links(request: Request, ids: Sequence[int], window: Window, last: int | None) -> Headers:
    """The Link header of a page with these ids, newest first. `last`: the last id that was looked at, where the list
    goes on (None: it ends); it leads on even if all up to it was hidden from the viewer."""
    newest, oldest = (ids[0], ids[-1]) if ids else (last or 0, last or 0)
    if window.forward:
        newest, has_next = last or newest, bool(ids)
    else:
        oldest, has_next = last or oldest, last is not None
    return link_header(request, newest, oldest, 2 if has_next else 1, 2) if newest else ()
