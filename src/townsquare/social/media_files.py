"""Files in the media store under new names that cannot be guessed.

Box: social.
"""

import secrets

from townsquare.media.picture import Picture
from townsquare.social.ports import Ports


def new_key(extension: str) -> str:
    """A name that no file has, and nobody can guess."""
    name = secrets.token_hex(16)
    return f"{name[:2]}/{name[2:4]}/{name[4:]}.{extension}"


async def store_picture(ports: Ports, picture: Picture) -> str:
    """Keep a picture; its key."""
    key = new_key(picture.extension)
    await ports.media.put(key, picture.data, content_type=picture.content_type)
    return key
