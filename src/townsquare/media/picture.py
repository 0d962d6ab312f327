"""What is made of an uploaded picture: files and what the API tells of them.

Box: media.
"""

from enum import StrEnum

import msgspec

CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}


class Use(StrEnum):
    """What a picture is for; it decides the sizes."""

    ATTACHMENT = "attachment"
    AVATAR = "avatar"
    HEADER = "header"
    CARD = "card"


class Picture(msgspec.Struct, frozen=True, array_like=True):
    """One file, without any metadata."""

    data: bytes
    extension: str  # a key of CONTENT_TYPES
    width: int
    height: int

    @property
    def content_type(self) -> str:
        """The file's media type."""
        return CONTENT_TYPES[self.extension]


class Made(msgspec.Struct, frozen=True, array_like=True):
    """The picture in the size that is kept, and a small or still one beside it.

    `beside` is the preview of an attachment, the still first frame of an animated avatar or header; else None.
    """

    main: Picture
    beside: Picture | None
    blurhash: str


class Refused(msgspec.Struct, frozen=True, array_like=True):
    """Why a picture could not be made."""

    message: str


class Order(msgspec.Struct, frozen=True, array_like=True):
    """What the child process is asked to do."""

    use: Use
    data: bytes


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What the child process says; one of the two is set."""

    made: Made | None = None
    refused: Refused | None = None
