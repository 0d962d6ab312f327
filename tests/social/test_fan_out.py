"""Who gets a status into their home timeline, what open streams hear, and what is left of a deleted account."""

import numpy as np

from tests.social.conftest import Town
from townsquare.feeds.port import Reason
from townsquare.model.account import Visibility
from townsquare.model.events import StatusEvent, decode_event
from townsquare.model.status import Mention, Status
from townsquare.model.tasks import DeleteStatuses, FanOutStatus
from townsquare.social import favourites, follows, statuses
from townsquare.social.audience import CHUNK, Audience, audiences, chunks, receivers
from townsquare.social.follows import FollowOptions
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNT_STATS, AUTHOR_LOG, STATUSES
from townsquare.workers.fan_out import fan_out_statuses


def audience(
    *followers: int, no_reblogs: tuple[int, ...] = (), languages: dict[int, tuple[str, ...]] | None = None
) -> Audience:
    ids = np.array(followers, np.int64)
    return Audience(ids, chunks(ids), np.array(no_reblogs, np.int64), languages or {})


def who(status: Status, of: Audience, parent: Audience | None = None, language: str = "") -> list[int]:
    return [int(each) for part in receivers(status, of, parent, language) for each in part]


def test_receivers() -> None:
    status = Status(status_id=1, author=9)
    some = audience(1, 2, 3, 4, no_reblogs=(2,), languages={3: ("de", "fr")})
    assert who(status, some) == [1, 2, 3, 4]
    assert who(Status(status_id=1, author=9, boost_of=5), some) == [1, 3, 4]
    assert who(status, some, language="en") == [1, 2, 4]
    assert who(status, some, language="fr") == [1, 2, 3, 4]
    reply = Status(status_id=1, author=9, reply_to=5, reply_to_author=4)
    assert who(reply, some, audience(2, 7)) == [2, 4]
    direct = Status(status_id=1, author=9, visibility=Visibility.DIRECT, mentions=(Mention(3, "c"), Mention(8, "h")))
    assert who(direct, some) == [3]


def test_many_followers_go_in_parts_that_are_always_the_same() -> None:
    many = audience(*range(1, 2 * CHUNK + 2))
    status = Status(status_id=1, author=0)
    first, again = receivers(status, many, None, ""), receivers(status, many, None, "")
    assert [len(part) for part in first] == [CHUNK, CHUNK, 1]
    assert all(one is other for one, other in zip(first, again, strict=True))


async def test_a_follow_and_its_end_change_the_audience(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    assert len((await audiences(town.ports, [ann.account_id]))[ann.account_id].followers) == 0
    options = FollowOptions(reblogs=False, languages=("de",))
    await follows.follow(town.ports, actor=bob, target_id=ann.account_id, options=options)
    await town.work()
    found = (await audiences(town.ports, [ann.account_id]))[ann.account_id]
    assert found.followers.tolist() == found.no_reblogs.tolist() == [bob.account_id]
    assert found.languages == {bob.account_id: ("de",)}
    await follows.unfollow(town.ports, actor=bob, target_id=ann.account_id)
    await town.work()
    assert len((await audiences(town.ports, [ann.account_id]))[ann.account_id].followers) == 0


async def test_streams_hear_of_each_change_once(town: Town) -> None:
    heard: list[StatusEvent] = []

    def listen(_: str, payload: bytes) -> None:
        event = decode_event(payload)
        assert isinstance(event, StatusEvent)
        heard.append(event)

    town.ports.streaming.listen(StatusEvent.topic, listen)
    ann, bob = await town.person("ann"), await town.person("bob")
    status = await town.post(ann, "hi @bob #Tag")
    await town.work()
    await statuses.delete(town.ports, author=ann, status_id=status, delete_media=True)
    await town.work()
    assert [(event.change, event.status_id, event.tags) for event in heard] == [
        ("update", status, ("tag",)),
        ("delete", status, ("tag",)),
    ]
    assert heard[0].mentions == (bob.account_id,)


async def test_what_was_never_committed_goes_nowhere(town: Town) -> None:
    ann = await town.person("ann")
    await town.ports.feeds.fill(ann.account_id, [], [], floor=0)
    status_id = town.ports.new_id()
    await town.ports.store.write([Put(STATUSES, Status(status_id=status_id, author=ann.account_id, text="x"))])
    await fan_out_statuses([FanOutStatus(status_id, ann.account_id)], town.ports)
    page = await town.ports.feeds.read(ann.account_id)
    assert page is not None
    assert page.ids == []


async def test_own_statuses_are_home_before_any_work(town: Town) -> None:
    ann = await town.person("ann")
    await town.ports.feeds.fill(ann.account_id, [], [], floor=0)
    status = await town.post(ann, "x")
    page = await town.ports.feeds.read(ann.account_id)
    assert page is not None
    assert (page.ids, page.reasons) == ([status], [Reason.SELF])


async def test_a_deleted_accounts_statuses_go_page_by_page(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    root = await town.post(bob, "root")
    made = []
    for n in range(130):
        if n % 50 == 0:
            town.clock.advance(seconds=86_400 * 20)
        made.append(await town.post(ann, "x", reply_to=root))
    await favourites.favourite(town.ports, actor=bob, status_id=made[0])
    await town.work()
    await town.ports.outbox.commit(tasks=[DeleteStatuses(ann.account_id)])
    await town.work(disorder=True)
    rows = await town.ports.store.get_many(STATUSES, [(each,) for each in made])
    assert all(row is not None and row.deleted and not row.text for row in rows)
    logs, _ = await town.ports.store.scan(AUTHOR_LOG, limit=10_000)
    assert not any(row.on or row.counted for row in logs if row.author == ann.account_id)
    stats = await town.ports.store.get(ACCOUNT_STATS, (ann.account_id,))
    assert stats is not None
    assert stats.statuses == 0
