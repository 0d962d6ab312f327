"""Tokens for programs: get one, end one, and who stands behind one.

Box: web. Source: Mastodon API, /methods/oauth/#token
"""

from townsquare.kit.secrets import hash_secret
from townsquare.model.account import App
from townsquare.model.errors import Forbidden, Invalid
from townsquare.model.scopes import is_within, read_scopes
from townsquare.render.account import account_url, avatar_url
from townsquare.render.app import token_dict
from townsquare.social import grants, tokens, users
from townsquare.social.ports import Ports
from townsquare.store.tables import TOKENS
from townsquare.web.oauth.answers import OAuthError, proven_client, text_param
from townsquare.web.routes import Access, Request, Response, Route, json_response

_BODY_BYTES = 1 << 16


async def create(request: Request, ports: Ports) -> Response:
    """Get a token: for a code, for the program itself, or (in test mode alone) for a password."""
    try:
        grant = text_param(request, "grant_type")
        if not grant:
            raise OAuthError("invalid_request", description="Missing required parameter: grant_type.")
        if grant == "authorization_code":
            return await _by_code(request, ports)
        if grant == "client_credentials":
            return await _for_program(request, ports)
        if grant == "password" and ports.settings.test_mode:
            return await _by_password(request, ports)
        raise OAuthError("unsupported_grant_type")
    except OAuthError as error:
        return error.response()
    except grants.InvalidGrant:
        return OAuthError("invalid_grant").response()


async def _by_code(request: Request, ports: Ports) -> Response:
    app = await proven_client(request, ports)
    code = text_param(request, "code")
    if not code:
        raise OAuthError("invalid_request", description="Missing required parameter: code.")
    secret, token = await grants.redeem(
        ports,
        app=app,
        code=code,
        redirect_uri=text_param(request, "redirect_uri"),
        verifier=text_param(request, "code_verifier"),
    )
    return json_response(token_dict(secret, token))


async def _for_program(request: Request, ports: Ports) -> Response:
    app = await proven_client(request, ports)
    scopes = asked_scopes(app, text_param(request, "scope"))
    return json_response(token_dict(*await tokens.issue_token(ports, account_id=0, app=app, scopes=scopes)))


async def _by_password(request: Request, ports: Ports) -> Response:
    app = await proven_client(request, ports)
    scopes = asked_scopes(app, text_param(request, "scope"))
    try:
        account, _ = await users.authenticate(
            ports, login=text_param(request, "username"), password=text_param(request, "password")
        )
    except (Invalid, Forbidden) as exc:
        raise grants.InvalidGrant from exc
    secret, token = await tokens.issue_token(ports, account_id=account.account_id, app=app, scopes=scopes)
    return json_response(token_dict(secret, token))


def asked_scopes(app: App, text: str) -> tuple[str, ...]:
    """The scopes that a program asks for, if it registered them.

    Raises: OAuthError.
    """
    try:
        scopes = read_scopes(text)
    except Invalid as exc:
        raise OAuthError("invalid_scope") from exc
    if not is_within(scopes, app.scopes):
        raise OAuthError("invalid_scope")
    return scopes


async def revoke(request: Request, ports: Ports) -> Response:
    """End a token of one's own program. One that nobody knows is no error."""
    try:
        app = await proven_client(request, ports)
        secret = text_param(request, "token")
    except OAuthError:
        return OAuthError("unauthorized_client", status=403).response()
    token = await ports.store.get(TOKENS, (hash_secret(secret),))
    if token is not None and token.client_id != app.client_id:
        return OAuthError("unauthorized_client", status=403).response()
    if token is not None:
        await tokens.revoke_token(ports, token)
    return json_response({})


async def userinfo(request: Request, ports: Ports) -> Response:
    """Who stands behind the token, as OpenID Connect names it."""
    account, base = request.account, ports.settings.base
    claims = {
        "iss": f"{base}/",
        "sub": f"{base}/ap/users/{account.account_id}",
        "name": account.display_name or account.username,
        "preferred_username": account.username,
        "profile": account_url(account, base),
        "picture": avatar_url(account, base),
    }
    return json_response(claims)


ROUTES = [
    Route("POST", "/oauth/token", create, access=Access.PUBLIC, body_limit_bytes=_BODY_BYTES),
    Route("POST", "/oauth/revoke", revoke, access=Access.PUBLIC, body_limit_bytes=_BODY_BYTES),
    Route("GET", "/oauth/userinfo", userinfo, scope=("profile",)),
    Route("POST", "/oauth/userinfo", userinfo, scope=("profile",)),
]
