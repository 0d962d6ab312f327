"""A user's e-mail address before it is confirmed.

Box: web. Source: Mastodon API, /methods/emails/
"""

import msgspec

from townsquare.model.account import User
from townsquare.model.errors import Forbidden, Invalid
from townsquare.social import users
from townsquare.social.ports import Ports
from townsquare.web.routes import Access, Limit, Request, Response, Route, json_response


class _Resend(msgspec.Struct, frozen=True):
    email: str = ""


async def resend(request: Request, ports: Ports) -> Response:
    """Send the confirmation mail again, or to another address."""
    user = _user(request)
    if user.confirmed:
        raise Forbidden("This method is only available while the e-mail is awaiting confirmation")
    email = request.read(_Resend).email
    if email and email != user.email:
        await users.change_email(ports, user.account_id, email)
    else:
        await users.send_confirmation(ports, user)
    return json_response({})


async def check_confirmation(request: Request, ports: Ports) -> Response:
    """Whether the address is confirmed."""
    return json_response(_user(request).confirmed)


def _user(request: Request) -> User:
    if request.session is None or request.session.user is None:
        raise Invalid("This method requires an authenticated user")
    return request.session.user


ROUTES = [
    Route("POST", "/api/v1/emails/confirmations", resend, access=Access.PENDING, limit=Limit.SIGN_UP),
    Route("GET", "/api/v1/emails/check_confirmation", check_confirmation, access=Access.PENDING),
]
