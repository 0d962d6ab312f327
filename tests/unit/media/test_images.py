"""Pictures as they leave: without metadata, upright, in sRGB, in their sizes."""

import zlib

import pytest
import pyvips

from tests.unit.media.made import SECRET, animation, png_bomb, png_chunk, scene, still, with_metadata
from townsquare.media.images import ORIGINAL_PIXELS, make
from townsquare.media.picture import Made, Picture, Use
from townsquare.model.errors import Invalid

TRACES = (
    SECRET,
    b"Exif",
    b"xmpmeta",
    b"ICC_PROFILE",
    b"iCCP",
    b"ICCP",
    b"8BIM",
    b"Photoshop",
    b"tEXt",
    b"iTXt",
    b"eXIf",
)


def opened(picture: Picture) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(picture.data, "")


def all_of(made: Made) -> list[Picture]:
    return [made.main, *([made.beside] if made.beside else [])]


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp", "avif"])
@pytest.mark.parametrize("use", list(Use))
def test_g25_nothing_of_the_metadata_is_left(kind: str, use: Use) -> None:
    data = with_metadata(kind)
    assert SECRET in data
    for picture in all_of(make(data, use)):
        assert not [trace for trace in TRACES if trace in picture.data]
        assert not [name for name in opened(picture).get_fields() if name.startswith(("exif", "xmp", "icc", "iptc"))]


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("use", list(Use))
def test_g25_nothing_of_the_metadata_is_left_in_animations(kind: str, use: Use) -> None:
    data = animation(kind)
    if kind == "gif":
        comment = b"\x21\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
        xmp = b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
        data = data[:-1] + comment + xmp + data[-1:] + SECRET
    else:
        chunk = b"EXIF" + len(SECRET).to_bytes(4, "little") + SECRET
        data = data[:20] + bytes([data[20] | 0x08]) + data[21:] + chunk
        data = b"RIFF" + (len(data) - 8).to_bytes(4, "little") + data[8:] + SECRET
    for picture in all_of(make(data, use)):
        assert SECRET not in picture.data
        assert b"EXIF" not in picture.data


def test_a_picture_that_lies_on_its_side_is_set_upright() -> None:
    image = scene(64, 48).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)  # to be turned right by 90 degrees
    made = make(still("jpeg", image), Use.ATTACHMENT)
    assert (made.main.width, made.main.height) == (48, 64)
    # The bottom left corner, little red and much green, is the top left one now.
    red, green, _ = opened(made.main).getpoint(1, 1)
    assert red < 40
    assert green > 200


def test_other_colour_spaces_become_srgb() -> None:
    cmyk = scene().colourspace("cmyk")
    for image in (cmyk, scene().colourspace("b-w"), scene().colourspace("rgb16")):
        kind = "jpeg" if image.format == "uchar" else "png"
        result = opened(make(still(kind, image), Use.ATTACHMENT).main)
        assert (result.interpretation, result.bands, result.format) == ("srgb", 3, "uchar")


def test_large_pictures_are_made_smaller_in_their_proportions() -> None:
    made = make(still("jpeg", scene(5000, 2500)), Use.ATTACHMENT)
    assert made.main.width * made.main.height <= ORIGINAL_PIXELS
    assert made.main.width / made.main.height == pytest.approx(2, rel=0.001)
    assert made.beside is not None
    assert made.beside.width * made.beside.height <= 640 * 360
    assert (opened(made.main).width, opened(made.main).height) == (made.main.width, made.main.height)


def test_small_pictures_are_not_blown_up() -> None:
    made = make(still("png"), Use.ATTACHMENT)
    assert made.beside is not None
    assert (made.main.width, made.main.height) == (made.beside.width, made.beside.height) == (64, 48)
    assert make(still("png", scene(100, 50)), Use.AVATAR).main.width == 50


@pytest.mark.parametrize(("use", "size"), [(Use.AVATAR, (400, 400)), (Use.HEADER, (1500, 500))])
def test_profile_pictures_are_cut_to_their_box(use: Use, size: tuple[int, int]) -> None:
    made = make(still("jpeg", scene(2000, 1200)), use)
    assert (made.main.width, made.main.height) == size
    assert made.beside is None


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animations_stay_animations_with_a_still_beside(kind: str) -> None:
    for use in (Use.ATTACHMENT, Use.AVATAR):
        made = make(animation(kind, 4, (100, 80)), use)
        image = pyvips.Image.new_from_buffer(made.main.data, "n=-1")
        assert made.main.extension == kind
        assert (image.get("n-pages"), image.get("delay"), image.get("loop")) == (4, [120] * 4, 0)
        assert image.get("page-height") == made.main.height == 80
        assert made.beside is not None
        assert not opened(made.beside).get_typeof("n-pages")


def test_transparency_is_kept_where_there_is_any() -> None:
    half = scene().bandjoin(scene()[0]).copy(interpretation="srgb")
    made = make(still("png", half), Use.ATTACHMENT)
    assert made.beside is not None
    assert (made.main.extension, made.beside.extension) == ("png", "webp")
    solid = make(still("png", scene().bandjoin(255).copy(interpretation="srgb")), Use.ATTACHMENT)
    assert solid.beside is not None
    assert solid.beside.extension == "jpg"


def test_a_blurhash_of_four_by_three_parts() -> None:
    made = make(still("jpeg"), Use.ATTACHMENT)
    assert len(made.blurhash) == 28
    assert made.blurhash[0] == "L"


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
def test_a_file_cut_in_the_middle_is_refused(kind: str) -> None:
    data = still(kind, scene(400, 300))
    with pytest.raises(Invalid):
        make(data[: len(data) // 2], Use.ATTACHMENT)


@pytest.mark.slow
def test_cve_2022_45198_text_that_would_inflate_is_never_inflated() -> None:
    data = still("png")
    bomb = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000), 9))
    assert make(data[:33] + bomb * 20 + data[33:], Use.ATTACHMENT).main.width == 64


def test_a_large_but_allowed_picture_of_one_colour_is_fine() -> None:
    made = make(png_bomb(8000, 4000), Use.ATTACHMENT)
    assert made.main.width == 4072
