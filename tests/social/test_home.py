"""Home timelines against a simple model, with rings that get lost and work that comes late."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.social.conftest import Town, open_town
from townsquare.model.account import Account, User
from townsquare.model.errors import Forbidden, NotFound
from townsquare.model.paging import Window
from townsquare.social import follows, reblogs, relations, statuses, timelines
from townsquare.social.follows import FollowOptions
from townsquare.store.tables import USERS

PEOPLE = 3
_who = st.integers(0, PEOPLE - 1)
_which = st.integers(0, 30)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), _who, _which),
        st.tuples(st.sampled_from(["follow", "unfollow"]), _who, _who),
        st.tuples(st.just("post"), _who, _which),
        st.tuples(st.just("boost"), _who, _which),
        st.tuples(st.just("unboost"), _who, _which),
        st.tuples(st.just("delete"), _who, _which),
        st.tuples(st.sampled_from(["follow", "follow", "unfollow", "block", "unblock"]), _who, _who),
        st.tuples(st.sampled_from(["read", "lose", "work", "wait"]), _who, _which),
    ),
    min_size=15,
    max_size=50,
)


@dataclass
class Model:
    """What is so, in sets."""

    posts: dict[int, tuple[int, int]] = field(default_factory=dict)  # id: (author, boosted id or 0)
    follows: set[tuple[int, int]] = field(default_factory=set)
    blocks: set[tuple[int, int]] = field(default_factory=set)

    def apart(self, one: int, two: int) -> bool:
        return (one, two) in self.blocks or (two, one) in self.blocks

    def home(self, me: int) -> set[int]:
        """What is to be seen, boosts by what they show."""
        shown = set()
        for status_id, (author, boosted) in self.posts.items():
            near = author == me or (me, author) in self.follows
            hidden = self.apart(me, author) or (boosted and self.apart(me, self.posts[boosted][0]))
            if near and not hidden:
                shown.add(boosted or status_id)
        return shown

    def delete(self, status_id: int) -> None:
        self.posts = {
            each: (author, boosted)
            for each, (author, boosted) in self.posts.items()
            if status_id not in (each, boosted)
        }


async def walk(town: Town, who: Account, *, limit: int, forward: bool = False) -> list[int]:
    """The whole home timeline, page by page, newest first."""
    seen: list[int] = []
    window = Window(limit=limit, forward=forward, above=1 if forward else None)
    for _ in range(200):
        page = await timelines.home(town.ports, who.account_id, window)
        ids = [(view.reblog or view).status.status_id for view in page.views]
        seen = [*ids, *seen] if forward else [*seen, *ids]
        if not page.newest or (page.is_end and not forward):
            return seen
        window = (
            Window(limit=limit, forward=True, above=page.newest) if forward else Window(limit=limit, below=page.oldest)
        )
    raise AssertionError("the walk does not end")


class Story:
    """Does each step in the town and in the model."""

    def __init__(self, town: Town, people: list[Account], users: list[User]) -> None:
        self.town, self.people, self.users, self.model = town, people, users, Model()

    async def step(self, op: str, a: int, b: int) -> None:
        self.town.clock.advance(seconds=1)
        await getattr(self, op)(a, b)

    async def post(self, a: int, b: int) -> None:
        status_id = await self.town.post(self.people[a], "hello")
        self.model.posts[status_id] = (a, 0)

    def pick(self, b: int, *, boosts: bool) -> int | None:
        found = [each for each, (_, boosted) in self.model.posts.items() if boosts or not boosted]
        return found[b % len(found)] if found else None

    async def boost(self, a: int, b: int) -> None:
        target = self.pick(b, boosts=False)
        if target is None:
            return
        try:
            view = await reblogs.reblog(self.town.ports, actor=self.people[a], user=self.users[a], status_id=target)
        except (NotFound, Forbidden):
            assert self.model.apart(a, self.model.posts[target][0])
            return
        self.model.posts[view.status.status_id] = (a, target)

    async def unboost(self, a: int, b: int) -> None:
        target = self.pick(b, boosts=False)
        if target is None:
            return
        try:
            await reblogs.unreblog(self.town.ports, actor=self.people[a], status_id=target)
        except NotFound:
            return
        for each, value in list(self.model.posts.items()):
            if value == (a, target):
                del self.model.posts[each]

    async def delete(self, a: int, b: int) -> None:
        target = self.pick(b, boosts=True)
        if target is not None:
            author = self.people[self.model.posts[target][0]]
            await statuses.delete(self.town.ports, author=author, status_id=target, delete_media=False)
            self.model.delete(target)

    async def follow(self, a: int, b: int) -> None:
        if a != b and not self.model.apart(a, b):
            await follows.follow(
                self.town.ports, actor=self.people[a], target_id=self.people[b].account_id, options=FollowOptions()
            )
            self.model.follows.add((a, b))

    async def unfollow(self, a: int, b: int) -> None:
        if a != b:
            await follows.unfollow(self.town.ports, actor=self.people[a], target_id=self.people[b].account_id)
            self.model.follows.discard((a, b))

    async def block(self, a: int, b: int) -> None:
        if a != b:
            await relations.block(self.town.ports, actor=self.people[a], target_id=self.people[b].account_id)
            self.model.blocks.add((a, b))
            self.model.follows -= {(a, b), (b, a)}

    async def unblock(self, a: int, b: int) -> None:
        await relations.unblock(self.town.ports, actor=self.people[a], target_id=self.people[b].account_id)
        self.model.blocks.discard((a, b))

    async def read(self, a: int, b: int) -> None:
        await timelines.home(self.town.ports, self.people[a].account_id, Window(limit=5))

    async def lose(self, a: int, b: int) -> None:
        await self.town.ports.feeds.drop([self.people[a].account_id])

    async def work(self, a: int, b: int) -> None:
        await self.town.work(disorder=b % 2 == 0)

    async def wait(self, a: int, b: int) -> None:
        self.town.clock.advance(seconds=86_400 * b)


@given(ops=OPS, limit=st.integers(1, 6))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.slow
def test_home_is_what_the_model_says(ops: list[tuple[str, int, int]], limit: int) -> None:
    async def run() -> None:
        async with open_town() as town:
            people = [await town.person(f"p{n}") for n in range(PEOPLE)]
            users = await town.ports.store.get_many(USERS, [(each.account_id,) for each in people])
            story = Story(town, people, [each for each in users if each is not None])
            for n in range(PEOPLE):
                await story.read(n, 0)
            for op, a, b in ops:
                await story.step(op, a, b)
            await town.work(disorder=True)
            for n, who in enumerate(people):
                seen = await walk(town, who, limit=limit)
                assert set(seen) == story.model.home(n)
                assert set(await walk(town, who, limit=limit, forward=True)) == set(seen)
                await town.ports.feeds.drop([who.account_id])
                assert set(await walk(town, who, limit=limit)) == set(seen)

    asyncio.run(run())
