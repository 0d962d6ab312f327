"""Client programs: registered by anyone, known again by their secret.

Box: social. Source: Mastodon API, /methods/apps/
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from townsquare.kit.secrets import hash_secret, is_same, new_secret
from townsquare.model.account import App
from townsquare.model.errors import BadRequest, Invalid
from townsquare.model.scopes import read_scopes
from townsquare.social.ports import Ports
from townsquare.store.port import Put
from townsquare.store.tables import APPS

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
NAME_CHARACTERS = 200
URL_CHARACTERS = 2000
MAX_REDIRECT_URIS = 20
CLIENT_ID_CHARACTERS = 64
_FORBIDDEN_SCHEMES = frozenset({"javascript", "data", "vbscript", "blob", "file", "about"})
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


async def register(
    ports: Ports, *, name: str, redirect_uris: str | Sequence[str], scopes: str | Sequence[str] | None, website: str
) -> tuple[App, str]:
    """Register a client program; it and its secret, told this once.

    Raises: Invalid; BadRequest where an address is beyond reason.
    """
    name, website = name.strip(), website.strip()
    if not name:
        raise Invalid("Validation failed: Application name can't be blank")
    if len(name) > NAME_CHARACTERS:
        raise Invalid(f"Validation failed: Application name is too long (maximum is {NAME_CHARACTERS} characters)")
    if website and not _is_web_address(website):
        raise Invalid("Validation failed: Application website is not a valid URL")
    uris = read_redirect_uris(redirect_uris)
    secret = new_secret()
    app = App(
        client_id=new_secret(),
        app_id=ports.new_id(),
        secret_hash=hash_secret(secret),
        name=name,
        website=website,
        redirect_uris=uris,
        scopes=read_scopes(scopes),
    )
    await ports.store.write([Put(APPS, app)])
    return app, secret


async def find_app(ports: Ports, client_id: str) -> App | None:
    """The program with this id."""
    if not 0 < len(client_id) <= CLIENT_ID_CHARACTERS or "\0" in client_id:
        return None
    return await ports.store.get(APPS, (client_id,))


async def prove_app(ports: Ports, client_id: str, client_secret: str) -> App | None:
    """The program, if the secret is its own."""
    app = await find_app(ports, client_id)
    return app if app is not None and is_same(hash_secret(client_secret), app.secret_hash) else None


def read_redirect_uris(given: str | Sequence[str]) -> tuple[str, ...]:
    """The addresses of a parameter: a list, or words apart by white space.

    Raises: Invalid; BadRequest where they are beyond reason.
    """
    most = MAX_REDIRECT_URIS * (URL_CHARACTERS + 1)
    if (len(given) if isinstance(given, str) else sum(map(len, given))) > most:
        raise BadRequest("redirect_uris is too long")
    uris = tuple(dict.fromkeys(given.split() if isinstance(given, str) else (uri.strip() for uri in given)))
    if not uris:
        raise Invalid("Validation failed: Redirect URI can't be blank")
    if len(uris) > MAX_REDIRECT_URIS or any(len(uri) > URL_CHARACTERS for uri in uris):
        raise BadRequest("redirect_uris is too long")
    if not all(_is_redirect_uri(uri) for uri in uris):
        raise Invalid("Validation failed: Redirect URI must be an absolute URI without a fragment")
    return uris


def may_redirect(app: App, uri: str) -> bool:
    """Whether a code of this program may go to `uri`: exactly a registered address, or one that differs from a
    registered loopback address in its port alone (RFC 8252, 7.3)."""
    if uri in app.redirect_uris:
        return True
    if len(uri) > URL_CHARACTERS or not _is_redirect_uri(uri):
        return False
    asked = _without_loopback_port(uri)
    return asked is not None and any(asked == _without_loopback_port(known) for known in app.redirect_uris)


def _is_redirect_uri(uri: str) -> bool:
    if uri == OUT_OF_BAND:
        return True
    if not uri.isascii() or not uri.isprintable() or any(char in uri for char in ' "<>\\^`{|}#'):
        return False
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not parts.scheme or parts.scheme in _FORBIDDEN_SCHEMES:
        return False
    if parts.scheme in ("http", "https"):
        return bool(host) and "@" not in parts.netloc
    return uri.partition(":")[2] != ""


def _without_loopback_port(uri: str) -> tuple[str, ...] | None:
    parts = urlsplit(uri)
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK or "@" in parts.netloc:
        return None
    return (parts.hostname, parts.path, parts.query, parts.fragment)


def _is_web_address(text: str) -> bool:
    if len(text) > URL_CHARACTERS:
        return False
    return text.lower().startswith(("http://", "https://")) and _is_redirect_uri(text.partition("#")[0])
