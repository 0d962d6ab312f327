"""A user's preferences, as clients read them.

Box: web. Source: Mastodon API, /methods/preferences/
"""

from townsquare.model.errors import Unauthorized
from townsquare.social.ports import Ports
from townsquare.web.routes import Request, Response, Route, json_response


async def show(request: Request, ports: Ports) -> Response:
    """The defaults of new statuses, and how to read."""
    user = request.session.user if request.session else None
    if user is None:
        raise Unauthorized
    body = {
        "posting:default:visibility": user.privacy,
        "posting:default:sensitive": user.sensitive,
        "posting:default:language": user.language or None,
        "posting:default:quote_policy": user.quote_policy,
        "reading:expand:media": "default",
        "reading:expand:spoilers": False,
        "reading:autoplay:gifs": False,
    }
    return json_response(body)


ROUTES = [Route("GET", "/api/v1/preferences", show, scope=("read:accounts",))]
