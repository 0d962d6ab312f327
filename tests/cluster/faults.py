"""People act while processes are killed; then everything acknowledged must be there, once, everywhere.

`python -m tests.cluster.faults --kills 20` prints what it did and found. The short form is a test of the suite.
"""

import argparse
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx

from tests.live import LiveServer, eventually, live_server

PEOPLE = 5
CLIENTS = 4
_ACKNOWLEDGED_WITHIN_S = 60.0
_QUIET_S = 45.0  # how long effects may take after the last kill: the relay, leases and retries run meanwhile


@dataclass
class Person:
    """Somebody who acts, and what was acknowledged to him."""

    id: str
    name: str
    token: str


@dataclass
class Ledger:
    """What was acknowledged."""

    posts: dict[str, tuple[str, str]] = field(default_factory=dict)  # status id -> author id, text
    replies: dict[str, tuple[str, str]] = field(default_factory=dict)  # reply id -> author id, parent id
    favourites: set[tuple[str, str]] = field(default_factory=set)  # person id, status id
    boosts: dict[tuple[str, str], str] = field(default_factory=dict)  # person id, status id -> boost id
    doubled: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Call(NamedTuple):
    """One attempt of a client."""

    at: float  # monotonic, when it ended
    took_s: float
    status: int  # 0: no answer
    refusal: str = ""  # in its words, with the way that was asked


class Acting(threading.Thread):
    """One client that posts, replies, boosts, favourites and reads until told to stop; each act is repeated until it is
    acknowledged, with the same Idempotency-Key. What was acknowledged can be read at once."""

    def __init__(self, url: str, people: list[Person], ledger: Ledger, stop: threading.Event, seed: int) -> None:
        super().__init__()
        self._url, self._people, self._ledger, self._stop_acting = url, people, ledger, stop
        self._random = random.Random(seed)
        self._seed, self._n = seed, 0
        self.faults: list[str] = []
        self.calls: list[Call] = []
        self.longest_s = 0.0
        # A connection for each request, as a kept one may go away with a process; certificates would take time.
        self._client = httpx.Client(verify=False, timeout=10, limits=httpx.Limits(max_keepalive_connections=0))

    def run(self) -> None:
        with self._client:
            self._act()

    def _act(self) -> None:
        while not self._stop_acting.is_set():
            person = self._random.choice(self._people)
            target = self._some_post()
            kind = (
                "post"
                if target is None
                else self._random.choices(("post", "reply", "favourite", "boost", "read"), (4, 2, 3, 1, 4))[0]
            )
            try:
                getattr(self, f"_{kind}")(person, target)
            except Exception as exc:  # noqa: BLE001 - told at the end
                self.faults.append(f"{kind}: {exc!r}")
                return

    def _some_post(self) -> str | None:
        with self._ledger.lock:
            posts = list(self._ledger.posts)
        return self._random.choice(posts[-50:]) if posts else None

    def _post(self, person: Person, _: str | None) -> None:
        text = self._text("post")
        made = self._until_acknowledged(person, "/api/v1/statuses", {"status": text}, key=text)
        with self._ledger.lock:
            self._ledger.posts[made["id"]] = (person.id, text)

    def _reply(self, person: Person, target: str | None) -> None:
        with self._ledger.lock:
            author_id = self._ledger.posts[str(target)][0]
        author = next(each for each in self._people if each.id == author_id)
        text = f"@{author.name} {self._text('reply')}"
        made = self._until_acknowledged(
            person, "/api/v1/statuses", {"status": text, "in_reply_to_id": str(target)}, key=text
        )
        with self._ledger.lock:
            self._ledger.replies[made["id"]] = (person.id, str(target))

    def _favourite(self, person: Person, target: str | None) -> None:
        self._until_acknowledged(person, f"/api/v1/statuses/{target}/favourite", {})
        with self._ledger.lock:
            self._ledger.favourites.add((person.id, str(target)))

    def _boost(self, person: Person, target: str | None) -> None:
        made = self._until_acknowledged(person, f"/api/v1/statuses/{target}/reblog", {})
        with self._ledger.lock:
            known = self._ledger.boosts.setdefault((person.id, str(target)), made["id"])
            if known != made["id"]:
                self._ledger.doubled.append(f"boost of {target}: {known} and {made['id']}")

    def _read(self, person: Person, target: str | None) -> None:
        with self._ledger.lock:
            text = self._ledger.posts[str(target)][1]
        found = self._until_acknowledged(person, f"/api/v1/statuses/{target}", method="GET")
        if found["content"] != f"<p>{text}</p>":
            self.faults.append(f"{target} reads {found['content']!r}, and {text!r} was posted")
        self._until_acknowledged(person, "/api/v1/timelines/home", method="GET")

    def _text(self, kind: str) -> str:
        self._n += 1
        return f"{kind} {self._seed}-{self._n}"

    def _until_acknowledged(
        self, person: Person, path: str, form: dict[str, str] | None = None, *, key: str = "", method: str = "POST"
    ) -> Any:
        headers = {"Authorization": f"Bearer {person.token}", **({"Idempotency-Key": key} if key else {})}
        begun = time.monotonic()
        while time.monotonic() < begun + _ACKNOWLEDGED_WITHIN_S:
            answer = self._once(method, path, form, headers)
            if answer is not None and answer.status_code == 200:
                self.longest_s = max(self.longest_s, time.monotonic() - begun)
                return answer.json()
            if answer is not None and answer.status_code < 500:
                raise AssertionError(f"{path}: {answer.status_code} {answer.text}")
            time.sleep(0.02)
        raise AssertionError(f"{path} was never acknowledged")

    def _once(
        self, method: str, path: str, form: dict[str, str] | None, headers: dict[str, str]
    ) -> httpx.Response | None:
        begun, answer = time.monotonic(), None
        with suppress(httpx.TransportError):
            answer = self._client.request(method, self._url + path, data=form, headers=headers)
        ended = time.monotonic()
        status = answer.status_code if answer is not None else 0
        words = (
            ""
            if status == 200
            else f"{method} {path.strip('/0123456789')}: {answer.text[:90] if answer else 'no answer'}"
        )
        self.calls.append(Call(ended, ended - begun, status, words))
        if answer is not None and answer.status_code == 503 and "retry-after" not in answer.headers:
            self.faults.append(f"{path}: 503 without Retry-After")
        return answer


@dataclass
class Findings:
    """What was seen."""

    kills: Counter[str] = field(default_factory=Counter)
    back_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    acts: dict[str, int] = field(default_factory=dict)
    quiet_s: float = 0.0
    longest_s: float = 0.0  # from an act to its acknowledgement


@dataclass
class Load:
    """People who act, and what is known of it so far."""

    place: "Place"
    people: list[Person]
    ledger: Ledger
    clients: list[Acting]
    findings: Findings

    def calls(self, begun: float, ended: float) -> list[Call]:
        """Those that ended between two monotonic times, in their order."""
        return sorted(call for client in self.clients for call in list(client.calls) if begun <= call.at <= ended)

    def until_homes_are_full(self, within_s: float) -> float:
        """Until homes hold what was acknowledged by now; the seconds that took. Two of them: people go on acting."""
        with self.ledger.lock:
            wanted = {*self.ledger.posts, *self.ledger.replies}
        begun = time.monotonic()
        for person in self.people[:2]:
            with self.place.client(person.token) as client:
                eventually(
                    lambda: wanted <= {row["id"] for row in _all(client, "/api/v1/timelines/home")},
                    within_s=within_s,
                )
        return time.monotonic() - begun


class Place(Protocol):
    """A server under test, of one process or many."""

    @property
    def url(self) -> str:
        """Where people come in."""

    def account(self, name: str, /) -> dict[str, str]:
        """Make an account; its id, username and token."""

    def client(self, token: str = "", /) -> httpx.Client:
        """A client with this token."""


def run(data: Path, *, kills: int, pause_s: float = 1.0, seed: int = 1) -> Findings:
    """The whole program on a server of its own."""
    with live_server(data, "--web-processes", "2") as server:
        return under_load(
            server,
            lambda load: _kill(server, load.findings, kills=kills, pause_s=pause_s, chance=random.Random(seed)),
            seed=seed,
        )


def under_load(place: Place, harm: Callable[[Load], None], *, seed: int = 1) -> Findings:
    """People act while `harm` is done; then all is looked at."""
    findings, ledger = Findings(), Ledger()
    people = [
        Person(made["id"], made["username"], made["token"])
        for made in (place.account(f"person{seed}x{n}") for n in range(PEOPLE))
    ]
    _follow_all(place, people)
    stop = threading.Event()
    clients = [Acting(place.url, people, ledger, stop, seed * 100 + n) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        harm(Load(place, people, ledger, clients, findings))
    finally:
        stop.set()
        for client in clients:
            client.join()
            findings.faults += client.faults
    findings.longest_s = max(client.longest_s for client in clients)
    findings.acts = {
        "posts": len(ledger.posts),
        "replies": len(ledger.replies),
        "favourites": len(ledger.favourites),
        "boosts": len(ledger.boosts),
    }
    begun = time.monotonic()
    try:
        eventually(lambda: not list(_wrong(place, people, ledger)), within_s=_QUIET_S)
    except AssertionError:
        findings.faults += list(_wrong(place, people, ledger))
    findings.quiet_s = time.monotonic() - begun
    findings.faults += ledger.doubled
    return findings


def _follow_all(server: Place, people: list[Person]) -> None:
    for person in people:
        with server.client(person.token) as client:
            for other in people:
                if other is not person:
                    assert client.post(f"/api/v1/accounts/{other.id}/follow").status_code == 200
    for person in people:
        with server.client(person.token) as client:
            path = f"/api/v1/accounts/{person.id}"
            eventually(lambda: client.get(path).json()["followers_count"] == PEOPLE - 1)  # noqa: B023 - called here
            client.get("/api/v1/timelines/home")


def _kill(server: LiveServer, findings: Findings, *, kills: int, pause_s: float, chance: random.Random) -> None:
    for _ in range(kills):
        time.sleep(pause_s * (0.5 + chance.random()))
        children = server.children()
        pid = chance.choice(children)
        role = "web" if children.index(pid) < 2 else "worker"
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        findings.kills[role] += 1
        while True:
            with suppress(httpx.TransportError):
                if httpx.get(f"{server.url}/health/live", timeout=5).status_code == 200:
                    break
        findings.back_s.append(time.monotonic() - killed)
    time.sleep(pause_s)


def _all(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        separator = "&" if "?" in path else "?"
        below = f"&max_id={found[-1]['id']}" if found else ""
        page = client.get(f"{path}{separator}limit=40{below}")
        assert page.status_code == 200, page.text
        rows = page.json()
        if not rows:
            return found
        found += rows


def _wrong(server: Place, people: list[Person], ledger: Ledger) -> Iterator[str]:
    """What is lost or doubled, in words."""
    posted = {
        **{i: author for i, (author, _) in ledger.posts.items()},
        **{i: author for i, (author, _) in ledger.replies.items()},
    }
    made = Counter([*posted.values(), *(person for person, _ in ledger.boosts)])
    for person in people:
        with server.client(person.token) as client:
            own = Counter(row["id"] for row in _all(client, f"/api/v1/accounts/{person.id}/statuses"))
            wanted = {i for i, author in posted.items() if author == person.id}
            wanted |= {boost for (who, _), boost in ledger.boosts.items() if who == person.id}
            yield from _differ(f"profile of {person.name}", own, wanted)
            home = Counter(row["id"] for row in _all(client, "/api/v1/timelines/home") if row["reblog"] is None)
            yield from _differ(f"home of {person.name}", home, set(posted))
            yield from _notices(client, person, ledger)
            total = client.get(f"/api/v1/accounts/{person.id}").json()["statuses_count"]
            if total != made[person.id]:
                yield f"{person.name} has {made[person.id]} statuses and {total} are counted"
    with server.client(people[0].token) as client:
        yield from _counts(client, ledger)


def _notices(client: httpx.Client, person: Person, ledger: Ledger) -> Iterator[str]:
    mine = {i for i, (author, _) in ledger.posts.items() if author == person.id}
    wanted = {("favourite", who, what) for who, what in ledger.favourites if what in mine and who != person.id}
    wanted |= {("reblog", who, what) for who, what in ledger.boosts if what in mine and who != person.id}
    wanted |= {
        ("mention", who, reply)
        for reply, (who, parent) in ledger.replies.items()
        if parent in mine and who != person.id
    }
    seen = Counter(
        (row["type"], row["account"]["id"], row["status"]["id"])
        for row in _all(client, "/api/v1/notifications?exclude_types[]=follow")
    )
    yield from _differ(f"notices of {person.name}", seen, wanted)


def _counts(client: httpx.Client, ledger: Ledger) -> Iterator[str]:
    favourites = Counter(what for _, what in ledger.favourites)
    boosts = Counter(what for _, what in ledger.boosts)
    replies = Counter(parent for _, parent in ledger.replies.values())
    ids = list(ledger.posts)
    for start in range(0, len(ids), 20):
        rows = client.get("/api/v1/statuses", params=[("id[]", i) for i in ids[start : start + 20]]).json()
        for row in rows:
            is_so = (row["favourites_count"], row["reblogs_count"], row["replies_count"])
            should = (favourites[row["id"]], boosts[row["id"]], replies[row["id"]])
            if is_so != should:
                yield f"{row['id']} has {should} favourites, boosts, replies and {is_so} are counted"


def _differ(where: str, seen: Counter[Any], wanted: set[Any]) -> Iterator[str]:
    if lost := wanted - set(seen):
        yield f"{where}: {len(lost)} lost, such as {min(lost)}"
    if strange := set(seen) - wanted:
        yield f"{where}: {len(strange)} that nobody was told of, such as {min(strange)}"
    if doubled := [each for each, n in seen.items() if n > 1]:
        yield f"{where}: {len(doubled)} doubled, such as {doubled[0]}"


def main(say: Callable[[str], None] = print) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder) / "data", kills=options.kills, seed=options.seed)
    say(f"acknowledged: {found.acts}")
    say(f"killed: {dict(found.kills)}; answering again after at most {max(found.back_s, default=0):.2f} s")
    say(f"all effects there {found.quiet_s:.1f} s after the load stopped" if not found.faults else "FAULTS:")
    for fault in found.faults:
        say(f"  {fault}")
    return 1 if found.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
