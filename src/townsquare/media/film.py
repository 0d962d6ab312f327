"""What is made of an uploaded film or sound: one file to play, and a picture of it.

Box: media.
"""

import msgspec

FILM_TYPES = {"mp4": "video/mp4", "m4a": "audio/mp4", "mp3": "audio/mpeg"}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be made: bytes of the file, seconds that it plays."""

    file_bytes: int
    longest_s: float


class Film(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was made, in the folder of its making."""

    kind: str  # the API's types: video, gifv, audio
    path: str
    extension: str  # a key of FILM_TYPES
    width: int  # 0 of a sound
    height: int
    duration_s: float
    frame_rate: str  # as a fraction, 30000/1001; empty of a sound
    bitrate: int  # bits per second
    poster: bytes  # a PNG; empty of a sound

    @property
    def content_type(self) -> str:
        """The file's media type."""
        return FILM_TYPES[self.extension]
