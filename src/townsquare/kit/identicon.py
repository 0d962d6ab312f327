"""Pictures for those who have chosen none, drawn from a number: the same number, the same picture, on every server.

Box: kit. Source: PNG (Portable Network Graphics), third edition: chunks and indexed colour
"""

import colorsys
import hashlib
import struct
import zlib

_SIDE = 120  # pixels
_CELLS = 5  # each way; the right half mirrors the left
_EDGE = 15  # pixels around the cells
_HEADER = (1200, 400)  # pixels
_BANDS = ((0x0B, 0x67, 0x81), (0x0E, 0x72, 0x8D), (0x12, 0x7C, 0x98), (0x17, 0x87, 0xA3))
_BAND_PIXELS = 90


def draw_avatar(number: int) -> bytes:
    """A square PNG of a few hundred bytes: a mirrored pattern in one of many calm colours."""
    seed = hashlib.sha256(b"avatar:%d" % number).digest()
    hue = int.from_bytes(seed[:2], "big") / 65_536
    ground, figure = _colour(hue, 0.92, 0.42), _colour(hue, 0.36, 0.52)
    half = -(-_CELLS // 2)
    on = [[seed[2 + row * half + column] % 2 for column in range(half)] for row in range(_CELLS)]
    cells = [[row[min(column, _CELLS - 1 - column)] for column in range(_CELLS)] for row in on]
    size = (_SIDE - 2 * _EDGE) // _CELLS
    blank = bytes(_SIDE)
    lines = [blank] * _EDGE
    for row in cells:
        line = bytes(_EDGE) + b"".join(bytes([cell]) * size for cell in row) + bytes(_EDGE)
        lines += [line] * size
    lines += [blank] * _EDGE
    return _png(lines, [ground, figure])


def draw_header() -> bytes:
    """The wide picture that everybody starts with: slanted bands of one colour."""
    width, height = _HEADER
    return _png(
        [bytes((x + y) // _BAND_PIXELS % len(_BANDS) for x in range(width)) for y in range(height)], list(_BANDS)
    )


def _colour(hue: float, light: float, strength: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue, light, strength)
    return round(red * 255), round(green * 255), round(blue * 255)


def _png(lines: list[bytes], palette: list[tuple[int, int, int]]) -> bytes:
    """An indexed PNG of these lines, one byte a pixel."""
    size = struct.pack(">IIBBBBB", len(lines[0]), len(lines), 8, 3, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + line for line in lines), 9)
    colours = b"".join(bytes(colour) for colour in palette)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(name, body) for name, body in ((b"IHDR", size), (b"PLTE", colours), (b"IDAT", data), (b"IEND", b""))
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
