"""Fill a server through the verbs: people, follows, posts, pictures, replies, boosts, favourites, spread as in life.

Box: cli. The same seed gives the same people doing the same; only ids and times differ. What people do falls off with
their rank as posts of a few get most of the attention.
"""

import asyncio
import colorsys
import io
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import msgspec
import numpy as np

from townsquare.cli.seeding.graph import Graph
from townsquare.cli.seeding.words import Words
from townsquare.model.account import Account, User
from townsquare.model.errors import Invalid
from townsquare.social import favourites, follows, media, reblogs, statuses, users
from townsquare.social.accounts import change_account
from townsquare.social.drafts import Draft
from townsquare.social.ports import Ports
from townsquare.social.sign_up_form import SignUp
from townsquare.workers.runner import drain
from townsquare.workers.table import ALL_JOBS

T = TypeVar("T")
D = TypeVar("D")
_DraftOf = tuple[int, str, float | None, float | None]  # author, text, hue of a picture, what an answer answers
Progress = Callable[[str, int, int], None]  # what, done, of how many

_AT_ONCE = 64  # acts under way: they share commits
_ROUNDS = 50  # of posts, then reactions
_DRAIN_EVERY = 2_000  # acts, after which the workers' part is done
_PICTURE_PIXELS = (720, 480)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much to make. Parts are of one."""

    posts_each: float = 4.0
    replies_part: float = 0.25  # of posts
    pictures_part: float = 0.08
    favourites_each: float = 2.0  # per post
    boosts_each: float = 0.3
    password: str = ""  # of all; empty: nobody can log in by password


@dataclass(slots=True)
class Made:
    """What there is now."""

    people: list[tuple[Account, User]] = field(default_factory=list)
    posts: list[tuple[int, int]] = field(default_factory=list)  # status id, number of the author
    follows: int = 0
    pictures: int = 0
    replies: int = 0
    favourites: int = 0
    boosts: int = 0


class Filling:
    """One run."""

    def __init__(self, ports: Ports, graph: Graph, plan: Plan, *, seed: int, words: Words, progress: Progress) -> None:
        self._ports, self._graph, self._plan, self._words, self._progress = ports, graph, plan, words, progress
        self._random = Random(seed)
        self._rank = np.argsort(-np.bincount(graph.followed, minlength=graph.people), kind="stable")
        self.made = Made()

    async def run(self) -> Made:
        """Make it all.

        Raises: Invalid where the server has these people already.
        """
        await self._people()
        await self._follows()
        await self._posts_and_reactions()
        await drain(self._ports, ALL_JOBS, at_once=_AT_ONCE)
        return self.made

    async def _people(self) -> None:
        password_hash = await self._ports.passwords.hash(self._plan.password) if self._plan.password else "!"
        cast = [(number, *self._words.person(number), self._words.note()) for number in range(self._graph.people)]

        async def join(person: tuple[int, str, str, str]) -> tuple[Account, User]:
            number, username, display_name, note = person
            form = SignUp(username=username, email=f"{username}@people.example", locale="en")
            try:
                account, user = await users.create_user(self._ports, form, password_hash=password_hash, confirmed=True)
            except Invalid as exc:
                raise Invalid("These people are here already; choose another folder with --data.") from exc
            account = await change_account(
                self._ports,
                account.account_id,
                lambda old: msgspec.structs.replace(
                    old, display_name=display_name, note=note, discoverable=True, indexable=number % 2 == 0
                ),
            )
            return account, user

        async for done in self._each("people", cast, join):
            self.made.people.append(done)

    async def _follows(self) -> None:
        # By the one followed: the workers then write a bucket of followers once for many.
        order = np.lexsort((self._graph.follower, self._graph.followed))
        pairs = list(zip(self._graph.follower[order].tolist(), self._graph.followed[order].tolist(), strict=True))

        async def follow(pair: tuple[int, int]) -> None:
            actor, target = self.made.people[pair[0]][0], self.made.people[pair[1]][0]
            await follows.follow(self._ports, actor=actor, target_id=target.account_id, options=follows.FollowOptions())

        async for _ in self._each("follows", pairs, follow):
            self.made.follows += 1

    async def _posts_and_reactions(self) -> None:
        """Some posts at a time, and then what people do with those that are there: boosts stand among posts."""
        acts = self._drafts()
        step = max(_AT_ONCE, -(-len(acts) // _ROUNDS))
        for start in range(0, len(acts), step):
            await self._posts(acts[start : start + step])
            await self._reactions()

    def _drafts(self) -> list[_DraftOf]:
        wanted = int(self._graph.people * self._plan.posts_each)
        authors = self._by_rank(wanted)
        acts = []
        for n, author in enumerate(authors):
            is_reply = n > _AT_ONCE and self._random.random() < self._plan.replies_part
            picture = None if is_reply or self._random.random() >= self._plan.pictures_part else self._random.random()
            text = self._words.reply() if is_reply else self._words.post()
            acts.append((author, text, picture, self._random.random() if is_reply else None))
        return acts

    async def _posts(self, acts: Sequence[_DraftOf]) -> None:
        async def post(act: _DraftOf) -> tuple[int, int]:
            number, text, picture, reply = act
            account, user = self.made.people[number]
            attached: tuple[int, ...] = ()
            parent = None
            if picture is not None:
                upload = await media.upload(
                    self._ports,
                    account_id=account.account_id,
                    file=io.BytesIO(draw(picture)),
                    description="Coloured hills under a pale sky",
                )
                await media.work_on(self._ports, upload.media_id)
                attached, self.made.pictures = (upload.media_id,), self.made.pictures + 1
            if reply is not None:
                # Most answer what is new.
                parent = self.made.posts[-1 - int(len(self.made.posts) * reply**4)][0]
                self.made.replies += 1
            draft = Draft(text=text, media=attached, reply_to=parent, visibility="public", language="en")
            return await statuses.post(self._ports, author=account, user=user, draft=draft), number

        async for done in self._each("posts", acts, post):
            self.made.posts.append(done)

    async def _reactions(self) -> None:
        """As many as the posts that are there should have by now; most to what is new."""
        made, posts = self.made, self.made.posts
        wanted = (
            ("favourite", int(len(posts) * self._plan.favourites_each) - made.favourites),
            ("boost", int(len(posts) * self._plan.boosts_each) - made.boosts),
        )
        acts = [
            (kind, actor, posts[-1 - int(len(posts) * self._random.random() ** 3)][0])
            for kind, count in wanted
            for actor in self._by_rank(count)
        ]

        async def react(act: tuple[str, int, int]) -> None:
            kind, number, status_id = act
            account, user = self.made.people[number]
            if kind == "favourite":
                await favourites.favourite(self._ports, actor=account, status_id=status_id)
                self.made.favourites += 1
            else:
                await reblogs.reblog(self._ports, actor=account, user=user, status_id=status_id)
                self.made.boosts += 1

        async for _ in self._each("reactions", acts, react):
            pass

    def _by_rank(self, count: int) -> list[int]:
        """Numbers of people, those with many followers more often."""
        people = self._graph.people
        return [int(self._rank[int(people * self._random.random() ** 1.5)]) for _ in range(count)]

    async def _each(self, what: str, acts: Sequence[T], act: Callable[[T], Awaitable[D]]) -> AsyncIterator[D]:
        """Do the acts, some at once; their results in the acts' order."""
        for start in range(0, len(acts), _AT_ONCE):
            for result in await asyncio.gather(*[act(each) for each in acts[start : start + _AT_ONCE]]):
                yield result
            done = min(start + _AT_ONCE, len(acts))
            if done == len(acts) or done // _DRAIN_EVERY != start // _DRAIN_EVERY:
                await drain(self._ports, ALL_JOBS, at_once=_AT_ONCE)
            self._progress(what, done, len(acts))


def draw(hue: float) -> bytes:
    """A picture of hills as a PNG; the same for the same number from 0 to 1."""
    width, height = _PICTURE_PIXELS
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    top, bottom = np.array([0.45, 0.66, 0.86]), np.array([0.98, 0.87, 0.74])
    sky = np.broadcast_to(top + (bottom - top) * (y / 0.7)[..., None], (height, width, 3))
    for n in range(4):
        ridge = 0.35 + 0.15 * n + 0.07 * np.sin(2 * np.pi * (x * (1.5 + n) + hue * (n + 1)))
        colour = np.array(colorsys.hsv_to_rgb((hue + 0.07 * n) % 1, 0.35 + 0.08 * n, 0.75 - 0.13 * n))
        sky = np.where((y > ridge)[..., None], colour, sky)
    pixels = (np.clip(sky, 0, 1) * 255).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
