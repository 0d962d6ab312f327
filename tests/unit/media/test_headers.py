"""What is let through to a decoder, and what is refused before."""

import struct

import pytest

from tests.unit.media.made import animation, png_bomb, still
from townsquare.media import headers
from townsquare.media.headers import Header, read_header
from townsquare.model.errors import Invalid


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
def test_the_size_is_read_from_the_first_bytes(kind: str) -> None:
    header = read_header(still(kind))
    assert (header.format, header.width, header.height, header.frames) == (kind, 64, 48, 1)


def test_lossless_webp_has_its_own_header() -> None:
    header = read_header(still("webp", lossless=True))
    assert (header.width, header.height) == (64, 48)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_frames_are_counted(kind: str) -> None:
    assert read_header(animation(kind, 5)) == Header(kind, 64, 48, 5, 5 * 64 * 48)


FOREIGN = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "svg with a declaration": b'<?xml version="1.0"?><!DOCTYPE svg><svg/>',
    "html": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "pdf": b"%PDF-1.7\n1 0 obj",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0",
    "psd": b"8BPS\0\x01" + bytes(40),
    "fits": b"SIMPLE  =                    T",
    "tga": bytes([0, 0, 2] + [0] * 9 + [8, 0, 8, 0, 24, 0]),
    "icns": b"icns\0\0\0\x10",
    "dds": b"DDS |\0\0\0",
    "tiff": b"II*\0\x08\0\0\0",
    "bmp": b"BM\x36\0\0\0",
    "mvg": b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x'",
    "msl": b'<image><read filename="/etc/passwd"/></image>',
    "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd",
    "activity": b'{"@context":"https://www.w3.org/ns/activitystreams","type":"Note"}',
    "empty": b"",
    "zip": b"PK\x03\x04",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_cve_2024_53863_only_listed_formats_reach_a_decoder(name: str) -> None:
    with pytest.raises(Invalid, match="must be a JPEG, PNG, GIF, WebP or AVIF picture"):
        read_header(FOREIGN[name])


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2mp41",
        b"\x1aE\xdf\xa3\x01webm",
        b"OggS\0\x02",
        b"ID3\x04\0\0",
        b"fLaC\0\0\0\x22",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"RIFF\x24\0\0\0AVI LIST",
    ],
)
def test_video_and_audio_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(Invalid, match="This kind of video or sound cannot be used here"):
        read_header(data + bytes(64))


def test_heic_is_refused_in_words() -> None:
    with pytest.raises(Invalid, match="HEIC"):
        read_header(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp"])
def test_a_file_cut_in_its_header_is_refused(kind: str) -> None:
    data = still(kind)
    for length in range(3, 24):
        with pytest.raises(Invalid):
            read_header(data[:length])


def test_cve_2022_45198_large_pictures_are_refused_before_they_are_decoded() -> None:
    data = png_bomb(50_000, 50)
    tall = data[:20] + struct.pack(">I", 50_000) + data[24:]
    with pytest.raises(Invalid, match="50000x50000 pictures are not supported"):
        read_header(tall)
    wide = still("jpeg")
    at = wide.index(b"\xff\xc0") + 5
    with pytest.raises(Invalid, match="65500x65500"):
        read_header(wide[:at] + struct.pack(">HH", 65_500, 65_500) + wide[at + 4 :])


def test_avif_may_have_half_as_many_pixels() -> None:
    data = still("avif")
    at = data.index(b"ispe") + 8
    assert read_header(data[:at] + struct.pack(">II", 4000, 4000) + data[at + 8 :]).width == 4000
    with pytest.raises(Invalid, match="6000x5000"):
        read_header(data[:at] + struct.pack(">II", 6000, 5000) + data[at + 8 :])


def test_cve_2022_45198_ten_thousand_frames_are_refused() -> None:
    gif = animation("gif", 2, (16, 12))
    first = gif.index(b"\x2c", 13)
    frame = gif[first : gif.index(b"\x21\xf9", first)]
    with pytest.raises(Invalid, match="frames"):
        read_header(gif[:first] + frame * 10_000 + b";")
    webp = animation("webp", 2, (16, 12))
    at = webp.index(b"ANMF")
    frame = webp[at : at + 8 + struct.unpack_from("<I", webp, at + 4)[0]]
    with pytest.raises(Invalid, match="frames"):
        read_header(webp[:at] + frame * 10_000)


def test_cve_2022_45198_a_jpeg_of_many_scans_is_refused() -> None:
    data = still("jpeg", interlace=True)
    at = data.index(b"\xff\xda")
    with pytest.raises(Invalid):
        read_header(data[:at] + data[at:-2] * 300)


def test_files_over_sixteen_megabytes_are_refused() -> None:
    with pytest.raises(Invalid, match="less than 16 MB"):
        read_header(still("jpeg") + bytes(headers.MAX_BYTES))
