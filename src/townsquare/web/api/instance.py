"""The server itself: what it is, what it allows, who is here.

Box: web. Source: Mastodon API, /methods/instance/
"""

from functools import partial

import msgspec

from townsquare.kit.languages import LANGUAGES
from townsquare.render import instance as render
from townsquare.social.hydrate import account_jsons
from townsquare.social.ports import Ports
from townsquare.social.server_stats import read_stats
from townsquare.social.server_values import read_value, vapid_public_key
from townsquare.social.users import OWNER_SETTING
from townsquare.web.routes import Access, CacheClass, Request, Response, Route, json_response

_V1_DEPRECATED = (("deprecation", "@1668384000"),)


async def v2(request: Request, ports: Ports) -> Response:
    """The server: its name, limits, rules and contact."""
    return json_response(render.instance_dict(ports.settings, await _facts(ports)))


async def v1(request: Request, ports: Ports) -> Response:
    """The server, in the form of version 1."""
    return json_response(render.instance_v1_dict(ports.settings, await _facts(ports)), headers=_V1_DEPRECATED)


async def _facts(ports: Ports) -> render.Facts:
    stats = await read_stats(ports)
    owner = await read_value(ports, OWNER_SETTING)
    contact = (await account_jsons(ports, [int(owner)]))[0] if owner else None
    return render.Facts(
        users=stats.users,
        statuses=stats.statuses,
        active_month=stats.active_month,
        contact=msgspec.Raw(contact) if contact else None,
        vapid_key=await vapid_public_key(ports),
        plays=ports.film_studio.is_open and ports.settings.video_mb > 0,
    )


async def rules(request: Request, ports: Ports) -> Response:
    """The server's rules."""
    return json_response(render.rule_dicts(ports.settings))


async def activity(request: Request, ports: Ports) -> Response:
    """Statuses, active accounts and sign-ups of the last twelve weeks."""
    weeks = (await read_stats(ports)).weeks
    return json_response([
        {
            "week": str(week.start_ms // 1000),
            "statuses": str(week.statuses),
            "logins": str(week.active),
            "registrations": str(week.registrations),
        }
        for week in weeks
    ])  # fmt: skip


async def peers(request: Request, ports: Ports) -> Response:
    """Other servers that this one knows: none, since it stands alone."""
    return json_response([])


async def domain_blocks(request: Request, ports: Ports) -> Response:
    """Servers that this one does not talk to."""
    return json_response([])


async def extended_description(request: Request, ports: Ports) -> Response:
    """What the server says of itself."""
    return json_response(render.extended_description_dict(ports.settings))


async def privacy_policy(request: Request, ports: Ports) -> Response:
    """What the server does with people's data."""
    return json_response({"updated_at": render.POLICY_UPDATED, "content": render.PRIVACY_POLICY})


async def languages(request: Request, ports: Ports) -> Response:
    """Languages that a status can be in."""
    return json_response([{"code": code, "name": name} for code, name in LANGUAGES.items()])


async def translation_languages(request: Request, ports: Ports) -> Response:
    """Languages that can be translated: none, since no translator is connected."""
    return json_response({})


_get = partial(Route, "GET", access=Access.PUBLIC, cache=CacheClass.INSTANCE)

ROUTES = [
    _get("/api/v2/instance", v2),
    _get("/api/v1/instance", v1),
    _get("/api/v1/instance/rules", rules),
    _get("/api/v1/instance/activity", activity),
    _get("/api/v1/instance/peers", peers),
    _get("/api/v1/peers/search", peers),
    _get("/api/v1/instance/domain_blocks", domain_blocks),
    _get("/api/v1/instance/extended_description", extended_description),
    _get("/api/v1/instance/privacy_policy", privacy_policy),
    _get("/api/v1/instance/languages", languages),
    _get("/api/v1/instance/translation_languages", translation_languages),
]
