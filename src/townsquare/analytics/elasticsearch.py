"""Facts in Elasticsearch: a document each, its id the fact's, so that one that comes again is refused as a conflict.

A place has an index for each class of retention and month, made when its first fact comes; what is too old goes with
its index. A question refreshes the indices first, so it counts all that was written before.

Box: analytics. Source: Elasticsearch, https://www.elastic.co/docs/api/doc/elasticsearch/.
URL: `elasticsearch://[user:password@]host[:9200][?prefix=name]`.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from townsquare.analytics import elasticsearch_requests as requests
from townsquare.analytics.places import classes, finished, in_current, kept_apart, parts, together
from townsquare.analytics.port import Coverage, Question, Row
from townsquare.model.errors import Unavailable
from townsquare.model.facts import Fact
from townsquare.model.findings import Finding, fine, warning, wrong
from townsquare.wire.rest import Answer, Refused, Rest, RestAddress

_PORT = 9200
_FACTS_AT_ONCE = 2_500
_IDS_AT_ONCE = 10_000
_LOOK_S = 0.1
_OLDEST = (8, 10)
_THERE, _BUSY = 409, (429, 502, 503, 504)
_LINES = "application/x-ndjson"


class ElasticAnalytics:
    """Made by `open`. `place`: of what `renew` gave, over the same connections; None follows the current one."""

    def __init__(self, rest: Rest, *, place: int | None = None) -> None:
        self._rest, self._prefix = rest, rest.address.prefix
        self._place, self._is_guest = place, place is not None

    @classmethod
    async def open(cls, url: str) -> "ElasticAnalytics":
        """Raises: ValueError for a URL that cannot be meant; Unavailable."""
        engine = cls(Rest(RestAddress.of(url, scheme="elasticsearch", port=_PORT), name="Elasticsearch"))
        try:
            await engine._do("PUT", f"/_index_template/{engine._prefix}-facts", requests.template(engine._prefix))
            await engine._make_current(1, unless_there=True)
        except BaseException:
            await engine.close()
            raise
        return engine

    async def put(self, facts: Sequence[Fact]) -> None:
        async def write(place: int) -> None:
            for start in range(0, len(facts), _FACTS_AT_ONCE):
                body = requests.bulk(self._start(place), facts[start : start + _FACTS_AT_ONCE])
                self._check_put(await self._do("POST", "/_bulk?filter_path=errors,items.*.status,items.*.error", body))

        if facts:
            await in_current(self._current, write)

    async def ask(self, questions: Sequence[Question]) -> list[list[Row]]:
        place = await self._current()
        await self._refresh(place)
        answers = await self._groups(place, [(question, list(parts(question))) for question in questions])
        if place != await self._current():  # an answer may be of a place that was being removed
            return await self.ask(questions)
        return answers

    async def coverage(self) -> Coverage:
        place = await self._current()
        await self._refresh(place)
        indices = self._start(place) + "*"
        edges = {"first": {"min": {"field": "at"}}, "last": {"max": {"field": "at"}}}
        body = msgspec.json.encode({"size": 0, "track_total_hits": True, "aggregations": edges})
        found = await self._do("POST", f"/{indices}/_search?allow_partial_search_results=false", body)
        stats = await self._do("GET", f"/{indices}/_stats/store?filter_path=_all.total.store.size_in_bytes")
        facts = found["hits"]["total"]["value"]
        if not facts:
            return Coverage(first_ms=0, last_ms=0, facts=0, bytes=_bytes(stats))
        first, last = (int(found["aggregations"][name]["value"]) for name in ("first", "last"))
        return Coverage(first_ms=first, last_ms=last, facts=facts, bytes=_bytes(stats))

    async def erase(self, ids: Sequence[int]) -> None:
        wanted = sorted(set(ids) - {0})
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            query = requests.of_people(wanted[start : start + _IDS_AT_ONCE])
            await self._delete(f"{self._prefix}-facts-*", query)  # in a place that is being filled as well

    async def expire(self, kinds: Sequence[str], before_ms: int) -> None:
        start = self._start(await self._current())
        for name in classes():
            mine, whole = kept_apart(kinds, name)
            indices = await self._indices(f"{start}{name}-*") if mine else []
            over = [index for index in indices if requests.is_over(index.rpartition("-")[2], before_ms)]
            if whole and over:
                await self._remove(over)
            elif mine and not whole:
                await self._delete(f"{start}{name}-*", requests.older(mine, before_ms))

    async def renew(self, *, go_on: bool = False) -> "ElasticAnalytics":
        current, indices = await self._current(), await self._indices(f"{self._prefix}-facts-*")
        newest = max([current, *map(self._place_of, indices)])
        if newest > current and go_on:
            return ElasticAnalytics(self._rest, place=newest)
        await self._remove([index for index in indices if self._place_of(index) != current])
        return ElasticAnalytics(self._rest, place=newest + 1)

    async def adopt(self, kinds: Sequence[str], since_ms: int) -> None:
        new = self._place
        assert new is not None, "adopt comes after renew"
        self._place = None
        old = await self._current()
        await self._refresh(old)
        there = await self._indices(self._start(old) + "*")
        for index in there:
            to = self._start(new) + index.removeprefix(self._start(old))
            await self._wait("/_reindex", requests.take_over(index, to, kinds, since_ms))
        await self._make_current(new)
        await self._remove(await self._indices(self._start(old) + "*"))

    async def close(self) -> None:
        if not self._is_guest:
            await self._rest.close()

    async def examine(self) -> list[Finding]:
        """Version, and how the cluster is. Raises: Unavailable."""
        about, health = await self._do("GET", "/"), await self._do("GET", "/_cluster/health")
        number = about["version"]["number"]
        version = tuple(int(part) for part in number.split(".")[:2])
        levels = {"green": fine, "yellow": warning}
        level = levels.get(health["status"], wrong)
        return [
            fine("elasticsearch", number)
            if version >= _OLDEST
            else wrong("elasticsearch", f"{number}; 8.10 is needed"),
            level("elasticsearch cluster", f"{health['status']}, {health['number_of_nodes']} nodes")
            if health["number_of_nodes"] > 1
            else warning("elasticsearch cluster", "one node: what its disk loses is lost; three keep each fact twice"),
        ]

    # names

    def _start(self, place: int) -> str:
        return f"{self._prefix}-facts-{place}-"

    def _place_of(self, index: str) -> int:
        return int(index.removeprefix(f"{self._prefix}-facts-").partition("-")[0])

    async def _indices(self, pattern: str) -> list[str]:
        found = await self._do("GET", f"/_cat/indices/{pattern}?format=json&h=index")
        return sorted(each["index"] for each in found)

    # requests

    async def _do(self, method: str, target: str, body: bytes = b"") -> Any:
        kind = _LINES if target.startswith(("/_bulk", "/_msearch")) else "application/json"
        return msgspec.json.decode(await self._rest.good(method, target, body, kind=kind))

    async def _current(self) -> int:
        if self._place is not None:
            return self._place
        found = await self._do("GET", f"/{self._prefix}-places/_source/current")
        return int(found["place"])

    async def _make_current(self, place: int, *, unless_there: bool = False) -> None:
        """One document names the place; it is read by its id, so everybody sees the switch at once."""
        verb = "_create" if unless_there else "_doc"
        target, body = f"/{self._prefix}-places/{verb}/current", msgspec.json.encode({"place": place})
        answer = await self._rest.ask("PUT", target, body)
        if not answer.is_good and not (unless_there and answer.status == _THERE):
            raise Refused("Elasticsearch", answer)

    async def _refresh(self, place: int) -> None:
        await self._do("POST", f"/{self._start(place)}*/_refresh")

    async def _remove(self, indices: Sequence[str]) -> None:
        for index in indices:
            await self._do("DELETE", f"/{index}?ignore_unavailable=true")

    async def _delete(self, indices: str, query: bytes) -> None:
        """Delete what a query finds, also what is written meanwhile and was there before."""
        while True:
            await self._do("POST", f"/{indices}/_refresh")
            done = await self._wait(f"/{indices}/_delete_by_query", query, more="&conflicts=proceed&refresh=true")
            if not done["version_conflicts"]:
                return

    async def _wait(self, target: str, body: bytes, *, more: str = "") -> dict[str, Any]:
        """Begin a long work and wait for its end. Raises: Refused where a part of it failed."""
        begun = await self._do("POST", f"{target}?wait_for_completion=false{more}", body)
        while True:
            task = await self._do("GET", f"/_tasks/{begun['task']}")
            if task["completed"]:
                break
            await asyncio.sleep(_LOOK_S)
        done: dict[str, Any] = task.get("response", {})
        if task.get("error") or done.get("failures"):
            raise Refused("Elasticsearch", Answer(500, msgspec.json.encode(task)))
        return done

    def _check_put(self, told: dict[str, Any]) -> None:
        """Raises: Unavailable, Refused, where a document is not there now."""
        if not told["errors"]:
            return
        for item in told["items"]:
            status = item["create"]["status"]
            if status in _BUSY:
                raise Unavailable(f"Elasticsearch cannot do that just now ({status})")
            if status >= 300 and status != _THERE:
                raise Refused("Elasticsearch", Answer(status, msgspec.json.encode(item)))

    async def _groups(self, place: int, asked: Sequence[tuple[Question, Sequence[Question]]]) -> list[list[Row]]:
        """The answers: all first pages in one request, then whatever comes after."""
        found: list[requests.Found] = [[] for _ in asked]
        open_: list[tuple[int, Question, dict[str, Any] | None]] = [
            (n, part, None) for n, (_, some) in enumerate(asked) for part in some
        ]
        while open_:
            lines = [line for _, part, after in open_ for line in requests.ask(self._start(place), part, after)]
            told = await self._do("POST", "/_msearch", b"\n".join([*lines, b""]))
            more: list[tuple[int, Question, dict[str, Any] | None]] = []
            for (n, part, _), answer in zip(open_, told["responses"], strict=True):
                self._check_answer(answer)
                rows, after = requests.read(part, answer)
                found[n] += rows
                if after is not None:
                    more.append((n, part, after))
            open_ = more
        return [finished(question, together(question, rows)) for (question, _), rows in zip(asked, found, strict=True)]

    def _check_answer(self, answer: dict[str, Any]) -> None:
        if answer["status"] in _BUSY:
            raise Unavailable(f"Elasticsearch cannot do that just now ({answer['status']})")
        if answer["status"] >= 300:
            raise Refused("Elasticsearch", Answer(answer["status"], msgspec.json.encode(answer.get("error"))))


def _bytes(stats: dict[str, Any]) -> int:
    return int(stats.get("_all", {}).get("total", {}).get("store", {}).get("size_in_bytes", 0))
