"""What all OAuth endpoints share: the errors' form, and who the client program is.

Box: web. Source: RFC 6749, 2.3.1 and 5.2
"""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from townsquare.model.account import App
from townsquare.social import apps
from townsquare.social.ports import Ports
from townsquare.web.routes import Request, Response, json_response

DESCRIPTIONS = {
    "invalid_request": "The request is missing a required parameter, includes an unsupported parameter value, or is "
    "otherwise malformed.",
    "invalid_client": "Client authentication failed due to unknown client, no client authentication included, or "
    "unsupported authentication method.",
    "invalid_scope": "The requested scope is invalid, unknown, or malformed.",
    "unauthorized_client": "You are not authorized to revoke this token",
    "unsupported_grant_type": "The authorization grant type is not supported by the authorization server.",
    "access_denied": "The resource owner or authorization server denied the request.",
    "unsupported_response_type": "The authorization server does not support this response type.",
    "invalid_redirect_uri": "The requested redirect uri is malformed or doesn't match client redirect URI.",
    "invalid_code_challenge_method": "The code_challenge_method must be S256.",
    "invalid_grant": "The provided authorization grant is invalid, expired, revoked, does not match the redirection "
    "URI used in the authorization request, or was issued to another client.",
}


class OAuthError(Exception):
    """Ends an OAuth request with one of RFC 6749's codes."""

    def __init__(self, code: str, *, status: int = 400, description: str = "") -> None:
        super().__init__(code)
        self.code, self.status, self.description = code, status, description or DESCRIPTIONS[code]

    def response(self) -> Response:
        """The error as its answer."""
        headers = (("www-authenticate", 'Basic realm="Townsquare"'),) if self.status == 401 else ()
        body = {"error": self.code, "error_description": self.description}
        return json_response(body, status=self.status, headers=headers)


def text_param(request: Request, name: str) -> str:
    """A parameter that must be a text, empty where it is missing.

    Raises: OAuthError where it is something else.
    """
    value: Any = request.params.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise OAuthError("invalid_request")
    return value


async def proven_client(request: Request, ports: Ports) -> App:
    """The client program, by HTTP Basic or by `client_id` and `client_secret` in the body.

    Raises: OAuthError.
    """
    client_id, secret = _credentials(request)
    app = await apps.prove_app(ports, client_id, secret)
    if app is None:
        raise OAuthError("invalid_client", status=401)
    return app


def _credentials(request: Request) -> tuple[str, str]:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return text_param(request, "client_id"), text_param(request, "client_secret")
    try:
        client_id, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise OAuthError("invalid_client", status=401) from exc
    return unquote_plus(client_id), unquote_plus(secret)
