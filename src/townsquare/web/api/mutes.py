"""Whom one mutes.

Box: web. Source: Mastodon API, /methods/mutes/
"""

from townsquare.kit.clock import iso
from townsquare.social import relations
from townsquare.social.ports import Ports
from townsquare.web.api.joined import joined
from townsquare.web.paging import link_header, window
from townsquare.web.routes import Request, Response, Route


async def mutes(request: Request, ports: Ports) -> Response:
    """Whom the viewer mutes and until when, paged by account id."""
    page = window(request, 40, 80)
    rows = await relations.listed(ports, actor=request.account, kind="mute", window=page)
    people = await relations.standing_of(ports, [row.other for row in rows])
    parts = []
    for row in rows:
        if row.other in people:
            until = b'"%b"' % iso(row.expires_ms).encode() if row.expires_ms else b"null"
            parts.append(people[row.other][:-1] + b',"mute_expires_at":' + until + b"}")
    headers = (
        link_header(request, rows[0].other, rows[-1].other, len(rows), page.limit, prev="since_id") if rows else ()
    )
    return joined(parts, headers)


ROUTES = [Route("GET", "/api/v1/mutes", mutes, scope=("read:mutes",))]
