"""Files that are gone: here at once, and in the CDN that may keep them for a year.

Box: social. What a CDN is told may come twice, and is harmless then: it fetches anew, and finds nothing.
"""

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec

from townsquare import __version__
from townsquare.model.account import Account
from townsquare.model.tasks import PurgeFiles
from townsquare.social.outbound import FetchFailed
from townsquare.social.ports import Ports
from townsquare.social.timers import timer

# How long NGINX in front may still have a file that was deleted: told earlier, the CDN might fetch it once more.
FORGOTTEN_MS = 7_000
_DEADLINE_S = 20.0
_FIELDS = ("avatar", "avatar_static", "header", "header_static")
_encode = msgspec.json.Encoder().encode


async def delete_files(ports: Ports, keys: Sequence[str]) -> None:
    """Delete files that were shown, and leave word for the CDN, if there is one. Safe to repeat.

    Raises: Unavailable.
    """
    if not keys:
        return
    await ports.media.delete(list(keys))
    if ports.settings.cdn:
        due_ms = ports.clock.now_ms() + FORGOTTEN_MS
        await ports.store.write([timer(ports, PurgeFiles(tuple(keys)), due_ms=due_ms)])


def picture_keys(account: Account) -> tuple[str, ...]:
    """The files of a profile."""
    return tuple(sorted({key for field in _FIELDS if (key := getattr(account, field))}))


async def purge(ports: Ports, keys: Sequence[str]) -> None:
    """Have the CDN drop these files.

    Raises: FetchFailed where it is not reached or does not say that it will: then again later.
    """
    cdn = ports.settings.cdn
    if not cdn:
        return
    paths = [f"/media/{key}" for key in keys]
    name = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:32]  # the same when it is sent again
    if cdn.startswith("cloudfront:"):
        from townsquare.social.cloudfront import invalidation  # noqa: PLC0415 - needs a library not everybody has

        url, headers, body = await asyncio.to_thread(invalidation, cdn, paths, name=name)
    else:
        url, body = cdn, _encode({"id": name, "urls": [f"{ports.settings.base.files}{path}" for path in paths]})
        headers = {"Content-Type": "application/json", "Idempotency-Key": name}
        if ports.settings.cdn_secret:
            headers["Authorization"] = f"Bearer {ports.settings.cdn_secret}"
    headers = {"User-Agent": f"Townsquare/{__version__} (+{ports.settings.url})", **headers}
    status = await ports.outbound.tell(url, body, headers=headers, deadline_s=_DEADLINE_S)
    if not 200 <= status < 300:
        raise FetchFailed(f"The CDN answers {status}")
