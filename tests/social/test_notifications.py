"""Notices and direct conversations."""

from tests.social.conftest import Town
from townsquare.kit.snowflake import month_of
from townsquare.model.account import Account
from townsquare.model.paging import Window
from townsquare.model.tasks import Notify, NotifyMentions
from townsquare.social import conversations, follows, relations
from townsquare.social.favourites import favourite, unfavourite
from townsquare.social.follows import FollowOptions
from townsquare.social.notifications import Notice, NoticeFilter, dismiss, notices, unread_count
from townsquare.social.statuses import delete
from townsquare.store.notifications import find_slot, notice_ids
from townsquare.store.port import Put
from townsquare.store.reactions import mine
from townsquare.store.tables import NOTIFICATIONS, NotificationRow
from townsquare.streaming.port import Listener

ALL = NoticeFilter()


async def told(town: Town, account: Account, wanted: NoticeFilter = ALL, **window: int | bool) -> list[Notice]:
    found, _ = await notices(town.ports, actor=account, window=Window(**window), wanted=wanted)
    return found


async def test_a_mention_is_told_once_however_often_the_work_is_done(town: Town) -> None:
    heard: list[bytes] = []
    listener: Listener = lambda _, payload: heard.append(payload)  # noqa: E731
    town.ports.streaming.listen("notifications", listener)
    ann, bob = await town.person("ann"), await town.person("bob")
    status_id = await town.post(ann, "hello @bob and @bob")
    await town.work(disorder=True)
    await town.ports.outbox.commit(tasks=[NotifyMentions(status_id, ann.account_id)])
    await town.work()
    (notice,) = await told(town, bob)
    assert (notice.row.kind, notice.row.status_id) == ("mention", status_id)
    assert len(heard) == 1
    assert await told(town, ann) == []


async def test_only_the_named_hear_of_a_direct_status__GHSA_5fq7_3p3j_9vrf(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    eve, mal = await town.person("eve"), await town.person("mal")
    await relations.block(town.ports, actor=mal, target_id=ann.account_id)
    text = "@bob see http://x.example/@eve and mail a@eve and @evening, not @mal"
    await town.post(ann, text, visibility="direct")
    await town.work()
    assert [each.row.kind for each in await told(town, bob)] == ["mention"]
    assert await told(town, eve) == []
    assert await told(town, mal) == []
    for who, n in ((ann, 1), (bob, 1), (eve, 0), (mal, 0)):
        assert len(await conversations.conversations(town.ports, actor=who, window=Window())) == n


async def test_no_notice_from_the_muted_unless_they_asked_for_them(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    await relations.mute(town.ports, actor=bob, target_id=ann.account_id, notifications=True, duration_s=0)
    await town.post(ann, "hello @bob")
    await town.work()
    assert await told(town, bob) == []
    await relations.mute(town.ports, actor=bob, target_id=ann.account_id, notifications=False, duration_s=0)
    await town.post(ann, "again @bob")
    await town.work()
    assert len(await told(town, bob)) == 1


async def test_a_later_block_hides_and_a_deleted_status_takes_its_notice_along(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    first = await town.post(ann, "one @bob")
    await town.post(ann, "two @bob")
    await town.work()
    assert len(await told(town, bob)) == 2
    await delete(town.ports, author=ann, status_id=first, delete_media=True)
    assert len(await told(town, bob)) == 1
    await relations.block(town.ports, actor=bob, target_id=ann.account_id)
    assert await told(town, bob) == []
    assert await unread_count(town.ports, actor=bob, wanted=ALL, limit=100) == 0


async def test_a_favourite_is_told_and_taken_back(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    status_id = await town.post(bob, "hello")
    await favourite(town.ports, actor=ann, status_id=status_id)
    row = await mine(town.ports.store, ann.account_id, status_id, "favourite")
    assert row is not None
    act = Notify(bob.account_id, ann.account_id, "favourite", status_id, row.at_ms)
    for _ in range(2):
        await town.ports.outbox.commit(tasks=[act])
    await town.work(disorder=True)
    assert [each.row.kind for each in await told(town, bob)] == ["favourite"]
    await unfavourite(town.ports, actor=ann, status_id=status_id)
    await town.ports.outbox.commit(tasks=[act])
    await town.work()
    assert await told(town, bob) == []


async def test_who_asked_hears_of_each_status(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=FollowOptions(notify=True))
    await town.work()
    status_id = await town.post(bob, "news", visibility="private")
    await town.work()
    assert [(each.row.kind, each.row.status_id) for each in await told(town, ann)] == [("status", status_id)]
    await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=FollowOptions(notify=False))
    await town.work()
    await town.post(bob, "more news")
    await town.work()
    assert len(await told(town, ann)) == 1


async def test_pages_go_on_over_months_types_and_hidden_ones(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    eve = await town.person("eve")
    for n in range(30):
        await town.post(eve if n % 3 else ann, f"{n} @bob")
        town.clock.advance(seconds=4 * 86_400)
    await town.work()
    await relations.block(town.ports, actor=bob, target_id=eve.account_id)
    every = await told(town, bob, limit=40)
    assert len(every) == 10
    ids = [each.row.notification_id for each in every]
    assert ids == sorted(ids, reverse=True)
    assert [each.row.notification_id for each in await told(town, bob, limit=4)] == ids[:4]
    assert [each.row.notification_id for each in await told(town, bob, limit=4, below=ids[3])] == ids[4:8]
    forward = await told(town, bob, limit=3, above=ids[5], forward=True)
    assert [each.row.notification_id for each in forward] == ids[2:5]
    assert await told(town, bob, NoticeFilter(exclude_types=("mention",))) == []
    assert len(await told(town, bob, NoticeFilter(types=("mention",), account_id=ann.account_id), limit=40)) == 10
    assert await dismiss(town.ports, actor=ann, ids=ids) == 0
    assert await dismiss(town.ports, actor=bob, ids=ids[:2]) == 2
    assert len(await told(town, bob, limit=40)) == 8


async def test_a_conversation_follows_its_last_status(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    first = await town.post(ann, "@bob hello", visibility="direct")
    await town.work()
    second = await town.post(bob, "@ann hello too", visibility="direct", reply_to=first)
    await town.work(disorder=True)
    (seen,) = await conversations.conversations(town.ports, actor=ann, window=Window())
    assert (seen.row.conversation_id, seen.row.last_status, seen.row.unread) == (first, second, True)
    read = await conversations.mark(town.ports, actor=ann, conversation_id=first, unread=False)
    assert not read.row.unread
    await town.ports.outbox.commit(tasks=[NotifyMentions(second, bob.account_id)])
    await town.work()
    (seen,) = await conversations.conversations(town.ports, actor=ann, window=Window())
    assert not seen.row.unread
    await delete(town.ports, author=bob, status_id=second, delete_media=True)
    (seen,) = await conversations.conversations(town.ports, actor=ann, window=Window())
    assert seen.last_status is not None
    assert seen.last_status.status.status_id == first
    await conversations.remove(town.ports, actor=ann, conversation_id=first)
    assert await conversations.conversations(town.ports, actor=ann, window=Window()) == []


async def test_two_notices_of_one_id_both_stay(town: Town) -> None:
    at_ms = town.clock.now_ms()
    (taken, free, *_) = notice_ids(1, 2, "follow", 0, at_ms)
    month = month_of(taken)
    other = NotificationRow(account_id=1, month=month, notification_id=taken, kind="mention", actor=3, status_id=9)
    await town.ports.store.write([Put(NOTIFICATIONS, other)])
    wanted = NotificationRow(account_id=1, month=month, notification_id=0, kind="follow", actor=2)
    assert await find_slot(town.ports.store, wanted, at_ms) == (free, None)
