"""Mastodon.py (PyPI) logs in, posts with a picture, reads, and hears live events."""

import queue
from pathlib import Path
from typing import Any

import pytest
from mastodon import CallbackStreamListener, Mastodon

from tests.live import PASSWORD, LiveServer, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("clients")]


def _log_in(live: LiveServer, name: str) -> Any:
    account = live.account(name)
    client_id, client_secret = Mastodon.create_app(
        "Mastodon.py", api_base_url=live.url, scopes=["read", "write", "follow"]
    )
    api = Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=live.url)
    api.log_in(f"{name}@example.org", PASSWORD, scopes=["read", "write", "follow"], allow_http=True)
    assert str(api.account_verify_credentials()["id"]) == account["id"]
    return api


def test_two_people_meet(live: LiveServer, picture: Path) -> None:
    ann, ben = _log_in(live, "mpy_ann"), _log_in(live, "mpy_ben")
    assert ann.instance_v2()["version"].startswith("4.7.3 (compatible; Townsquare")
    ann_id = ann.me()["id"]
    assert ben.account_follow(ann_id)["following"]

    events: queue.Queue[tuple[str, Any]] = queue.Queue()
    listener = CallbackStreamListener(
        update_handler=lambda status: events.put(("update", status)),
        notification_handler=lambda notice: events.put(("notification", notice)),
    )
    stream = ben.stream_user(listener, run_async=True, reconnect_async=False)
    try:
        assert eventually(stream.is_receiving, within_s=10)
        media = ann.media_post(picture.read_bytes(), "image/png", description="Coloured hills")
        assert media["type"] == "image"
        posted = ann.status_post("Hello @mpy_ben, see #hills", media_ids=[media["id"]], language="en")
        assert posted["media_attachments"][0]["description"] == "Coloured hills"
        assert [tag["name"] for tag in posted["tags"]] == ["hills"]

        heard = dict(events.get(timeout=10) for _ in range(2))
        assert heard["update"]["id"] == posted["id"]
        assert heard["notification"]["type"] == "mention"
    finally:
        stream.close()

    assert eventually(lambda: [s["id"] for s in ben.timeline_home()] == [posted["id"]])
    assert [n["type"] for n in ben.notifications()] == ["mention"]

    ben.status_favourite(posted["id"])
    boost = ben.status_reblog(posted["id"])
    assert boost["reblog"]["id"] == posted["id"]
    reply = ben.status_reply(posted, "Good to see you")
    assert eventually(lambda: {n["type"] for n in ann.notifications()} == {"follow", "favourite", "reblog", "mention"})
    now = eventually(lambda: (s := ann.status(posted["id"]))["replies_count"] == 1 and s["reblogs_count"] == 1 and s)
    assert now["favourites_count"] == 1
    context = ann.status_context(posted["id"])
    assert [s["id"] for s in context["descendants"]] == [reply["id"]]
    found = ann.search_v2("mpy_ben")
    assert [a["username"] for a in found["accounts"]] == ["mpy_ben"]

    ann.status_delete(posted["id"])
    assert eventually(lambda: posted["id"] not in [s["id"] for s in ben.timeline_home()])
