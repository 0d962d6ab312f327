"""What ffprobe's words may say, and what is made of them."""

from fractions import Fraction
from typing import Any

import msgspec
import pytest

from townsquare.media.containers import MP4, Container
from townsquare.media.ffmpeg import fitted, make_words, plan_of
from townsquare.media.film import Limits
from townsquare.media.probe import Found, check_found, read_probe
from townsquare.model.errors import Invalid

LIMITS = Limits(file_bytes=99 << 20, longest_s=600)
FILM = {
    "index": 0, "codec_type": "video", "codec_name": "h264", "profile": "High", "pix_fmt": "yuv420p", "width": 1280,
    "height": 720, "avg_frame_rate": "30000/1001", "sample_aspect_ratio": "1:1",
}  # fmt: skip
SOUND = {"index": 1, "codec_type": "audio", "codec_name": "aac"}


def said(*streams: dict[str, Any], container: Container = MP4, **fields: Any) -> Found:
    told = {"streams": streams, "format": {"duration": "10.5", "bit_rate": "800000", **fields}}
    return read_probe(msgspec.json.encode(told), container)


def test_film_and_sound_are_found_among_the_rest() -> None:
    cover = {**FILM, "index": 2, "codec_name": "png", "disposition": {"attached_pic": 1}}
    found = said(cover, {"index": 3, "codec_type": "data"}, FILM, SOUND)
    assert found.film is not None
    assert found.sound is not None
    assert (found.film.index, found.sound.index) == (0, 1)
    assert (found.width, found.height, found.frame_rate) == (1280, 720, Fraction(30000, 1001))
    assert (found.duration_s, found.bitrate, found.turned) == (10.5, 800_000, False)
    check_found(found, longest_s=600)


def test_a_turned_film_is_upright_and_square() -> None:
    found = said({**FILM, "sample_aspect_ratio": "4:3", "side_data_list": [{}, {"rotation": -90}]})
    assert (found.width, found.height, found.turned) == (720, 1707, True)


def test_a_film_that_plays_everywhere_is_copied() -> None:
    plan = plan_of(said(FILM, SOUND), LIMITS)
    assert plan.film[:2] == ("-c:v", "copy")
    assert plan.sound == ("-c:a", "copy")


@pytest.mark.parametrize(
    "change",
    [
        {"codec_name": "hevc"},
        {"pix_fmt": "yuv420p10le"},
        {"profile": "High 4:4:4 Predictive"},
        {"side_data_list": [{"rotation": 180}]},
        {"sample_aspect_ratio": "4:3"},
    ],
)
def test_others_are_made_anew(change: dict[str, Any]) -> None:
    assert "libx264" in plan_of(said({**FILM, **change}), LIMITS).film


def test_a_file_without_a_word_on_its_length_still_fits() -> None:
    found = said({**FILM, "codec_name": "vp9", "avg_frame_rate": "90/1"}, duration="N/A", bit_rate="")
    assert (found.duration_s, found.bitrate) == (0.0, 0)
    plan = plan_of(found, Limits(file_bytes=10 << 20, longest_s=600))
    assert int(plan.film[plan.film.index("-maxrate") + 1]) == 64_000
    assert plan.film[plan.film.index("-vf") + 1].startswith("fps=60,")


@pytest.mark.parametrize(
    ("streams", "fields", "words"),
    [
        ([{**FILM, "width": 50_000, "height": 50_000}], {}, "50000x50000 videos are not supported"),
        ([{**FILM, "width": 0}], {}, "not a video or sound"),
        ([{**FILM, "width": 9_000, "height": 16}], {}, "9000x16 videos"),
        ([{**FILM, "sample_aspect_ratio": "99999:1"}], {}, "1280x720 videos are not supported"),
        ([{**FILM, "avg_frame_rate": "100000/1"}], {}, "100000fps videos are not supported"),
        ([{**FILM, "codec_name": "hls"}], {}, "must be H.264"),
        ([FILM, {**SOUND, "codec_name": "pcm_dvd"}], {}, "must be H.264"),
        ([FILM], {"duration": "1e9"}, "10 minutes at most"),
    ],
)
def test_cve_2022_45198_what_is_over_the_limits_is_refused(
    streams: list[dict[str, Any]], fields: dict[str, str], words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        check_found(said(*streams, **fields), longest_s=600)


@pytest.mark.parametrize(
    "output", [b"", b"{}", b"[]", b'{"streams": 3}', b"\xff", b'{"streams":[{"codec_type":"video"}]}']
)
def test_what_ffprobe_should_never_say_is_refused(output: bytes) -> None:
    with pytest.raises(Invalid, match="not a video or sound"):
        read_probe(output, MP4)
    with pytest.raises(Invalid, match="not a video or sound"):
        said(*[{"index": n, "codec_type": "audio"} for n in range(100)])


def test_a_container_of_sound_holds_no_film() -> None:
    with pytest.raises(Invalid, match="not a video or sound"):
        said(FILM, container=Container("mp3", may_move=False))


@pytest.mark.parametrize("size", [(1, 1), (3, 8000), (1280, 720), (3840, 2160), (2160, 3840), (641, 359)])
def test_sides_are_even_and_within_the_pixels(size: tuple[int, int]) -> None:
    width, height = fitted(*size, 1920 * 1080)
    assert width % 2 == height % 2 == 0
    assert width >= 2
    assert height >= 2
    assert width * height <= 1920 * 1080


def test_every_input_is_one_file_by_a_named_reader() -> None:
    words, extension = make_words("/x/in", MP4, said(FILM, SOUND), LIMITS, "/x/out")
    at = words.index("-i")
    assert words[at + 1] == "file:/x/in"
    assert words[words.index("-f") + 1] == "mov"
    assert words[words.index("-protocol_whitelist") + 1] == "file"
    assert words.count("-i") == 1
    assert (words[-1], extension) == ("file:/x/out", "mp4")
