"""Which format a file has and how large its picture is, read from the first bytes, before any decoder sees it.

Box: media. The list of formats is closed and goes by magic number: names and declared types count for nothing. Every
walk is linear in the file.
"""

import struct

import msgspec

from townsquare.media.repack import PNG_MAGIC, gif_blocks_end, gif_colours
from townsquare.model.errors import Invalid

MAX_BYTES = 16 << 20
MAX_PIXELS = 33_177_600  # of one frame
MAX_AVIF_PIXELS = MAX_PIXELS // 2  # its decoder needs 16 bytes for each
MAX_FRAMES = 500
MAX_ANIMATION_PIXELS = 2 * MAX_PIXELS  # of all frames together
MAX_SIDE = 65_500
MAX_JPEG_SCANS = 200  # a progressive picture has about ten
MIME_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
}

NOT_A_PICTURE = "Validation failed: File must be a JPEG, PNG, GIF, WebP or AVIF picture"
BROKEN = "Validation failed: File is not a picture that can be read"
NO_VIDEO = "Validation failed: This kind of video or sound cannot be used here"
NO_HEIC = "Validation failed: HEIC pictures cannot be read here; send it as JPEG"

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AUDIO_VIDEO = (b"\x1aE\xdf\xa3", b"OggS", b"ID3", b"fLaC", b"FLV", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"#!AMR")


class Header(msgspec.Struct, frozen=True):
    """What the first bytes promise. `pixels` counts all frames."""

    format: str
    width: int
    height: int
    frames: int = 1
    pixels: int = 0


def read_header(data: bytes) -> Header:
    """The format and size of a picture that may be decoded.

    Raises: Invalid for another format, a broken header, or a picture over the limits.
    """
    if len(data) > MAX_BYTES:
        raise Invalid(f"Validation failed: File must be less than {MAX_BYTES >> 20} MB")
    try:
        header = _walk(data)
    except (struct.error, IndexError) as exc:
        raise Invalid(BROKEN) from exc
    if header.width < 1 or header.height < 1:
        raise Invalid(BROKEN)
    most = MAX_AVIF_PIXELS if header.format == "avif" else MAX_PIXELS
    if header.width * header.height > most or max(header.width, header.height) > MAX_SIDE:
        raise Invalid(f"Validation failed: {header.width}x{header.height} pictures are not supported")
    if header.frames > MAX_FRAMES or header.pixels > MAX_ANIMATION_PIXELS:
        raise Invalid(f"Validation failed: an animation of {header.frames} frames of this size is not supported")
    return header


def _walk(data: bytes) -> Header:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(PNG_MAGIC):
        return _png(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _gif(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[4:8] == b"ftyp":
        return _heif(data)
    if data.startswith(_AUDIO_VIDEO) or (data[:4] == b"RIFF" and data[8:12] in {b"WAVE", b"AVI "}):
        raise Invalid(NO_VIDEO)
    raise Invalid(NOT_A_PICTURE)


def _jpeg(data: bytes) -> Header:
    size, at = None, 2
    while True:
        if data[at] != 0xFF:
            raise Invalid(BROKEN)
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0xDA:
            break
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            length = struct.unpack_from(">H", data, at + 2)[0]
            if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
                size = struct.unpack_from(">HH", data, at + 5)
            at += 2 + max(2, length)
    if size is None or data.count(b"\xff\xda", at) > MAX_JPEG_SCANS:
        raise Invalid(BROKEN)
    height, width = size
    return Header("jpeg", width, height)


def _png(data: bytes) -> Header:
    if data[12:16] != b"IHDR":
        raise Invalid(BROKEN)
    width, height = struct.unpack_from(">II", data, 16)
    return Header("png", width, height)


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    at = 13 + gif_colours(data[10])
    frames = pixels = 0
    while at < len(data) and data[at] != 0x3B and frames <= MAX_FRAMES:
        if data[at] == 0x21:
            at = gif_blocks_end(data, at + 2)
        elif data[at] == 0x2C:
            frame_width, frame_height = struct.unpack_from("<HH", data, at + 5)
            frames += 1
            pixels += max(width * height, frame_width * frame_height)
            at = gif_blocks_end(data, at + 11 + gif_colours(data[at + 9]))
        else:
            break  # rubbish after the last frame: decoders stop here too
    if not frames:
        raise Invalid(BROKEN)
    return Header("gif", width, height, frames, pixels)


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind != b"VP8X" or len(data) < 30:
        raise Invalid(BROKEN)
    width = int.from_bytes(data[24:27], "little") + 1
    height = int.from_bytes(data[27:30], "little") + 1
    frames, at = 0, 12
    while at + 8 <= len(data):
        frames += data[at : at + 4] == b"ANMF"
        length = struct.unpack_from("<I", data, at + 4)[0]
        at += 8 + length + (length & 1)
    return Header("webp", width, height, max(1, frames), max(1, frames) * width * height)


def _heif(data: bytes) -> Header:
    length = struct.unpack_from(">I", data)[0]
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(length, 256), 4))}
    if not brands & {b"avif", b"avis"}:
        raise Invalid(NO_HEIC if brands & _HEIC_BRANDS else NO_VIDEO)
    # The largest size that any item of the file states: also of the whole that a grid of tiles makes.
    size, at = (0, 0), data.find(b"ispe")
    while at >= 0:
        stated = struct.unpack_from(">II", data, at + 8)
        size = max(size, stated, key=lambda pair: pair[0] * pair[1])
        at = data.find(b"ispe", at + 4, 1 << 16)
    return Header("avif", *size)
