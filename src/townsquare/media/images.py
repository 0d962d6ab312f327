"""Pictures: decoded by libvips, turned upright, brought to sRGB, cut to size, written again without metadata.

Box: media. Pure work on bytes; runs only in the limited process of `child.py`, because decoders of foreign files are
where servers get broken into. Loaders are called by name after the magic number was checked, so that libvips never
chooses one itself.
"""

import struct
from collections.abc import Callable
from math import sqrt

import blurhash_rs
import pyvips

from townsquare.media.headers import BROKEN, MAX_PIXELS, Header, read_header
from townsquare.media.picture import Made, Picture, Use
from townsquare.media.repack import png_without_text, repacked_gif, repacked_webp
from townsquare.model.errors import Invalid

ORIGINAL_PIXELS = 3840 * 2160
PREVIEW_PIXELS = 640 * 360
CARD_PIXELS = 1200 * 630
CROPS = {Use.AVATAR: (400, 400), Use.HEADER: (1500, 500)}
_MAX_SIDE = 16_383  # what WebP can hold
_BLURHASH_SIDE = 64
_LOADERS: dict[str, Callable[..., pyvips.Image]] = {
    "jpeg": pyvips.Image.jpegload_buffer,
    "png": pyvips.Image.pngload_buffer,
    "gif": pyvips.Image.gifload_buffer,
    "webp": pyvips.Image.webpload_buffer,
    "avif": pyvips.Image.heifload_buffer,
}
Fit = Callable[[pyvips.Image], pyvips.Image]


def make(data: bytes, use: Use) -> Made:
    """The files for this use.

    Raises: Invalid where the file is not a picture that may be read.
    """
    header = read_header(data)
    data = png_without_text(data)
    try:
        if header.frames > 1 and use is not Use.CARD:
            return _animation(data, header, use)
        return _still(data, header, use)
    except (pyvips.Error, struct.error, IndexError) as exc:
        raise Invalid(BROKEN) from exc


def _still(data: bytes, header: Header, use: Use) -> Made:
    image = _fit_for(use)(_frame(data, header, use)).copy_memory()
    main = _picture(image, _still_format(header.format, image))
    small = _within(image, PREVIEW_PIXELS)
    beside = _picture(small, _preview_format(small)) if use is Use.ATTACHMENT else None
    return Made(main, beside, _blurhash(small))


def _animation(data: bytes, header: Header, use: Use) -> Made:
    fit = _fit_for(use)
    first = fit(_frame(data, header, use)).copy_memory()
    small = _within(first, PREVIEW_PIXELS)
    beside = small if use is Use.ATTACHMENT else first
    if use is Use.ATTACHMENT and (first.width, first.height) == (header.width, header.height):
        repacked = repacked_gif(data) if header.format == "gif" else repacked_webp(data)
        main = Picture(repacked, header.format, header.width, header.height)
    else:
        main = _drawn_again(data, header, fit)
    return Made(main, _picture(beside, _preview_format(beside)), _blurhash(small))


def _drawn_again(data: bytes, header: Header, fit: Fit) -> Picture:
    """The animation with each frame made to fit."""
    strip = _LOADERS[header.format](data, n=-1, access="sequential", fail_on="truncated")
    count, height = strip.get("n-pages"), strip.get("page-height")
    frames = [fit(_srgb(strip.crop(0, n * height, strip.width, height))) for n in range(count)]
    joined = pyvips.Image.arrayjoin(frames, across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
    for name, kind in (("delay", pyvips.GValue.array_int_type), ("loop", pyvips.GValue.gint_type)):
        if strip.get_typeof(name):
            joined.set_type(kind, name, strip.get(name))
    return _picture(joined, header.format, page_height=frames[0].height)


def _frame(data: bytes, header: Header, use: Use) -> pyvips.Image:
    """The first frame, upright, in sRGB with 8 bits. Decoders that can make it smaller on the way do."""
    load, smaller = _LOADERS[header.format], _smaller(header, use)
    image = load(data, access="sequential", fail_on="truncated", **smaller)
    if image.width * image.height > MAX_PIXELS:
        raise Invalid(BROKEN)  # the header lied
    if image.get_typeof("orientation") and image.get("orientation") > 1:
        image = load(data, fail_on="truncated", **smaller).autorot()  # turning reads in any order
    return _srgb(image)


def _smaller(header: Header, use: Use) -> dict[str, float]:
    """The decoder's option that leaves at least the size that is needed, whichever side will be up."""
    width, height = header.width, header.height
    if use in CROPS:
        excess = min(width, height) / max(CROPS[use])
    else:
        excess = sqrt(width * height / (CARD_PIXELS if use is Use.CARD else ORIGINAL_PIXELS))
    if header.format == "jpeg":
        return {"shrink": next((n for n in (8, 4, 2) if n <= excess), 1)}
    if header.format == "webp" and excess > 1 and header.frames == 1:
        return {"scale": 1 / excess}
    return {}


def _srgb(image: pyvips.Image) -> pyvips.Image:
    if image.get_typeof("icc-profile-data"):
        try:
            image = image.icc_transform("srgb", embedded=True, intent="relative", depth=8)
        except pyvips.Error:
            image = image.colourspace("srgb")  # a broken profile: the numbers as they are
    image = image.colourspace("srgb")
    return image.extract_band(0, n=min(image.bands, 4)).cast("uchar")


def _fit_for(use: Use) -> Fit:
    if use in CROPS:
        return lambda image: _cropped(image, CROPS[use])
    limit = CARD_PIXELS if use is Use.CARD else ORIGINAL_PIXELS
    return lambda image: _within(image, limit)


def _within(image: pyvips.Image, pixels: int) -> pyvips.Image:
    """The image with at most so many pixels, in its proportions; never larger than it was."""
    scale = min(1.0, sqrt(pixels / (image.width * image.height)), _MAX_SIDE / max(image.width, image.height))
    if scale == 1.0:
        return image
    width, height = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.thumbnail_image(width, height=height, size="force", no_rotate=True)


def _cropped(image: pyvips.Image, box: tuple[int, int]) -> pyvips.Image:
    """The middle of the image in the box's proportions, at most as large as the box."""
    scale = min(1.0, image.width / box[0], image.height / box[1])
    width, height = max(1, int(box[0] * scale)), max(1, int(box[1] * scale))
    return image.thumbnail_image(width, height=height, crop="centre", no_rotate=True)


def _still_format(source: str, image: pyvips.Image) -> str:
    if source in {"png", "webp"}:
        return source
    if source == "gif":
        return "png"
    return "webp" if image.hasalpha() else "jpeg"


def _preview_format(image: pyvips.Image) -> str:
    return "webp" if image.hasalpha() and image[image.bands - 1].min() < 255 else "jpeg"


def _picture(image: pyvips.Image, kind: str, *, page_height: int | None = None) -> Picture:
    height = page_height or image.height
    if kind == "jpeg":
        if image.hasalpha():
            image = image.flatten(background=[255, 255, 255])
        return Picture(image.jpegsave_buffer(Q=85, optimize_coding=True, keep="none"), "jpg", image.width, height)
    if kind == "png":
        return Picture(image.pngsave_buffer(compression=6, keep="none"), "png", image.width, height)
    if kind == "gif":
        return Picture(image.gifsave_buffer(effort=3, keep="none"), "gif", image.width, height)
    return Picture(image.webpsave_buffer(Q=85, effort=3, keep="none"), "webp", image.width, height)


def _blurhash(image: pyvips.Image) -> str:
    if image.hasalpha():
        image = image.flatten(background=[255, 255, 255])
    small = image.thumbnail_image(_BLURHASH_SIDE, height=_BLURHASH_SIDE, size="down", no_rotate=True)
    pixels = bytes(small.write_to_memory())
    return blurhash_rs.encode_rgb(pixels, small.width, small.height, 4, 3)  # type: ignore[attr-defined]  # not listed
