"""Media attachments as JSON.

Box: render. Source: Mastodon API, /entities/MediaAttachment/
"""

from typing import Any

import msgspec

from townsquare.kit.urls import files_base
from townsquare.model.status import Media

_encode = msgspec.json.Encoder().encode


def media_json(media: Media, base: str) -> bytes:
    """The MediaAttachment entity. `url` is null until the upload was worked on."""
    ready = media.state == "ready"
    meta: dict[str, Any] = {}
    if ready and media.width and media.height:
        if media.kind == "image":
            meta["original"] = _size(media.width, media.height)
        meta["small"] = _size(media.preview_width or media.width, media.preview_height or media.height)
    if ready and media.duration_ms:
        meta.update(_played(media))
    if media.focus is not None:
        meta["focus"] = {"x": media.focus[0], "y": media.focus[1]}
    return _encode(
        {
            "id": str(media.media_id),
            "type": media.kind,
            "url": f"{files_base(base)}/media/{media.original}" if ready else None,
            "preview_url": f"{files_base(base)}/media/{media.preview}" if ready and media.preview else None,
            "remote_url": None,
            "preview_remote_url": None,
            "text_url": None,
            "meta": meta,
            "description": media.description or None,
            "blurhash": media.blurhash or None,
        }
    )


def _played(media: Media) -> dict[str, Any]:
    """What is said of a film or a sound: in the entity's words, and before them in those that old clients read."""
    duration_s = media.duration_ms / 1000
    minutes, seconds = divmod(duration_s, 60)
    length = f"{int(minutes) // 60}:{int(minutes) % 60:02}:{seconds:05.2f}"
    said: dict[str, Any] = {"length": length, "duration": duration_s}
    original: dict[str, Any] = {"duration": duration_s, "bitrate": media.bitrate}
    if media.width and media.height:
        above, _, below = media.frame_rate.partition("/")
        said |= {"fps": round(int(above) / int(below)) if int(below or 0) else 0, **_size(media.width, media.height)}
        original = {"width": media.width, "height": media.height, "frame_rate": media.frame_rate, **original}
    return {**said, "original": original}


def _size(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height, "size": f"{width}x{height}", "aspect": width / height}
