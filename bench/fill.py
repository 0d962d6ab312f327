"""Fills a store quickly: rows as the verbs would have left them, written in bulk, and rings of home timelines.

What is measured afterwards is reading and fanning out; how rows came to be there makes no difference to that.
"""

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from townsquare.cli.seeding.graph import Graph
from townsquare.cli.seeding.words import Words
from townsquare.feeds.port import RING_LENGTH, Reason
from townsquare.kit.secrets import hash_secret
from townsquare.model.account import Account, AccountStats, Token, User
from townsquare.model.status import Status
from townsquare.social.ports import Ports
from townsquare.store.follows import BUCKET_ROWS
from townsquare.store.port import Put, Write
from townsquare.store.statuses import making
from townsquare.store.tables import (
    ACCOUNT_STATS,
    ACCOUNT_TOKENS,
    ACCOUNTS,
    FOLLOWER_DIRECTORY,
    FOLLOWERS,
    FOLLOWING,
    REACTION_COUNTS,
    TOKENS,
    USERS,
    AccountTokenRow,
    FollowerDirectoryRow,
    FollowerRow,
    FollowingRow,
    ReactionCountRow,
)

_AT_ONCE = 5_000  # writes in a call
SCOPES = ("read", "write", "follow")


def secret_of(account_id: int) -> str:
    """The token that `people` gives an account."""
    return f"bench-{account_id}-{'x' * 24}"


async def write(ports: Ports, writes: Iterator[Write]) -> int:
    """Write them all, many at a time; how many."""
    part, done = list[Write](), 0
    for each in writes:
        part.append(each)
        if len(part) == _AT_ONCE:
            await ports.store.write(part)
            done, part = done + len(part), []
    if part:
        await ports.store.write(part)
    return done + len(part)


async def people(ports: Ports, count: int, *, tokens: bool = True) -> list[int]:
    """Accounts with log-ins and tokens; their ids in rising order."""
    now = ports.clock.now_ms()
    ids = [ports.new_id() for _ in range(count)]

    def rows() -> Iterator[Write]:
        for n, each in enumerate(ids):
            name = f"person{n}"
            yield Put(
                ACCOUNTS,
                Account(
                    account_id=each, username=name, display_name=f"Person {n}", note="Here to talk.", created_ms=now
                ),
            )
            yield Put(ACCOUNT_STATS, AccountStats(account_id=each, followers=n % 997, following=30, statuses=n % 53))
            if tokens:
                yield Put(
                    USERS,
                    User(account_id=each, email=f"{name}@people.example", password_hash="!", confirmed=True),
                )
                yield from token_rows(ports, each, now)

    await write(ports, rows())
    return ids


def token_rows(ports: Ports, account_id: int, now: int) -> list[Write]:
    """A token of the account, see `secret_of`."""
    token = Token(
        token_hash=hash_secret(secret_of(account_id)),
        token_id=ports.new_id(),
        account_id=account_id,
        client_id="",
        scopes=SCOPES,
        created_ms=now,
    )
    row = AccountTokenRow(account_id=account_id, token_hash=token.token_hash)
    return [Put(TOKENS, token), Put(ACCOUNT_TOKENS, row)]


async def follows(ports: Ports, ids: Sequence[int], graph: Graph, *, both_sides: bool = True) -> int:
    """Follows along the graph, whose numbers stand for places in `ids`. `both_sides`: also what the follower keeps."""
    seen = np.zeros(len(ids), np.int64)
    since = ports.new_id()

    def rows() -> Iterator[Write]:
        for follower, followed in zip(graph.follower.tolist(), graph.followed.tolist(), strict=True):
            bucket = int(seen[followed]) // BUCKET_ROWS
            seen[followed] += 1
            who, whom = ids[follower], ids[followed]
            yield Put(
                FOLLOWERS,
                FollowerRow(account_id=whom, bucket=bucket, follower=who, on=True, since_id=since, counted=True),
            )
            if both_sides:
                yield Put(
                    FOLLOWING,
                    FollowingRow(account_id=who, target=whom, state="on", since_id=since, bucket=bucket),
                )
        for number in np.flatnonzero(seen).tolist():
            last = (int(seen[number]) - 1) // BUCKET_ROWS
            yield Put(FOLLOWER_DIRECTORY, FollowerDirectoryRow(account_id=ids[number], open_bucket=last))

    return await write(ports, rows())


async def posts(ports: Ports, ids: Sequence[int], *, count: int, step_ms: int = 60_000, seed: int = 1) -> np.ndarray:
    """Posts of people by chance, `step_ms` apart and ending now, some answered and favourited.

    Returns an array of (status id, number of its author), oldest first.
    """
    random, words = Random(seed), Words(Random(seed), None)
    texts = [words.post() for _ in range(2_000)]
    first_ms = ports.clock.now_ms() - count * step_ms
    made = np.empty((count, 2), np.int64)

    def rows() -> Iterator[Write]:
        for n in range(count):
            number = random.randrange(len(ids))
            status_id = (first_ms + n * step_ms) << 16
            made[n] = status_id, number
            status = Status(
                status_id=status_id, author=ids[number], text=texts[n % len(texts)], language="en", root=status_id
            )
            before, commit = making(status)
            yield from before
            yield from commit
            if not n % 3:
                yield Put(
                    REACTION_COUNTS, ReactionCountRow(status_id=status_id, bucket=0, kind="favourite", n=n % 40 + 1)
                )

    await write(ports, rows())
    return made


async def rings(ports: Ports, ids: Sequence[int], graph: Graph, made: np.ndarray, readers: Sequence[int]) -> int:
    """Home timelines of the readers (numbers), as the fan-out would have filled them; entries in all."""
    order = np.argsort(made[:, 1], kind="stable")
    by_author = made[order, 0]
    starts = np.searchsorted(made[order, 1], np.arange(len(ids) + 1))
    edges = np.searchsorted(graph.follower, np.arange(len(ids) + 1))
    entries = 0
    for reader in readers:
        authors = [reader, *graph.followed[edges[reader] : edges[reader + 1]].tolist()]
        parts = [by_author[max(starts[a], starts[a + 1] - RING_LENGTH) : starts[a + 1]] for a in authors]
        found = np.sort(np.concatenate(parts))
        floor = int(found[-RING_LENGTH - 1]) if len(found) > RING_LENGTH else 0
        found = found[-RING_LENGTH:]
        await ports.feeds.fill(ids[reader], found.tolist(), [Reason.FOLLOW] * len(found), floor=floor)
        entries += len(found)
    return entries
