"""Addresses of pages.

Box: kit.
"""

import hashlib
import re
from urllib.parse import urlsplit

_FILES = re.compile(r'="/(?=(?:media|avatars|headers)/)')


class Base(str):
    """What absolute links begin with: the public address. `files`: what those to files begin with."""

    __slots__ = ("files",)
    files: str

    def __new__(cls, url: str, files: str = "") -> "Base":
        """`files` empty: they are at `url` too."""
        made = super().__new__(cls, url)
        made.files = files or url
        return made

    @property
    def elsewhere(self) -> str:
        """The origin of files where that is another one than ours, else empty."""
        return "" if origin_of(self.files) == origin_of(self) else origin_of(self.files)


def files_base(base: str) -> str:
    """What links to files begin with."""
    return base.files if isinstance(base, Base) else base


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as a policy names them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def with_files(page: str, base: str) -> str:
    """A page whose pictures and films are fetched from where files are. No text of people can look like an attribute:
    its quotation marks are escaped."""
    return page if files_base(base) == base else _FILES.sub(f'="{files_base(base)}/', page)


def url_hash(url: str) -> bytes:
    """The key under which what is known of a page is kept: 16 bytes."""
    return hashlib.sha256(url.encode("utf-8", "replace")).digest()[:16]
