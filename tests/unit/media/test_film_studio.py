"""Films and sounds made by a real ffmpeg, and what hostile files cannot do to it."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.media.clips import HEIGHT, SECRET, WIDTH, boxed, ffmpeg, film, needs_ffmpeg, tone
from tests.unit.media.made import still
from townsquare.media import film_studio
from townsquare.media.film import Film, Limits
from townsquare.media.film_studio import NO_FFMPEG, TOO_LARGE, TOO_SLOW, FilmStudio, programs
from townsquare.model.errors import Invalid

pytestmark = pytest.mark.slow

LIMITS = Limits(file_bytes=99 << 20, longest_s=60)


async def make(source: Path, limits: Limits = LIMITS, **options: float) -> tuple[Film, bytes]:
    """What is made of a file, and the bytes of it."""
    folder = source.parent / "rooms"
    try:
        async with FilmStudio(**options).make(source, limits, folder=folder) as made:
            return made, Path(made.path).read_bytes()
    finally:
        assert not list(folder.iterdir())


def streams(data: bytes, folder: Path) -> list[tuple[str, str, str]]:
    """Kind, codec and pixel format of each stream, as ffprobe sees it."""
    path = folder / "look"
    path.write_bytes(data)
    words = ["ffprobe", "-loglevel", "error", "-show_streams", "-of", "json", str(path)]
    found = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)["streams"]
    return [(s["codec_type"], s["codec_name"], s.get("pix_fmt", "")) for s in found]


@pytest.mark.parametrize("kind", ["mp4", "mov", "webm"])
async def test_a_film_becomes_an_mp4_that_plays_everywhere(kind: str, tmp_path: Path) -> None:
    source = film(tmp_path, kind)
    made, data = await make(source)
    assert (made.kind, made.extension, made.content_type) == ("video", "mp4", "video/mp4")
    assert (made.width, made.height, made.frame_rate) == (WIDTH, HEIGHT, "25/1")
    assert made.duration_s == pytest.approx(1.0, abs=0.1)
    assert made.bitrate > 1_000
    assert made.poster.startswith(b"\x89PNG")
    assert streams(data, tmp_path) == [("video", "h264", "yuv420p"), ("audio", "aac", "")]
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("kind", ["mp4", "mov", "webm"])
async def test_g25_nothing_of_the_metadata_is_kept(kind: str, tmp_path: Path) -> None:
    source = film(tmp_path, kind)
    assert SECRET.encode() in source.read_bytes()
    made, data = await make(source)
    assert SECRET.encode() not in data
    assert SECRET.encode() not in made.poster


@pytest.mark.parametrize(
    ("kind", "extension"), [("mp3", "mp3"), ("m4a", "m4a"), ("ogg", "m4a"), ("flac", "m4a"), ("wav", "m4a")]
)
async def test_sounds_become_mp3_or_m4a_without_metadata(kind: str, extension: str, tmp_path: Path) -> None:
    source = tone(tmp_path, kind)
    made, data = await make(source)
    assert (made.kind, made.extension, made.width, made.poster) == ("audio", extension, 0, b"")
    assert made.duration_s == pytest.approx(1.0, abs=0.15)
    assert SECRET.encode() not in data


async def test_a_silent_film_is_a_moving_picture(tmp_path: Path) -> None:
    made, _ = await make(film(tmp_path, sound=False))
    assert made.kind == "gifv"


async def test_a_turned_film_stands_upright(tmp_path: Path) -> None:
    flat = film(tmp_path)
    turned = (
        ffmpeg(tmp_path / "turned.mp4", "-display_rotation", "90", "-i", str(flat), "-c", "copy")
        if _rotates()
        else flat
    )
    if turned == flat:
        turned = ffmpeg(tmp_path / "turned.mp4", "-i", str(flat), "-c", "copy", "-metadata:s:v", "rotate=90")
    made, data = await make(turned)
    assert (made.width, made.height) == (HEIGHT, WIDTH)
    assert streams(data, tmp_path)[0] == ("video", "h264", "yuv420p")


def _rotates() -> bool:
    told = subprocess.run(["ffmpeg", "-hide_banner", "-h", "long"], capture_output=True, check=True).stdout
    return b"-display_rotation" in told


async def test_a_large_film_is_made_smaller_and_even(tmp_path: Path) -> None:
    source = film(tmp_path, "webm", picture="testsrc=size=2561x1441:rate=1:duration=1")
    made, _ = await make(source)
    assert made.width * made.height <= 1920 * 1080
    assert made.width % 2 == made.height % 2 == 0
    assert made.width / made.height == pytest.approx(2561 / 1441, abs=0.01)


async def test_a_film_that_is_too_long_is_refused_whatever_it_says(tmp_path: Path) -> None:
    limits = Limits(file_bytes=99 << 20, longest_s=0.5)
    with pytest.raises(Invalid, match="minutes at most"):
        await make(film(tmp_path), limits)
    piped = film(tmp_path, "webm", "-live", "1")  # as browsers record: without a word on its length
    with pytest.raises(Invalid, match="minutes at most"):
        await make(piped, limits)


async def test_a_film_that_becomes_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=TOO_LARGE):
        await make(film(tmp_path, "webm"), Limits(file_bytes=2_000, longest_s=60))


async def test_work_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    source = film(tmp_path, "mov", picture="testsrc=size=640x360:rate=50:duration=30", sound=False)
    with pytest.raises(Invalid, match=TOO_SLOW):
        await make(source, make_s=0.2)
    assert not _children()


async def test_a_cancelled_work_ends_its_process(tmp_path: Path) -> None:
    source = film(tmp_path, "mov", picture="testsrc=size=640x360:rate=50:duration=30", sound=False)
    async with asyncio.timeout(20):
        work = asyncio.create_task(make(source))
        while not _children():  # noqa: ASYNC110  (no event tells of a process)
            await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert not _children()


async def test_without_ffmpeg_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_studio, "programs", lambda: None)
    assert not FilmStudio().is_open
    with pytest.raises(Invalid, match="ffmpeg is not installed"):
        async with FilmStudio().make(tmp_path / "x", LIMITS, folder=tmp_path):
            pass
    assert "ffmpeg" in NO_FFMPEG


def _hostile(folder: Path, port: int) -> dict[str, bytes]:
    secret = folder / "secret.txt"
    secret.write_bytes(b"#EXTM3U\n" + SECRET.encode())
    whole = film(folder).read_bytes()
    reference = boxed(b"alis", b"\0\0\0\0" + str(secret).encode())
    return {
        "text": b"This is not a film at all. " * 100,
        "nothing": b"",
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://%b\n#EXT-X-ENDLIST\n" % bytes(secret),
        "playlist with a head": whole[:32] + b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:%d/x.ts\n" % port,
        "concat": b"ffconcat version 1.0\nfile '%b'\n" % bytes(secret),
        "manifest": b"<?xml version='1.0'?><MPD><BaseURL>http://127.0.0.1:%d/</BaseURL></MPD>" % port,
        "webm with a playlist": b"\x1aE\xdf\xa3\x9f" + b"#EXTM3U\nhttp://127.0.0.1:%d/x.ts\n" % port,
        "reference": whole[:32]
        + boxed(b"moov", boxed(b"trak", boxed(b"mdia", boxed(b"minf", boxed(b"dinf", reference))))),
        "cut off": whole[: len(whole) // 3],
        "only a head": whole[:40],
        "endless boxes": whole[:32] + (b"\0\0\0\x01moov" + b"\xff" * 8) * 500,
        "nested boxes": whole[:32] + b"\0\0\xff\xffmoov" * 5_000,
        "picture": still("jpeg"),
        "matroska of nothing": b"\x1aE\xdf\xa3" + b"\x01" * 5_000,
        "sound of nothing": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + b"\0" * 5_000,
    }


async def test_cve_2023_36460_hostile_files_read_no_other_file_and_call_nobody(tmp_path: Path) -> None:
    needs_ffmpeg()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.05)
        for name, data in _hostile(tmp_path, listener.getsockname()[1]).items():
            source = tmp_path / f"{name}.mp4"
            source.write_bytes(data)
            with pytest.raises(Invalid):
                await make(source)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_cve_2023_36460_the_process_sees_one_file_and_no_network(tmp_path: Path) -> None:
    """A program in ffmpeg's place tries what an attacker in it would try."""
    (tmp_path / "room").mkdir()
    (tmp_path / "given").write_text("given")
    (tmp_path / "other").write_text("other")
    code = f"""
import os, socket
memory = lambda: bytearray(4 << 30)
def listener():
    with socket.create_connection(('127.0.0.1', {{port}}), 1): pass
def try_(name, attempt):
    try:
        attempt()
        print(name, 'done')
    except (OSError, MemoryError) as exc:
        print(name, 'refused')
try_('given', lambda: open({str(tmp_path / "given")!r}).read())
try_('room', lambda: open({str(tmp_path / "room" / "made")!r}, 'w').write('x'))
try_('other', lambda: open({str(tmp_path / "other")!r}).read())
try_('passwords', lambda: open('/etc/passwd').read())
try_('given is written', lambda: open({str(tmp_path / "given")!r}, 'w'))
try_('elsewhere', lambda: open({str(tmp_path / "new")!r}, 'w'))
try_('memory', memory)
try_('size', lambda: open({str(tmp_path / "room" / "large")!r}, 'wb', 0).write(bytes(2 << 20)))
try_('network', listener)
"""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        code = code.replace("{port}", str(server.getsockname()[1]))
        order = {
            "cpu_s": 10, "memory_bytes": 2 << 30, "file_bytes": 1 << 20, "read": str(tmp_path / "given"),
            "write": str(tmp_path / "room"),
        }  # fmt: skip
        words = [sys.executable, "-I", "-S", film_studio._LIMITED, json.dumps(order), os.path.realpath(sys.executable)]
        found = subprocess.run([*words, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, cwd="/")
    told = dict(line.rsplit(" ", 1) for line in found.stdout.splitlines())
    assert told.pop("given") == "done", found.stderr
    assert told.pop("room") == "done"
    if not _has_landlock():
        for name in ("other", "passwords", "given is written", "elsewhere"):
            told.pop(name)
    told.pop("size")  # the rest of a write that is too large: told by its length, below
    assert (tmp_path / "room" / "large").stat().st_size <= 1 << 20
    assert set(told.values()) == {"refused"}, told


def _has_landlock() -> bool:
    import ctypes  # noqa: PLC0415

    return sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1


def test_both_programs_are_needed() -> None:
    needs_ffmpeg()
    assert programs() is not None


def _children() -> list[str]:
    return [each for each in os.listdir("/proc") if each.isdigit() and _is_ours(Path("/proc") / each)]


def _is_ours(process: Path) -> bool:
    with contextlib.suppress(OSError):
        parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
        return parent == os.getpid() and b"rooms" in (process / "cmdline").read_bytes()
    return False
