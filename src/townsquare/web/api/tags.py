"""Hashtags.

Box: web. Source: Mastodon API, /methods/tags/
"""

from townsquare.render.tag import tag as tag_json
from townsquare.social.ports import Ports
from townsquare.social.tags import tag_of
from townsquare.web.routes import Access, Request, Response, Route, json_response


async def tag(request: Request, ports: Ports) -> Response:
    """A hashtag and how much it was used in the last seven days."""
    found = await tag_of(ports, request.path_params["name"])
    return json_response(tag_json(found.name, ports.settings.url, tag_id=found.tag_id, history=found.history))


ROUTES = [Route("GET", "/api/v1/tags/{name}", tag, access=Access.PUBLIC)]
