"""Client programs and their tokens as JSON.

Box: render. Source: Mastodon API, /entities/Application/, /entities/Token/
"""

from typing import Any

from townsquare.model.account import App, Token


def app_dict(app: App, *, vapid_key: str) -> dict[str, Any]:
    """The Application entity."""
    return {
        "id": str(app.app_id),
        "name": app.name,
        "website": app.website or None,
        "scopes": list(app.scopes),
        "redirect_uris": list(app.redirect_uris),
        "redirect_uri": "\n".join(app.redirect_uris),
        "vapid_key": vapid_key,
    }


def credential_app_dict(app: App, *, secret: str, vapid_key: str) -> dict[str, Any]:
    """The CredentialApplication entity: with the secret, which is told once."""
    return app_dict(app, vapid_key=vapid_key) | {
        "client_id": app.client_id,
        "client_secret": secret,
        "client_secret_expires_at": 0,
    }


def token_dict(secret: str, token: Token) -> dict[str, Any]:
    """The Token entity."""
    return {
        "access_token": secret,
        "token_type": "Bearer",
        "scope": " ".join(token.scopes),
        "created_at": token.created_ms // 1000,
    }
