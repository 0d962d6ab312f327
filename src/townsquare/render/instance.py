"""The server itself as JSON.

Box: render. Source: Mastodon API, /entities/Instance/, /entities/V1_Instance/
"""

from typing import Any

import msgspec

from townsquare import __version__
from townsquare.media import probe
from townsquare.media.containers import AUDIO_MIME_TYPES, VIDEO_MIME_TYPES
from townsquare.media.headers import MAX_BYTES, MAX_PIXELS, MIME_TYPES
from townsquare.render.content import content_html
from townsquare.settings import Settings

API_VERSION = 11  # of Mastodon's API, as `api_versions` counts it
VERSION = f"4.7.3 (compatible; Townsquare {__version__})"
POLICY_UPDATED = "2026-11-24T00:00:00.000Z"
PRIVACY_POLICY = (
    "<p>This server keeps what you give it: your account's name, e-mail address and profile, a hash of your password, "
    "what you post, and what you do with the posts of others.</p>"
    "<p>Public posts can be read by anyone. Posts to your followers and direct posts are shown to those they are for, "
    "and can be read by those who run the server.</p>"
    "<p>It sets cookies to keep you signed in and to protect its forms, and none besides. It does not sell data and "
    "calls no third party when you read a page.</p>"
    "<p>When you delete a post or your account, the server removes it; your name is never given to another person.</p>"
)
_POLL = {"max_options": 4, "max_characters_per_option": 50, "min_expiration": 300, "max_expiration": 2_629_746}
_STATUSES = {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23}
_ACCOUNTS = {
    "max_display_name_length": 40,
    "max_note_length": 500,
    "max_avatar_description_length": 1_500,
    "max_header_description_length": 1_500,
    "max_featured_tags": 10,
    "max_pinned_statuses": 5,
    "max_profile_fields": 4,
    "profile_field_name_limit": 255,
    "profile_field_value_limit": 255,
}
_EVERYWHERE = {"local": "public", "remote": "public"}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer tells besides the settings."""

    users: int
    statuses: int
    active_month: int
    contact: msgspec.Raw | None  # the owner's account
    vapid_key: str
    plays: bool  # whether films and sounds can be uploaded


def instance_dict(settings: Settings, facts: Facts) -> dict[str, Any]:
    """The Instance entity of version 2."""
    base = settings.url
    return {
        "domain": settings.domain,
        "title": settings.title,
        "version": VERSION,
        "source_url": f"{base}/about",
        "description": settings.description,
        "wrapstodon": None,
        "usage": {"users": {"active_month": facts.active_month}},
        "thumbnail": {"url": f"{base}/headers/default.png", "description": ""},
        "icon": [],
        "languages": settings.languages,
        "configuration": {
            "urls": {
                "streaming": streaming_url(settings),
                "status": None,
                "about": f"{base}/about",
                "privacy_policy": f"{base}/privacy-policy",
                "terms_of_service": None,
            },
            "vapid": {"public_key": facts.vapid_key},
            "accounts": _ACCOUNTS,
            "statuses": _STATUSES,
            "media_attachments": _media_dict(settings, facts),
            "polls": _POLL,
            "translation": {"enabled": False},
            "timelines_access": {
                "live_feeds": _EVERYWHERE,
                "hashtag_feeds": _EVERYWHERE,
                "trending_link_feeds": _EVERYWHERE,
            },
            "limited_federation": False,
        },
        "registrations": {
            "enabled": settings.sign_ups,
            "approval_required": False,
            "reason_required": False,
            "message": None,
            "min_age": None,
            "url": None,
        },
        "api_versions": {"mastodon": API_VERSION},
        "contact": {"email": settings.contact_email, "account": facts.contact},
        "rules": rule_dicts(settings),
    }


def instance_v1_dict(settings: Settings, facts: Facts) -> dict[str, Any]:
    """The Instance entity of version 1."""
    return {
        "uri": settings.domain,
        "title": settings.title,
        "short_description": settings.description,
        "description": settings.description,
        "email": settings.contact_email,
        "version": VERSION,
        "urls": {"streaming_api": streaming_url(settings)},
        "stats": {"user_count": facts.users, "status_count": facts.statuses, "domain_count": 1},
        "thumbnail": f"{settings.url}/headers/default.png",
        "languages": settings.languages,
        "registrations": settings.sign_ups,
        "approval_required": False,
        "invites_enabled": False,
        "configuration": {
            "accounts": {
                "max_featured_tags": _ACCOUNTS["max_featured_tags"],
                "max_pinned_statuses": _ACCOUNTS["max_pinned_statuses"],
            },
            "statuses": _STATUSES,
            "media_attachments": _media_dict(settings, facts),
            "polls": _POLL,
        },
        "contact_account": facts.contact,
        "rules": rule_dicts(settings),
    }


def _media_dict(settings: Settings, facts: Facts) -> dict[str, Any]:
    """What may be uploaded."""
    pictures = tuple(MIME_TYPES.values())
    return {
        "supported_mime_types": pictures + VIDEO_MIME_TYPES + AUDIO_MIME_TYPES if facts.plays else pictures,
        "description_limit": 10_000,
        "image_size_limit": MAX_BYTES,
        "image_matrix_limit": MAX_PIXELS,
        "video_size_limit": settings.video_mb << 20,
        "video_frame_rate_limit": probe.MAX_FRAME_RATE,
        "video_matrix_limit": probe.MAX_PIXELS,
    }


def rule_dicts(settings: Settings) -> list[dict[str, Any]]:
    """The server's rules."""
    return [{"id": str(n), "text": text, "hint": "", "translations": {}} for n, text in enumerate(settings.rules, 1)]


def extended_description_dict(settings: Settings) -> dict[str, Any]:
    """The ExtendedDescription entity."""
    return {"updated_at": None, "content": content_html(settings.description, base=settings.url, mentions={})}


def streaming_url(settings: Settings) -> str:
    """Where streams are, as WebSocket clients want it."""
    return "ws" + settings.url.removeprefix("http")
