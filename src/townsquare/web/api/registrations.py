"""Sign up by the API, with a client program's own token.

Box: web. Source: Mastodon API, /methods/accounts/#create
"""

import msgspec

from townsquare.model.errors import Forbidden, Invalid, Unauthorized
from townsquare.render.app import token_dict
from townsquare.social import apps, users
from townsquare.social.ports import Ports
from townsquare.social.tokens import issue_token
from townsquare.web.routes import Access, Limit, Request, Response, Route, json_response

_REASON_CHARACTERS = 10_000


class _Create(msgspec.Struct, frozen=True):
    username: str = ""
    email: str = ""
    password: str = ""
    agreement: bool = False
    locale: str = ""
    reason: str = ""


async def create(request: Request, ports: Ports) -> Response:
    """Make an account; the token that comes back works once its address is confirmed."""
    token = request.session.token if request.session else None
    app = await apps.find_app(ports, token.client_id) if token else None
    if token is None or app is None:
        raise Unauthorized
    if not ports.settings.sign_ups or token.account_id:
        raise Forbidden
    form = request.read(_Create)
    if len(form.reason) > _REASON_CHARACTERS:
        raise Invalid("Validation failed: Reason is too long", {"reason": [("ERR_TOO_LONG", "is too long")]})
    account, _ = await users.sign_up(
        ports,
        username=form.username,
        email=form.email,
        password=form.password,
        agreed=form.agreement,
        locale=form.locale or "en",
    )
    secret, made = await issue_token(ports, account_id=account.account_id, app=app, scopes=app.scopes)
    return json_response(token_dict(secret, made))


ROUTES = [
    Route(
        "POST", "/api/v1/accounts", create, access=Access.APP, scope=("write:accounts",), limit=Limit.SIGN_UP,
        body_limit_bytes=1 << 16,
    )
]  # fmt: skip
