"""E-mail addresses: whether they can be used, and whether two of them are one mailbox.

Box: kit.
"""

import hashlib
import re

MAX_CHARACTERS = 254
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_DOTLESS = frozenset({"gmail.com"})  # providers that read a.b as ab
_ALIASES = {"googlemail.com": "gmail.com"}


def parse_email(text: str) -> str | None:
    """The address with its domain in lower case ASCII (IDN as punycode); None where it cannot be one.

    No quotes, comments, blanks, control characters or address literals, so it is safe in a header.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    local, at, domain = text.strip(" ").rpartition("@")
    host = _ascii_domain(domain)
    if not at or host is None or len(local) > 64 or not _LOCAL.fullmatch(local):
        return None
    return f"{local}@{host}"


def canonical_email(address: str) -> str:
    """The mailbox behind a parsed address: lower case, nothing after a plus, providers' own rules applied."""
    local, _, domain = address.lower().rpartition("@")
    domain = _ALIASES.get(domain, domain)
    local = local.split("+", 1)[0] or local
    return f"{local.replace('.', '') if domain in _DOTLESS else local}@{domain}"


def email_hash(address: str) -> bytes:
    """The key under which a mailbox is kept."""
    return hashlib.sha256(canonical_email(address).encode()).digest()


def _ascii_domain(domain: str) -> str | None:
    try:
        host = domain.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        return None
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        return None
    return host if len(labels) > 1 or host == "localhost" else None
