"""Which keys a file may have.

Box: media.
"""

import re

_KEY = re.compile(r"[a-z0-9_-][a-z0-9._-]*(?:/[a-z0-9_-][a-z0-9._-]*){0,7}")
_LONGEST = 200


def checked_key(key: str) -> str:
    """The key. No part of it is empty or begins with a dot, and none holds two in a row.

    Raises: ValueError.
    """
    if len(key) > _LONGEST or ".." in key or not _KEY.fullmatch(key):
        raise ValueError(f"not a media key: {key[:_LONGEST]!r}")
    return key
