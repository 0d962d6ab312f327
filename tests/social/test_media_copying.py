"""Files move by the keys that rows name."""

from pathlib import Path

from townsquare.kit.clock import SetClock
from townsquare.media.disk import DiskMedia
from townsquare.media.memory import MemoryMedia
from townsquare.model.account import Account
from townsquare.model.status import Card, Media
from townsquare.social.media_copying import copy_media
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNTS, CARDS, MEDIA, TABLES


async def test_all_files_that_rows_name_are_copied_once_and_back(tmp_path: Path) -> None:
    store, memory, disk = MemoryStore(TABLES, clock=SetClock()), MemoryMedia(), DiskMedia(tmp_path)
    media = Media(media_id=1, account_id=2, original="media/a.webp", preview="media/b.webp")
    ann = Account(account_id=2, username="ann", created_ms=0, avatar="avatars/c.webp", avatar_static="avatars/c.webp")
    card = Card(url_hash=b"x", url="https://example.org", image="cards/d.webp")
    await store.write([Put(MEDIA, media), Put(ACCOUNTS, ann), Put(CARDS, card)])
    files = {f"{key}.webp": key.encode() * 9 for key in ("media/a", "media/b", "avatars/c")}  # that of the card is gone
    for key, data in files.items():
        await memory.put(key, data, content_type="image/webp")
    heard: list[tuple[str, int]] = []
    assert await copy_media(store, memory, disk, say=lambda what, n: heard.append((what, n))) == 3
    assert {key: await disk.get(key) for key in files} == files
    assert heard[-1] == ("files", 3)
    assert await copy_media(store, memory, disk, say=lambda what, n: None) == 0
    back = MemoryMedia()
    assert await copy_media(store, disk, back, say=lambda what, n: None) == 3
    assert {key: await back.get(key) for key in files} == files
