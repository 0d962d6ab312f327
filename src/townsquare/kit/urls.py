"""Addresses of pages.

Box: kit.
"""

import hashlib


def url_hash(url: str) -> bytes:
    """The key under which what is known of a page is kept: 16 bytes."""
    return hashlib.sha256(url.encode("utf-8", "replace")).digest()[:16]
