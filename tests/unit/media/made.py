"""Pictures made for tests: real files of every format, with metadata planted where it hides.

Box: media.
"""

import struct
import zlib

import pyvips

SECRET = b"SECRET-48.8584N-SERIAL"


def scene(width: int = 64, height: int = 48) -> pyvips.Image:
    """Something with colours: red grows to the right, green downwards."""
    xyz = pyvips.Image.xyz(width, height)
    return (xyz * [255 / width, 255 / height]).bandjoin(40).cast("uchar").copy(interpretation="srgb")


def still(kind: str, image: pyvips.Image | None = None, **options) -> bytes:
    """The scene as one file."""
    image = image or scene()
    match kind:
        case "jpeg":
            return image.jpegsave_buffer(**options)
        case "png":
            return image.pngsave_buffer(**options)
        case "gif":
            return image.gifsave_buffer(**options)
        case "webp":
            return image.webpsave_buffer(**options)
    return image.heifsave_buffer(compression="av1", effort=0, **options)


def animation(kind: str, frames: int = 3, size: tuple[int, int] = (64, 48)) -> bytes:
    """The scene, brighter from frame to frame; 120 ms each, for ever."""
    each = [scene(*size).linear(1, n * 20).cast("uchar") for n in range(frames)]
    strip = pyvips.Image.arrayjoin(each, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", size[1])
    strip.set_type(pyvips.GValue.array_int_type, "delay", [120] * frames)
    strip.set_type(pyvips.GValue.gint_type, "loop", 0)
    return still(kind, strip)


def with_metadata(kind: str) -> bytes:
    """A file that carries the secret in each place its format has for it."""
    image = scene().copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Model", SECRET.decode())
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-ImageDescription", SECRET.decode())
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>")
    image.set_type(pyvips.GValue.blob_type, "iptc-data", SECRET)
    data = still(kind, image)
    if kind == "jpeg":
        comment = b"\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET
        return data[:2] + comment + data[2:] + SECRET
    if kind == "png":
        text = png_chunk(b"tEXt", b"Author\0" + SECRET) + png_chunk(b"iTXt", b"GPS\0\0\0\0\0" + SECRET)
        return data[:33] + text + data[33:] + SECRET
    if kind == "gif":
        comment = b"\x21\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
        return data[:-1] + comment + data[-1:] + SECRET
    return data


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of one colour, some kB whatever its size."""
    row = b"\0" * (1 + (width + 7) // 8)
    squeeze = zlib.compressobj(9)
    body = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
