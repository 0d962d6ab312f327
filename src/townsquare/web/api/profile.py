"""One's own profile, as typed and as shown.

Box: web. Source: Mastodon API, /methods/profile/
"""

from townsquare.render.profile import profile as profile_page
from townsquare.social import profile
from townsquare.social.ports import Ports
from townsquare.social.profile import Profile, ProfileChange
from townsquare.social.profile_pictures import change_profile_and_pictures
from townsquare.web.api.accounts import UPLOAD_BYTES, changed_profile, credentials_response
from townsquare.web.routes import Request, Response, Route, json_response


async def show(request: Request, ports: Ports) -> Response:
    """The profile of the account that asks."""
    return _shown(await profile.profile_of(ports, request.account.account_id), ports)


async def change(request: Request, ports: Ports) -> Response:
    """Change the profile of the account that asks."""
    return _shown(await changed_profile(request, ports), ports)


def _shown(found: Profile, ports: Ports) -> Response:
    return json_response(profile_page(found.account, ports.settings.base))


async def delete_avatar(request: Request, ports: Ports) -> Response:
    """Take one's picture away; the drawn one is shown again."""
    gone = ProfileChange(avatar="", avatar_static="", avatar_description="")
    return credentials_response(await change_profile_and_pictures(ports, request.account.account_id, gone), ports)


async def delete_header(request: Request, ports: Ports) -> Response:
    """Take one's wide picture away."""
    gone = ProfileChange(header="", header_static="", header_description="")
    return credentials_response(await change_profile_and_pictures(ports, request.account.account_id, gone), ports)


_WRITE = ("write:accounts",)

ROUTES = [
    Route("GET", "/api/v1/profile", show, scope=("profile", "read:accounts")),
    Route("PATCH", "/api/v1/profile", change, scope=_WRITE, body_limit_bytes=UPLOAD_BYTES),
    Route("DELETE", "/api/v1/profile/avatar", delete_avatar, scope=_WRITE),
    Route("DELETE", "/api/v1/profile/header", delete_header, scope=_WRITE),
]
