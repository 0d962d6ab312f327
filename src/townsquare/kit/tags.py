"""Hashtags as they are compared, and the number each has.

Box: kit.
"""

import hashlib
import re
import unicodedata

_TAG = re.compile(r"\w{1,100}")


def normal_tag(text: str) -> str | None:
    """A hashtag in the form in which it is compared, with or without # before it; None where it is none."""
    name = unicodedata.normalize("NFKC", text.strip().removeprefix("#")).lower()
    return name if _TAG.fullmatch(name) and not name.isdecimal() and name.strip("_") else None


def tag_id(name: str) -> int:
    """The stable number of a tag in its compared form, 63 bits."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) >> 1
