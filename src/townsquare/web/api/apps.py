"""Client programs: register one, look at one's own.

Box: web. Source: Mastodon API, /methods/apps/
"""

import msgspec

from townsquare.model.account import App, Token
from townsquare.model.errors import Unauthorized
from townsquare.render.app import app_dict, credential_app_dict
from townsquare.social import apps
from townsquare.social.ports import Ports
from townsquare.social.server_values import vapid_public_key
from townsquare.web.routes import Access, Limit, Request, Response, Route, json_response


class _Create(msgspec.Struct, frozen=True):
    client_name: str = ""
    redirect_uris: str | list[str] = ""
    scopes: str | list[str] | None = None
    website: str | None = None


async def create(request: Request, ports: Ports) -> Response:
    """Register a client program and tell it its secret."""
    form = request.read(_Create)
    app, secret = await apps.register(
        ports,
        name=form.client_name,
        redirect_uris=form.redirect_uris,
        scopes=form.scopes,
        website=form.website or "",
    )
    return json_response(credential_app_dict(app, secret=secret, vapid_key=await vapid_public_key(ports)))


async def verify_credentials(request: Request, ports: Ports) -> Response:
    """The client program that the token belongs to."""
    if request.session is None:
        raise Unauthorized
    token = request.session.token
    app = await apps.find_app(ports, token.client_id) if token.client_id else _own_app(token)
    if app is None:
        raise Unauthorized
    return json_response(app_dict(app, vapid_key=await vapid_public_key(ports)))


def _own_app(token: Token) -> App:
    """What stands for the server itself, whose command line made the token."""
    return App(client_id="", app_id=0, secret_hash=b"", name=token.app_name or "Townsquare", scopes=token.scopes)


ROUTES = [
    Route("POST", "/api/v1/apps", create, access=Access.PUBLIC, limit=Limit.APPS),
    Route("GET", "/api/v1/apps/verify_credentials", verify_credentials, access=Access.APP),
]
