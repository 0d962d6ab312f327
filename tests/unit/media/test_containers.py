"""Which container a file is in: by its first bytes alone, from a closed list."""

import pytest

from tests.unit.media.made import still
from townsquare.media.containers import container_of


@pytest.mark.parametrize(
    ("head", "reader"),
    [
        (b"\0\0\0\x18ftypisom\0\0\0\0", "mov"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "mov"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "matroska"),
        (b"OggS\0\x02", "ogg"),
        (b"ID3\x04\0\0", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "wav"),
    ],
)
def test_listed_containers_are_known(head: bytes, reader: str) -> None:
    container = container_of(head)
    assert container is not None
    assert container.reader == reader


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"#EXTM3U\n#EXT-X-VERSION:3\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD>",
        b"RIFF\x24\0\0\0AVI LIST",
        b"FLV\x01\x05",
        b"0&\xb2u\x8ef\xcf\x11",  # ASF
        b"[Script Info]\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",  # SDP
        still("jpeg"),
        still("avif"),
        b"\0\0\0\x18ftypheic\0\0\0\0",
    ],
)
def test_cve_2023_36460_what_names_other_files_reaches_no_reader(head: bytes) -> None:
    assert container_of(head[:64]) is None
