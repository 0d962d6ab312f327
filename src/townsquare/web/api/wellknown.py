"""What other programs ask a server first: who it is and where things are.

Box: web. Source: RFC 6415, RFC 7033, RFC 8414, NodeInfo 2.0, https://w3c.github.io/webappsec-change-password-url/
"""

from typing import Any
from urllib.parse import urlsplit

from townsquare import __version__
from townsquare.kit.html import text
from townsquare.model.account import Account
from townsquare.model.errors import BadRequest, NotFound
from townsquare.model.scopes import SCOPES
from townsquare.render.account import account_url, avatar_url
from townsquare.social.ports import Ports
from townsquare.social.server_stats import read_stats
from townsquare.store.accounts import by_handle
from townsquare.web.routes import Access, CacheClass, Request, Response, Route, json_response

_SCHEMA = "http://nodeinfo.diaspora.software/ns/schema/2.0"
_NAME_CHARACTERS = 30
_RESOURCE_CHARACTERS = 2000
_JRD = "application/jrd+json; charset=utf-8"


async def host_meta(request: Request, ports: Ports) -> Response:
    """Where WebFinger is, as XML or, if asked for, as JSON."""
    template = f"{ports.settings.url}/.well-known/webfinger?resource={{uri}}"
    if "json" in request.headers.get("accept", ""):
        return await host_meta_json(request, ports)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">\n'
        f'  <Link rel="lrdd" template="{text(template)}"/>\n</XRD>\n'
    )
    return Response(body.encode(), content_type="application/xrd+xml; charset=utf-8")


async def host_meta_json(request: Request, ports: Ports) -> Response:
    """Where WebFinger is, as JSON."""
    template = f"{ports.settings.url}/.well-known/webfinger?resource={{uri}}"
    return json_response({"links": [{"rel": "lrdd", "template": template}]})


async def webfinger(request: Request, ports: Ports) -> Response:
    """A local account by its address or the link of its profile."""
    resource = request.params.get("resource")
    if not isinstance(resource, str) or not 0 < len(resource) <= _RESOURCE_CHARACTERS:
        raise BadRequest("param is missing or the value is empty: resource")
    name = _name_in(resource, ports)
    account = await by_handle(ports.store, name) if name else None
    if account is None or account.is_gone:
        raise NotFound
    answer = json_response(_jrd(account, ports))
    answer.content_type = _JRD
    return answer


def _jrd(account: Account, ports: Ports) -> dict[str, Any]:
    base = ports.settings.base
    url = account_url(account, base)
    return {
        "subject": f"acct:{account.username}@{ports.settings.domain}",
        "aliases": [url],
        "links": [
            {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": url},
            {"rel": "http://webfinger.net/rel/avatar", "type": "image/png", "href": avatar_url(account, base)},
        ],
    }


def _name_in(resource: str, ports: Ports) -> str:
    """The local name that a resource stands for, empty for none."""
    name = ""
    if resource.startswith(("https://", "http://")):
        path = resource.removeprefix(ports.settings.url)
        name = path[2:] if path.startswith("/@") else path.removeprefix("/users/") if path.startswith("/users/") else ""
    else:
        address = resource.removeprefix("acct:").removeprefix("@")
        local, at, domain = address.partition("@")
        hosts = (ports.settings.domain.lower(), urlsplit(ports.settings.url).hostname)
        name = local if at and domain.lower() in hosts else ""
    plain = name.isascii() and name.replace("_", "a").isalnum() and len(name) <= _NAME_CHARACTERS
    return name if plain else ""


async def nodeinfo_links(request: Request, ports: Ports) -> Response:
    """Where NodeInfo is."""
    return json_response({"links": [{"rel": _SCHEMA, "href": f"{ports.settings.url}/nodeinfo/2.0"}]})


async def nodeinfo(request: Request, ports: Ports) -> Response:
    """The software and its use, in the form of NodeInfo 2.0."""
    stats = await read_stats(ports)
    users = {"total": stats.users, "activeMonth": stats.active_month, "activeHalfyear": stats.active_half_year}
    body = {
        "version": "2.0",
        "software": {"name": "townsquare", "version": __version__},
        "protocols": [],
        "services": {"inbound": [], "outbound": []},
        "usage": {"users": users, "localPosts": stats.statuses},
        "openRegistrations": ports.settings.sign_ups,
        "metadata": {"nodeName": ports.settings.title, "nodeDescription": ports.settings.description},
    }
    return json_response(body)


async def oauth_server(request: Request, ports: Ports) -> Response:
    """What the OAuth endpoints are and can do."""
    base = ports.settings.url
    grants = ["authorization_code", "client_credentials", *(["password"] if ports.settings.test_mode else [])]
    body = {
        "issuer": f"{base}/",
        "service_documentation": "https://docs.joinmastodon.org/",
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "app_registration_endpoint": f"{base}/api/v1/apps",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "userinfo_endpoint": f"{base}/oauth/userinfo",
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "grant_types_supported": grants,
        "code_challenge_methods_supported": ["S256"],
    }
    return json_response(body)


async def change_password(request: Request, ports: Ports) -> Response:
    """Where a password is changed."""
    return Response(b"", 302, headers=(("location", "/auth/password/new"),))


ROUTES = [
    Route("GET", path, handler, access=Access.PUBLIC, cache=cache)
    for path, handler, cache in (
        ("/.well-known/host-meta", host_meta, CacheClass.DAYS),
        ("/.well-known/host-meta.json", host_meta_json, CacheClass.DAYS),
        ("/.well-known/webfinger", webfinger, CacheClass.INSTANCE),
        ("/.well-known/nodeinfo", nodeinfo_links, CacheClass.DAYS),
        ("/nodeinfo/2.0", nodeinfo, CacheClass.HALF_HOUR),
        ("/.well-known/oauth-authorization-server", oauth_server, CacheClass.INSTANCE),
        ("/.well-known/change-password", change_password, CacheClass.INSTANCE),
    )
]
