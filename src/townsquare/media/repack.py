"""Files written again without decoding them: only the parts that are the picture are kept.

Box: media. Animations are kept this way, because encoding one again takes seconds and loses quality: a GIF keeps its
frames and its loop, a WebP its frames. Comments, XMP, EXIF, colour profiles, and whatever follows the end, are gone.
"""

import struct

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_TEXT = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"})
_WEBP_FRAME = frozenset({b"ALPH", b"VP8 ", b"VP8L"})
_WEBP_METADATA_FLAGS = 0x20 | 0x08 | 0x04  # colour profile, EXIF, XMP
_GIF_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01"


def png_without_text(data: bytes) -> bytes:
    """The PNG without its text and camera chunks, so that none of them is inflated. Other files as they are."""
    if not data.startswith(PNG_MAGIC):
        return data
    kept, at = [PNG_MAGIC], len(PNG_MAGIC)
    while at + 12 <= len(data):
        end = at + 12 + int(struct.unpack_from(">I", data, at)[0])
        if data[at + 4 : at + 8] not in _PNG_TEXT:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def repacked_gif(data: bytes) -> bytes:
    """The GIF's screen, loop, frame timings and frames.

    Raises: IndexError, struct.error where it is cut off.
    """
    at = 13 + gif_colours(data[10])
    kept = [b"GIF89a", data[6:at]]
    while at < len(data) and data[at] in (0x21, 0x2C):
        if data[at] == 0x2C:
            end = gif_blocks_end(data, at + 11 + gif_colours(data[at + 9]))
            kept.append(data[at:end])
        else:
            end = gif_blocks_end(data, at + 2)
            if data[at + 1 : at + 3] == b"\xf9\x04":  # timing and transparency of the next frame
                kept.append(data[at : at + 7] + b"\0")
            elif data.startswith(_GIF_LOOP, at):
                kept.append(data[at : at + 18] + b"\0")
        at = end
    return b"".join((*kept, b"\x3b"))


def gif_colours(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def gif_blocks_end(data: bytes, at: int) -> int:
    """Where a chain of sub-blocks that begins at `at` ends."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def repacked_webp(data: bytes) -> bytes:
    """The frames of an animated WebP.

    Raises: struct.error where it is cut off.
    """
    kept = []
    for name, body in _chunks(data, 12):
        if name == b"VP8X":
            kept.append(_chunk(name, bytes([body[0] & ~_WEBP_METADATA_FLAGS]) + body[1:10]))
        elif name == b"ANIM":
            kept.append(_chunk(name, body[:6]))
        elif name == b"ANMF":
            parts = [_chunk(*part) for part in _chunks(body, 16) if part[0] in _WEBP_FRAME]
            kept.append(_chunk(name, body[:16] + b"".join(parts)))
    inside = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(inside)) + inside


def _chunks(data: bytes, at: int) -> list[tuple[bytes, bytes]]:
    found = []
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        found.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + (length & 1)
    return found


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
