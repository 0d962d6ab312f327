"""Polls: vote, and see where they stand.

Box: social. Source: Mastodon API, /methods/polls/
"""

from collections.abc import Sequence

from townsquare.kit.snowflake import month_of
from townsquare.model.account import Account
from townsquare.model.errors import Invalid, NotFound
from townsquare.model.status import Poll, Status
from townsquare.model.tasks import CountVote
from townsquare.render.poll import poll_json
from townsquare.social.hydrate import drop_flags, visible
from townsquare.social.ports import Ports
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.store.port import Put
from townsquare.store.tables import MINE, POLL_COUNTS, POLL_VOTES, MineRow, VoteRow


async def vote(ports: Ports, *, actor: Account, poll_id: int, choices: Sequence[int]) -> None:
    """Vote, once.

    Raises: NotFound; Invalid for a poll that is over or one's own, a second vote, a choice that is none.
    """
    status, poll = await find_poll(ports, poll_id, await viewer_of(ports, actor.account_id))
    chosen = tuple(sorted(set(choices)))
    if poll.expires_ms is not None and poll.expires_ms <= ports.clock.now_ms():
        raise Invalid("Validation failed: The poll has already ended")
    if status.author == actor.account_id:
        raise Invalid("Validation failed: You cannot vote in your own polls")
    if not chosen or chosen[0] < 0 or chosen[-1] >= len(poll.options) or (len(chosen) > 1 and not poll.multiple):
        raise Invalid("Validation failed: The chosen vote option does not exist")
    row = VoteRow(poll_id=poll_id, voter=actor.account_id, choices=chosen, vote_id=ports.new_id())
    there = await ports.store.slow_put_if_absent(POLL_VOTES, row)
    if there is None or not there.counted:
        # Also where the vote is there but not counted: whoever wrote it may have died before this.
        flag = MineRow(
            account_id=actor.account_id,
            month=month_of(poll_id),
            status_id=poll_id,
            kind="vote",
            on=True,
            ref=0,
            at_ms=ports.clock.now_ms(),
        )
        await ports.outbox.commit([Put(MINE, flag)], tasks=[CountVote(poll_id, actor.account_id)])
        await drop_flags(ports, actor.account_id, [poll_id])
    if there is not None:
        raise Invalid("Validation failed: You have already voted on this poll")


async def find_poll(ports: Ports, poll_id: int, viewer: Viewer) -> tuple[Status, Poll]:
    """A poll with its status.

    Raises: NotFound where there is none or the viewer may not see it.
    """
    status = (await visible(ports, poll_id, viewer)).status
    if status.poll is None:
        raise NotFound
    return status, status.poll


async def poll_entity(ports: Ports, poll_id: int, viewer: Viewer) -> bytes:
    """The Poll as the viewer sees it now: the own vote is in it, counted yet or not.

    Raises: NotFound.
    """
    status, poll = await find_poll(ports, poll_id, viewer)
    own = await ports.store.get(POLL_VOTES, (poll_id, viewer.account_id)) if viewer.account_id else None
    while True:
        total = await ports.store.get(POLL_COUNTS, (poll_id,))
        again = await ports.store.get(POLL_VOTES, (poll_id, viewer.account_id)) if viewer.account_id else None
        if again == own:  # else it was counted between the two reads
            break
        own = again
    votes, voters = list(total.votes) if total else [0] * len(poll.options), total.voters if total else 0
    if own is not None and not own.counted:
        voters += 1
        for choice in own.choices:
            votes[choice] += 1
    mine = () if own is None and status.author == viewer.account_id else None
    return poll_json(
        poll_id,
        poll,
        votes=votes,
        voters=voters,
        now_ms=ports.clock.now_ms(),
        own=mine if own is None else own.choices,
        signed_in=bool(viewer.account_id),
    )
