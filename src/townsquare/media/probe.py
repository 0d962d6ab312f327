"""What ffprobe says of a file, checked against what we take.

Box: media. A file's word is only good for refusing it: what it says of its length is measured again on what was made.
"""

from fractions import Fraction
from math import isfinite

import msgspec

from townsquare.media.containers import Container
from townsquare.model.errors import Invalid

MAX_PIXELS = 8_294_400  # of one frame, 3840 x 2160
MAX_SIDE = 8_192
MAX_FRAME_RATE = 120
MAX_STREAMS = 64
VIDEO_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4"})
SOUND_CODECS = frozenset(
    {"aac", "mp3", "opus", "vorbis", "flac", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le"}
)

BROKEN = "Validation failed: File is not a video or sound that can be played"
NO_CODEC = "Validation failed: Video must be H.264, HEVC, VP8, VP9, AV1 or MPEG-4, sound AAC, MP3, Opus, Vorbis or FLAC"


class _Disposition(msgspec.Struct, frozen=True):
    attached_pic: int = 0  # a cover: a still picture, not a film


class _SideData(msgspec.Struct, frozen=True):
    rotation: float = 0.0  # degrees


class Stream(msgspec.Struct, frozen=True):
    """One stream, in ffprobe's words."""

    index: int
    codec_type: str = ""
    codec_name: str = ""
    profile: str = ""
    pix_fmt: str = ""
    width: int = 0
    height: int = 0
    sample_aspect_ratio: str = ""
    avg_frame_rate: str = "0/0"
    disposition: _Disposition = _Disposition()
    side_data_list: list[_SideData] = []


class Format(msgspec.Struct, frozen=True):
    """The whole, in ffprobe's words."""

    duration: str = ""
    bit_rate: str = ""


class Said(msgspec.Struct, frozen=True):
    """What ffprobe prints with -show_streams -show_format -of json."""

    streams: list[Stream] = []
    format: Format = Format()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds that we show: a film, a sound, or a film with a sound."""

    film: Stream | None
    sound: Stream | None
    width: int  # upright, with square pixels; 0 without a film
    height: int
    turned: bool  # by a quarter or a half
    frame_rate: Fraction  # 0 where it is not said
    duration_s: float  # 0 where it is not said
    bitrate: int  # bits per second


_DECODER = msgspec.json.Decoder(Said, strict=False)


def read_probe(output: bytes, container: Container) -> Found:
    """What ffprobe found, unchecked but for being there.

    Raises: Invalid where there is neither film nor sound.
    """
    try:
        said = _DECODER.decode(output)
    except msgspec.MsgspecError as exc:
        raise Invalid(BROKEN) from exc
    films = [s for s in said.streams if s.codec_type == "video" and not s.disposition.attached_pic]
    sounds = [s for s in said.streams if s.codec_type == "audio"]
    film = films[0] if films and container.may_move else None
    sound = sounds[0] if sounds else None
    if len(said.streams) > MAX_STREAMS or (film is None and sound is None):
        raise Invalid(BROKEN)
    width = height = turn = 0
    if film is not None:
        turn = round(next((side.rotation for side in film.side_data_list if side.rotation), 0))
        width, height = round(film.width * (_fraction(film.sample_aspect_ratio, ":") or Fraction(1))), film.height
        if turn % 180:
            width, height = height, width
    return Found(
        film=film,
        sound=sound,
        width=width,
        height=height,
        turned=turn % 360 != 0,
        frame_rate=_fraction(film.avg_frame_rate, "/") if film else Fraction(0),
        duration_s=_seconds(said.format.duration),
        bitrate=int(_seconds(said.format.bit_rate)),
    )


def check_found(found: Found, *, longest_s: float) -> None:
    """Refuse what we do not take.

    Raises: Invalid.
    """
    film, sound = found.film, found.sound
    if (film and film.codec_name not in VIDEO_CODECS) or (sound and sound.codec_name not in SOUND_CODECS):
        raise Invalid(NO_CODEC)
    if film is not None:
        if min(film.width, film.height, found.width, found.height) < 1:
            raise Invalid(BROKEN)
        sides = max(film.width, film.height, found.width, found.height)
        if film.width * film.height > MAX_PIXELS or found.width * found.height > MAX_PIXELS or sides > MAX_SIDE:
            raise Invalid(f"Validation failed: {film.width}x{film.height} videos are not supported")
        if found.frame_rate > MAX_FRAME_RATE:
            raise Invalid(f"Validation failed: {int(found.frame_rate)}fps videos are not supported")
    if found.duration_s > longest_s:
        raise Invalid(too_long(longest_s))


def too_long(longest_s: float) -> str:
    """Words for a file that plays for too long."""
    return f"Validation failed: Video and sound may last {longest_s / 60:g} minutes at most"


def _fraction(text: str, stroke: str) -> Fraction:
    above, _, below = text.partition(stroke)
    if not (above.isdecimal() and below.isdecimal() and len(text) < 40) or int(below) == 0:
        return Fraction(0)
    return Fraction(int(above), int(below))


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if isfinite(number) and number > 0 else 0.0
