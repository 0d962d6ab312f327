"""Which container a film or a sound comes in, read from the first bytes.

Box: media. The list is closed and goes by magic number. Its name is given to ffmpeg, so that ffmpeg never chooses a
reader itself: those that follow names in a file (playlists, concat, subtitles, HTTP) are never among them.
"""

import msgspec

_STILL_BRANDS = frozenset(
    {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
)  # pictures in the same container


class Container(msgspec.Struct, frozen=True):
    """One container: ffmpeg's name for its reader, and what it may hold."""

    reader: str
    may_move: bool  # else only sound is looked for


MP4 = Container("mov", may_move=True)
MATROSKA = Container("matroska", may_move=True)
_SOUNDS = (
    (b"OggS", Container("ogg", may_move=False)),
    (b"fLaC", Container("flac", may_move=False)),
    (b"ID3", Container("mp3", may_move=False)),
    (b"\xff\xfb", Container("mp3", may_move=False)),
    (b"\xff\xf3", Container("mp3", may_move=False)),
    (b"\xff\xf1", Container("aac", may_move=False)),
)
VIDEO_MIME_TYPES = ("video/mp4", "video/webm", "video/quicktime")
AUDIO_MIME_TYPES = ("audio/mpeg", "audio/mp4", "audio/ogg", "audio/flac", "audio/wav", "audio/webm", "audio/aac")


def container_of(head: bytes) -> Container | None:
    """The container that a file's first 64 bytes begin; None where it is none of ours."""
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _STILL_BRANDS else MP4
    if head.startswith(b"\x1aE\xdf\xa3"):
        return MATROSKA
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return Container("wav", may_move=False)
    return next((container for magic, container in _SOUNDS if head.startswith(magic)), None)
