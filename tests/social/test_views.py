"""Views that are kept for all: none outlives a change of what it is made of, and none carries another's marks.

Suite: social.
"""

import json
from typing import Any

import msgspec

from tests.social.conftest import Town
from townsquare.model.account import Account
from townsquare.render.status import status_json
from townsquare.social.accounts import change_account
from townsquare.social.favourites import favourite
from townsquare.social.hydrate import statuses
from townsquare.social.reblogs import reblog
from townsquare.social.relations import block
from townsquare.social.statuses import delete
from townsquare.social.viewer import viewer_of
from townsquare.store.tables import USERS


async def shown(town: Town, status_id: int, viewer: Account | None = None) -> dict[str, Any] | None:
    """The status as the viewer gets it, None where they do not."""
    found = await statuses(town.ports, [status_id], await viewer_of(town.ports, viewer.account_id if viewer else 0))
    return json.loads(status_json(found[0])) if found else None


async def boosted(town: Town, by: Account, status_id: int) -> int:
    """A boost's id."""
    user = await town.ports.store.get(USERS, (by.account_id,))
    assert user is not None
    return (await reblog(town.ports, actor=by, user=user, status_id=status_id)).status.status_id


async def test_all_who_have_nothing_to_do_with_it_get_the_same_view(town: Town) -> None:
    ann, bob, eve = [await town.person(name) for name in ("ann", "bob", "eve")]
    status_id = await town.post(ann, "Hello", visibility="public")
    await town.work()
    viewers = [await viewer_of(town.ports, each.account_id) for each in (bob, eve)]
    first, second = [(await statuses(town.ports, [status_id], viewer))[0] for viewer in viewers]
    assert first is second
    anonymous, own = await shown(town, status_id), await shown(town, status_id, ann)
    assert anonymous is not None
    assert own is not None
    assert "favourited" not in anonymous
    assert own["pinned"] is False
    assert "pinned" not in (await shown(town, status_id, bob) or {})


async def test_marks_and_totals_are_seen_at_once_and_by_the_right_ones(town: Town) -> None:
    ann, bob, eve = [await town.person(name) for name in ("ann", "bob", "eve")]
    status_id = await town.post(ann, "Hello", visibility="public")
    boost_id = await boosted(town, bob, status_id)
    await town.work()
    for each in (bob, eve):
        await shown(town, boost_id, each)
    await favourite(town.ports, actor=eve, status_id=status_id)
    await town.work()
    for who, marked in ((eve, True), (ann, False)):
        for each in (status_id, boost_id):
            status = await shown(town, each, who)
            assert status is not None
            assert status["favourited"] is marked
            assert status["favourites_count"] == 1
            assert (status["reblog"] or status)["favourited"] is marked


async def test_a_change_of_an_author_shows_in_posts_and_in_boosts(town: Town) -> None:
    ann, bob, eve = [await town.person(name) for name in ("ann", "bob", "eve")]
    status_id = await town.post(ann, "Hello", visibility="public")
    boost_id = await boosted(town, bob, status_id)
    await town.work()
    await shown(town, boost_id, eve)
    await change_account(town.ports, ann.account_id, lambda old: msgspec.structs.replace(old, display_name="Annie"))
    await town.work()
    status = await shown(town, boost_id, eve)
    assert status is not None
    assert status["reblog"]["account"]["display_name"] == "Annie"
    await change_account(town.ports, ann.account_id, lambda old: msgspec.structs.replace(old, suspended=True))
    assert await shown(town, boost_id, eve) is None
    assert await shown(town, status_id) is None


async def test_what_is_deleted_or_blocked_is_gone_from_its_boosts_too(town: Town) -> None:
    ann, bob, eve = [await town.person(name) for name in ("ann", "bob", "eve")]
    first, second = [await town.post(ann, text, visibility="public") for text in ("One", "Two")]
    boosts = [await boosted(town, bob, each) for each in (first, second)]
    await town.work()
    for each in boosts:
        assert await shown(town, each, eve) is not None
    await delete(town.ports, author=ann, status_id=first, delete_media=False)
    assert await shown(town, boosts[0], eve) is None
    await block(town.ports, actor=eve, target_id=ann.account_id)
    assert await shown(town, boosts[1], eve) is None
    assert await shown(town, boosts[1], bob) is not None
