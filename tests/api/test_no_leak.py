"""A word that is for followers alone, looked for in every answer there is: CVE-2024-53867, CVE-2025-67500, Search,
Pleroma 1.1. All routes that read are asked, with every id that leads near; none may say the word to those it is not
for, nor after what made it theirs has ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.api.belongings import sent, set_account
from tests.api.conftest import Person, Server
from tests.api.raw import call
from townsquare.model.status import Media
from townsquare.social import accounts
from townsquare.store.port import Put
from townsquare.store.tables import MEDIA
from townsquare.web.server.table import ALL_ROUTES

WORD = "xylophagous"
READS = [route for route in ALL_ROUTES if route.method == "GET" and not route.path.startswith(("/auth", "/oauth"))]
BY_QUERY = {
    "/api/v2/search": [b"q=" + WORD.encode()],
    "/api/v1/accounts/{id}/statuses": [b"", b"pinned=true", b"only_media=true", b"exclude_reblogs=true"],
    "/@{name}": [b"", b"media", b"replies", b"show=media", b"show=replies"],
}


@dataclass(kw_only=True)
class Scene:
    """Ann has said the word to her followers, of whom bob is one; he answered, kept and praised it."""

    server: Server
    ann: Person
    bob: Person
    eve: Person
    by_kind: dict[str, list[int]]

    async def heard(self, who: Person | None) -> set[str]:
        """The routes whose answers say the word to somebody."""
        found = set()
        headers = {**who.headers, "Cookie": f"session={who.secret}"} if who else {}
        for route in READS:
            for path in self._paths(route.path):
                for query in self._queries(route.path):
                    answer = await call(self.server, "GET", path, headers=headers, query=_with_ids(query, self.ids))
                    assert answer.status < 500, f"{path}: {answer.body!r}"
                    if WORD.encode() in answer.body.lower() and not _echoes(path):
                        found.add(route.path)
        return found

    def _queries(self, path: str) -> list[bytes]:
        """What else may be said to a route: the composer is told what to answer or to change."""
        if path == "/compose":
            return [b"%s=%d" % (name, at) for name in (b"reply_to", b"edit") for at in self.by_kind["statuses"]]
        return BY_QUERY.get(path, [b""])

    def _paths(self, path: str) -> list[str]:
        """A route's path with every id and name that leads near the word."""
        name = "ann" if path.startswith("/@") else WORD
        path = path.replace("{hashtag}", WORD).replace("{tag}", WORD).replace("{name}", name)
        if "{id}" not in path:
            return [path]
        kind = "statuses" if path.startswith(("/@", "/posts")) else path.removeprefix("/api/v1/").partition("/")[0]
        return [path.replace("{id}", str(at)) for at in self.by_kind.get(kind, [])]

    @property
    def ids(self) -> list[int]:
        """All of them."""
        return [at for ids in self.by_kind.values() for at in ids]


def _with_ids(query: bytes, ids: list[int]) -> bytes:
    return b"&".join([query, *(b"id[]=%d" % each for each in ids)])


def _echoes(path: str) -> bool:
    """A tag's own page says its name, whether anybody used it or not; so does the page of a search."""
    return path.startswith(("/api/v1/tags/", "/tags/", "/search"))


@pytest.fixture
async def scene(server: Server) -> Scene:
    ann, bob, eve = [await server.sign_in(name) for name in ("ann", "bob", "eve")]
    await sent(server, ann, "PATCH", "/api/v1/accounts/update_credentials", indexable=True, discoverable=True)
    at = f"/api/v1/accounts/{ann.account.account_id}/follow"
    await sent(server, bob, "POST", at, notify=True)
    await server.drain()
    media = Media(
        media_id=server.ports.new_id(), account_id=ann.account.account_id, original="a/b.webp", preview="a/c.webp",
        state="ready", description=f"a {WORD} beetle",
    )  # fmt: skip
    await server.ports.store.write([Put(MEDIA, media)])
    post = "/api/v1/statuses"
    private = await sent(
        server, ann, "POST", post, status=f"so {WORD} #{WORD}", visibility="private", media_ids=[str(media.media_id)]
    )
    poll = {"options": [WORD, "no"], "expires_in": 600_000}
    asked = await sent(server, ann, "POST", post, status="which?", spoiler_text=WORD, visibility="private", poll=poll)
    boost = await sent(server, ann, "POST", f"{post}/{private['id']}/reblog", visibility="private")
    for verb in ("favourite", "bookmark"):
        await sent(server, bob, "POST", f"{post}/{private['id']}/{verb}")
    await sent(server, ann, "POST", f"{post}/{private['id']}/pin")
    reply = await sent(server, bob, "POST", post, status="oh yes", in_reply_to_id=private["id"])
    await server.drain()
    notices = await sent(server, bob, "GET", "/api/v1/notifications")
    statuses = [int(each["id"]) for each in (private, asked, boost, reply)]
    by_kind = {
        "statuses": statuses,
        "polls": [statuses[1]],
        "accounts": [ann.account.account_id],
        "notifications": [int(each["id"]) for each in notices],
        "media": [media.media_id],
    }
    return Scene(server=server, ann=ann, bob=bob, eve=eve, by_kind=by_kind)


async def test_search_the_word_is_there_for_those_it_is_for(scene: Scene) -> None:
    """Search: so that the tests below do not pass because nothing is ever said."""
    heard = await scene.heard(scene.bob)
    assert {
        "/api/v1/timelines/home", "/api/v1/statuses/{id}", "/api/v1/statuses/{id}/context", "/api/v1/bookmarks",
        "/api/v1/favourites", "/api/v1/polls/{id}", "/api/v1/accounts/{id}/statuses", "/api/v1/notifications",
        "/", "/@{name}", "/@{name}/{id}", "/bookmarks", "/favourites", "/notifications",
    } <= heard  # fmt: skip
    assert "/api/v2/search" in await scene.heard(scene.ann)


@pytest.mark.parametrize("who", ["eve", "nobody"])
async def test_search_the_word_is_nowhere_for_others(scene: Scene, who: str) -> None:
    """Search, CVE-2025-67500, Pleroma 1.1: strangers and visitors never hear it."""
    assert await scene.heard(scene.eve if who == "eve" else None) == set()


async def _unfollow(scene: Scene) -> None:
    await sent(scene.server, scene.bob, "POST", f"/api/v1/accounts/{scene.ann.account.account_id}/unfollow")


async def _remove(scene: Scene) -> None:
    at = f"/api/v1/accounts/{scene.bob.account.account_id}/remove_from_followers"
    await sent(scene.server, scene.ann, "POST", at)


async def _block(scene: Scene) -> None:
    await sent(scene.server, scene.ann, "POST", f"/api/v1/accounts/{scene.bob.account.account_id}/block")


async def _block_her(scene: Scene) -> None:
    await sent(scene.server, scene.bob, "POST", f"/api/v1/accounts/{scene.ann.account.account_id}/block")


async def _delete(scene: Scene) -> None:
    for each in scene.by_kind["statuses"][:2]:
        await sent(scene.server, scene.ann, "DELETE", f"/api/v1/statuses/{each}")


async def _suspend(scene: Scene) -> None:
    await set_account(scene.server, scene.ann, suspended=True)


async def _delete_account(scene: Scene) -> None:
    await accounts.delete(scene.server.ports, scene.ann.account.account_id)


CUTS: list[Callable[[Scene], Awaitable[None]]] = [
    _unfollow, _remove, _block, _block_her, _delete, _suspend, _delete_account,
]  # fmt: skip


@pytest.mark.parametrize("cut", CUTS, ids=[cut.__name__ for cut in CUTS])
async def test_cve_2024_53867_what_was_seen_is_gone(scene: Scene, cut: Callable[[Scene], Awaitable[None]]) -> None:
    """CVE-2024-53867: from the answer on, and after the workers have done what follows from it."""
    await scene.heard(scene.bob)  # all caches are warm
    await cut(scene)
    assert await scene.heard(scene.bob) == set()
    await scene.server.drain()
    assert await scene.heard(scene.bob) == set()
