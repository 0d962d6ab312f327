"""Films and sounds made for tests by a real ffmpeg: small, short, with metadata planted where cameras put it.

Box: media.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SECRET = "SECRET-48.8584N-SERIAL"
WIDTH, HEIGHT = 64, 48
_PICTURE = f"testsrc=size={WIDTH}x{HEIGHT}:rate=25:duration=1"
_TONE = "sine=frequency=440:duration=1"
_METADATA = (
    "-metadata", f"title={SECRET}", "-metadata", f"location={SECRET}", "-metadata", f"comment={SECRET}",
    "-metadata:s", f"handler_name={SECRET}", "-metadata:s", f"title={SECRET}", "-movflags", "+use_metadata_tags",
)  # fmt: skip
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_VPX = ("-deadline", "realtime", "-cpu-used", "8")
# A message inside the H.264 stream itself, as cameras write them.
_MESSAGE = ("-bsf:v", f"h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+{SECRET}")


def needs_ffmpeg() -> None:
    """Skip the test where ffmpeg is missing; with `TOWNSQUARE_TESTS=all` fail it."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        if os.environ.get("TOWNSQUARE_TESTS") == "all":
            pytest.fail("ffmpeg is missing: apt-get install ffmpeg")
        pytest.skip("ffmpeg is missing: apt-get install ffmpeg")


def ffmpeg(output: Path, *words: str) -> Path:
    """Run ffmpeg to make the file."""
    needs_ffmpeg()
    head = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-threads", "1"]
    subprocess.run([*head, *words, str(output)], check=True, capture_output=True)
    return output


def film(folder: Path, kind: str = "mp4", *words: str, sound: bool = True, picture: str = _PICTURE) -> Path:
    """A second of film; `kind`: mp4, mov or webm."""
    inputs = ["-f", "lavfi", "-i", picture, *(["-f", "lavfi", "-i", _TONE] if sound else [])]
    if kind == "webm":
        codecs: tuple[str, ...] = ("-c:v", "libvpx-vp9", *_VPX, "-c:a", "libopus")
    elif kind == "mov":
        codecs = ("-c:v", "mpeg4", "-c:a", "pcm_s16le")
    else:
        codecs = (*_H264, *_MESSAGE, "-c:a", "aac")
    return ffmpeg(folder / f"film.{kind}", *inputs, *codecs, *_METADATA, *words)


def tone(folder: Path, kind: str) -> Path:
    """A second of sound."""
    return ffmpeg(folder / f"tone.{kind}", "-f", "lavfi", "-i", _TONE, *_METADATA)


def boxed(kind: bytes, body: bytes) -> bytes:
    """A box of an MP4."""
    return (8 + len(body)).to_bytes(4, "big") + kind + body
