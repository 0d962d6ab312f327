"""Files of people, by the address that was given out for them. A web server in front may serve them instead.

Box: web. Only what the media box made itself has such an address: a picture with a media type of our own list. Uploads
that still wait to be worked on have none.
"""

import re

from townsquare.media.picture import CONTENT_TYPES
from townsquare.model.errors import NotFound
from townsquare.social.ports import Ports
from townsquare.web.routes import Access, CacheClass, Limit, Request, Response, Route

_FOLDER = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(rf"[0-9a-f]{{28}}\.({'|'.join(CONTENT_TYPES)})")
_HEADERS = (
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("access-control-allow-origin", "*"),
    ("vary", "Origin"),
)


async def show(request: Request, ports: Ports) -> Response:
    """A picture that somebody uploaded, under its unguessable name."""
    folder, inner, name = (request.path_params[part] for part in ("folder", "inner", "name"))
    known = _NAME.fullmatch(name)
    if not (_FOLDER.fullmatch(folder) and _FOLDER.fullmatch(inner) and known):
        raise NotFound
    data = await ports.media.get(f"{folder}/{inner}/{name}")
    if data is None:
        raise NotFound
    return Response(data, content_type=CONTENT_TYPES[known[1]], headers=_HEADERS)


ROUTES = [
    Route(
        "GET",
        "/media/{folder}/{inner}/{name}",
        show,
        access=Access.PUBLIC,
        limit=Limit.NONE,
        cache=CacheClass.IMMUTABLE,
    )
]
