"""Command lines for ffprobe and ffmpeg: what is copied as it is, what is made anew, and that nothing else comes along.

Box: media. Pure: nothing is started here. Every input is read by the reader we name, from one file; names inside the
file are never followed. Of the input only one film and one sound go over: no metadata, chapters, covers, subtitles or
data streams (cameras write positions there), and no messages inside the film's own stream.
"""

from math import sqrt

import msgspec

from townsquare.media.containers import MP4, Container
from townsquare.media.film import Limits
from townsquare.media.probe import MAX_PIXELS, Found

PLAYED_PIXELS = 1920 * 1080  # of a film that is made anew
PLAYED_RATE = 60  # frames a second of one
MAX_BITRATE = 6_000_000  # bits a second of one
SOUND_BITRATE = 128_000
POSTER_PIXELS = 1280 * 720
GIFV_S = 60  # a film without sound is shown as a moving picture up to this length
_LITTLE_S = 0.5  # beyond the limit: enough to see that it was passed
_PLAIN_PROFILES = frozenset({"Baseline", "Constrained Baseline", "Main", "High"})
_PLAIN_PIXELS = frozenset({"yuv420p", "yuvj420p"})
_QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error")
_THREADS = ("-threads", "2")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be made of a file."""

    extension: str
    film: tuple[str, ...]  # options for the film; empty without one
    sound: tuple[str, ...]


def probe_words(path: str, container: Container) -> list[str]:
    """ffprobe's arguments."""
    show = ("-show_streams", "-show_format", "-of", "json")
    return ["-hide_banner", "-loglevel", "error", *_input(path, container, tool="ffprobe"), *show]


def plan_of(found: Found, limits: Limits) -> Plan:
    """What to make so that every browser and app can play it."""
    sound = found.sound
    if found.film is None:
        assert sound is not None
        if sound.codec_name in ("mp3", "aac"):
            return Plan(extension="mp3" if sound.codec_name == "mp3" else "m4a", film=(), sound=("-c:a", "copy"))
        return Plan(extension="m4a", film=(), sound=_AAC)
    heard: tuple[str, ...] = ()
    if sound is not None:
        heard = ("-c:a", "copy") if sound.codec_name == "aac" else _AAC
    film = ("-c:v", "copy") if _is_plain(found) else _anew(found, limits)
    # SEI messages hold what cameras and programs say of themselves.
    return Plan(extension="mp4", film=(*film, "-bsf:v", "filter_units=remove_types=6"), sound=heard)


_AAC = ("-c:a", "aac", "-b:a", str(SOUND_BITRATE), "-ac", "2", "-ar", "48000")


def _is_plain(found: Found) -> bool:
    """Whether the film plays everywhere as it is."""
    film = found.film
    return (
        film is not None
        and film.codec_name == "h264"
        and film.profile in _PLAIN_PROFILES
        and film.pix_fmt in _PLAIN_PIXELS
        and not found.turned
        and (found.width, found.height) == (film.width, film.height)
    )


def _anew(found: Found, limits: Limits) -> tuple[str, ...]:
    width, height = fitted(found.width, found.height, PLAYED_PIXELS)
    filters = [f"scale={width}:{height}:flags=bicubic", "setsar=1", "format=yuv420p"]
    if found.frame_rate > PLAYED_RATE:
        filters.insert(0, f"fps={PLAYED_RATE}")
    length_s = found.duration_s or limits.longest_s
    most = max(64_000, min(MAX_BITRATE, int(limits.file_bytes * 8 * 0.9 / length_s) - SOUND_BITRATE))
    rate = ("-crf", "23", "-maxrate", str(most), "-bufsize", str(most * 2))
    return ("-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", *rate, "-vf", ",".join(filters))


def fitted(width: int, height: int, pixels: int) -> tuple[int, int]:
    """Even sides with at most so many pixels, in the same proportions."""
    scale = min(1.0, sqrt(pixels / (width * height)))
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def make_words(path: str, container: Container, found: Found, limits: Limits, output: str) -> tuple[list[str], str]:
    """ffmpeg's arguments to make the file, and its extension."""
    plan = plan_of(found, limits)
    maps: list[str] = []
    if found.film is not None:
        maps += ("-map", f"0:{found.film.index}", *plan.film)
    if found.sound is not None:
        maps += ("-map", f"0:{found.sound.index}", *plan.sound)
    bare = ["-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1", "-sn", "-dn"]
    bare += ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]
    ends = ["-movflags", "+faststart", "-f", "mp4"]
    if plan.extension == "mp3":
        ends = ["-write_id3v2", "0", "-f", "mp3"]
    ends = ["-t", f"{limits.longest_s + _LITTLE_S:g}", "-max_muxing_queue_size", "1024", *_THREADS, *ends]
    words = [*_QUIET, "-y", *_THREADS, *_input(path, container), *maps, *bare, *ends, f"file:{output}"]
    return words, plan.extension


def poster_words(path: str, found: Found, output: str) -> list[str]:
    """ffmpeg's arguments to draw a frame from near the beginning of a film that we made."""
    width, height = fitted(found.width, found.height, POSTER_PIXELS)
    at = ("-ss", f"{min(1.0, found.duration_s / 10):.3f}")
    scaled = ("-frames:v", "1", "-vf", f"scale={width}:{height},format=rgb24", "-c:v", "png", "-f", "image2pipe")
    return [*_QUIET, "-y", *_THREADS, *at, *_input(path, MP4), "-an", *scaled, f"file:{output}"]


def _input(path: str, container: Container, *, tool: str = "ffmpeg") -> tuple[str, ...]:
    bounds = ("-max_pixels", str(MAX_PIXELS)) if tool == "ffmpeg" else ()
    return ("-protocol_whitelist", "file", "-f", container.reader, *bounds, "-i", f"file:{path}")
