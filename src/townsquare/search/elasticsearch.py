"""The index in Elasticsearch, shared by all machines.

An index `PREFIX-search-N` has the alias `PREFIX-search`, which all requests name. A document's own version is
Elasticsearch's external one. A second index has the aliases `PREFIX-search-next` and `-next-N` until, in one request,
the first alias moves to it. Writers learn of it within the very request that writes, so they need not be told.

Box: search. Source: https://www.elastic.co/docs/api/doc/elasticsearch
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any

from townsquare.model.errors import Conflict, TownsquareError, Unavailable
from townsquare.model.findings import Finding, fine, warning, wrong
from townsquare.search.elastic_query import MAPPING, body_of, fields_of
from townsquare.search.port import Document, Query
from townsquare.search.words import KINDS, checked_kind, needles_of
from townsquare.wire.elastic import Elastic, ElasticAddress, Refused

_AT_ONCE = 500  # documents in a request
_TRIES = 8  # where an index takes another's place meanwhile
_REFRESH = "500ms"  # how long a document waits before it is found, at most
_OLDEST = 8  # of Elasticsearch's versions
_GRACE_S = 1.0  # for searches that still look at an index which is no more
_FIND = "_search?allow_partial_search_results=false&filter_path=hits.hits.sort"
_FIND_WITHIN_S = 5.0
_MISSING = ("index_not_found_exception", "alias_not_found_exception", "aliases_not_found_exception")
_NEWER = 409  # status of an item that is older than what is there
_NO_DOCUMENT = "none"  # an id that no document has

_NOT_YET: dict[str, int] = {"": 0}
_PAUSE_S = 0.05

log = logging.getLogger(__name__)


_Waiting = tuple[Sequence[Document], "asyncio.Future[None]"]


class _BadDocument(Unavailable):
    """Elasticsearch takes all documents but this."""


class ElasticSearch:
    """Search on Elasticsearch. It may be lost: it is made again from the store."""

    def __init__(self, address: ElasticAddress) -> None:
        self.elastic, self.alias = Elastic(address), f"{address.server.prefix}-search"
        self._written = f"?refresh={address.refresh or 'false'}"
        self._waiting = list[_Waiting]()
        self._writer: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str) -> "ElasticSearch":
        """The index at the setting's address; a missing one is made.

        Raises: ValueError for a setting that cannot work; Unavailable.
        """
        search = cls(ElasticAddress.of(url, setting="search"))
        try:
            await search.make_missing()
        except BaseException:
            await search.close()
            raise
        return search

    async def put(self, documents: Sequence[Document]) -> None:
        for document in documents:
            checked_kind(document.kind)
        if documents:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((documents, future))
            if self._writer is None or self._writer.done():
                self._writer = asyncio.ensure_future(self._write_waiting())
            await future

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        checked_kind(kind)
        for start in range(0, len(ids), _AT_ONCE):
            some = [_key(kind, each) for each in ids[start : start + _AT_ONCE]]
            # First from the second index: one that takes the first's place in between is then clean already.
            await self.remove_from(f"{self.alias}-next", some)
            await self.remove_from(self.alias, some)

    async def find(self, query: Query) -> list[int]:
        checked_kind(query.kind)
        needles = needles_of(query)
        body = body_of(query, needles) if needles is not None else None
        if body is None:
            return []
        try:
            try:
                found = await self._find(body)
            except Refused:  # an index may just have taken another's place
                found = await self._find(body)
        except Refused as exc:
            raise Unavailable("Search does not answer just now") from exc
        return [hit["sort"][-1] for hit in found.get("hits", {}).get("hits", ())]

    async def rebuild(self) -> "ElasticRebuilding":
        try:
            indices = await self.indices()
            number = max((n for n, aliases in indices.items() if f"{self.alias}-next-{n}" in aliases), default=0)
            if not number:
                await self.drop([n for n, aliases in indices.items() if not aliases])
                number = max(indices, default=0) + 1
                await self.make(number, f"{self.alias}-next", f"{self.alias}-next-{number}")
            name = self.name(number)
            meta = (await self.elastic.ask("GET", f"/{name}/_mapping"))[name]["mappings"].get("_meta", {})
        except Refused as exc:
            raise Unavailable("Elasticsearch makes no index just now") from exc
        return ElasticRebuilding(self, number, meta.get("note", ""))

    async def examine(self) -> list[Finding]:
        """Its version and how well it is, and how much is in the index."""
        try:
            version = (await self.elastic.ask("GET", "/"))["version"]["number"]
            health = await self.elastic.ask("GET", f"/_cluster/health/{self.alias}-*")
            counts = [await self._count(kind) for kind in KINDS]
            indices = await self.indices()
        except Refused as exc:
            raise Unavailable(f"Elasticsearch answers {exc}") from exc
        enough = int(version.partition(".")[0]) >= _OLDEST
        about = f"Elasticsearch {version}"
        counted = ", ".join(f"{count:,} of the kind {kind}" for count, kind in zip(counts, KINDS, strict=True))
        half = any(f"{self.alias}-next" in aliases for aliases in indices.values())
        return [
            fine("version", about) if enough else wrong("version", f"{about}; {_OLDEST} or newer is needed"),
            _of_health(health),
            warning("index", "a rebuild is not finished; go on with it: townsquare search rebuild")
            if half
            else fine("index", f"{counted}; if it was lost: townsquare search rebuild"),
        ]

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer
        await self.elastic.close()

    # For the second index

    def name(self, number: int) -> str:
        """Of an index."""
        return f"{self.alias}-{number}"

    async def indices(self) -> dict[int, set[str]]:
        """Those that are there, by number, with their aliases. Raises: Refused."""
        form = re.compile(rf"{re.escape(self.alias)}-([0-9]+)")
        found = await self.elastic.ask("GET", f"/{self.alias}-*/_alias")
        return {
            int(match[1]): set(index["aliases"]) for name, index in found.items() if (match := form.fullmatch(name))
        }

    async def make(self, number: int, *aliases: str) -> None:
        """Make an index unless it is there. Raises: Refused."""
        body = {
            "settings": {**self.elastic.address.index_settings, "refresh_interval": _REFRESH},
            "mappings": MAPPING,
            "aliases": {alias: {} for alias in aliases},
        }
        try:
            await self.elastic.ask("PUT", f"/{self.name(number)}", body, within_s=60.0)
        except Refused as exc:
            if exc.kind != "resource_already_exists_exception":
                raise

    async def make_missing(self) -> None:
        """Make the index if there is none. Raises: Unavailable."""
        try:
            indices = await self.indices()
            if not any(self.alias in aliases for aliases in indices.values()):
                log.info("Elasticsearch has no index %s yet", self.alias)
                await self.make(max(indices, default=0) + 1, self.alias)
        except Refused as exc:
            raise Unavailable(f"Elasticsearch makes no index: {exc}") from exc

    async def drop(self, numbers: Sequence[int]) -> None:
        """Delete indices; those that are gone do no harm. Raises: Refused."""
        if numbers:
            await self.elastic.ask("DELETE", f"/{','.join(map(self.name, numbers))}?ignore_unavailable=true")

    async def write(self, alias: str, documents: Sequence[Document], *, probe: str = "") -> tuple[bool, bool]:
        """Write to an index; whether it is there, and whether that of the alias `probe` is. Raises: Unavailable."""
        lines: list[Any] = []
        for each in documents:
            lines += [_action(alias, _key(each.kind, each.id), each.version), fields_of(each)]
        if probe:
            lines.append({"delete": {"_index": probe, "_id": _NO_DOCUMENT}})
        there = [_is_there(item) for item in await self.elastic.bulk(lines, parameters=self._written)]
        return all(there[: len(documents)]), bool(probe) and there[-1]

    async def remove_from(self, alias: str, keys: Sequence[str]) -> bool:
        """Leave an empty document in place of each; whether the index is there. Raises: Unavailable.

        A deletion with a version would make an index where there is none, one without would end above the versions that
        may come back. The empty document has the version that was seen, and is gone with the next rebuild.
        """
        for tried in range(_TRIES):
            await asyncio.sleep(tried * _PAUSE_S)
            versions = await self._versions(alias, keys)
            if versions is _NOT_YET:
                continue
            if not versions:
                return versions is not None
            lines: list[Any] = []
            for key, version in versions.items():
                lines += [_action(alias, key, version), {}]
            items = await self.elastic.bulk(lines, parameters=self._written)
            there = [_is_there(item) for item in items]
            if all(there) and all(item["status"] != _NEWER for item in items):
                return True
        raise Unavailable("Search cannot be written just now")

    async def _write_waiting(self) -> None:
        """Write what waits, together: what comes while a request is under way shares the next one."""
        while self._waiting:
            group, size = list[_Waiting](), 0
            while self._waiting and (not group or size + len(self._waiting[0][0]) <= _AT_ONCE):
                group.append(self._waiting.pop(0))
                size += len(group[-1][0])
            await self._write_group(group)

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        documents = [document for some, _ in group for document in some]
        try:
            for start in range(0, len(documents), _AT_ONCE):
                await self._put(documents[start : start + _AT_ONCE])
        except _BadDocument as exc:
            if len(group) > 1:  # the others shall not suffer for one
                for one in group:
                    await self._write_group([one])
            else:
                _settle(group, exc)
        except TownsquareError as exc:
            _settle(group, exc)
        except BaseException:
            _settle(group, Unavailable("Search cannot be written just now"))
            raise
        else:
            _settle(group, None)

    async def _put(self, documents: Sequence[Document]) -> None:
        for _ in range(_TRIES):
            first, second = await self.write(self.alias, documents, probe=f"{self.alias}-next")
            if first and not second:
                return
            # Where the second one is gone by now, it may have become the first.
            if first and (await self.write(f"{self.alias}-next", documents))[0]:
                return
            if not first:
                await self.make_missing()
        raise Unavailable("Search cannot be written just now")

    async def _find(self, body: dict[str, Any]) -> Any:
        return await self.elastic.ask("POST", f"/{self.alias}/{_FIND}", body, within_s=_FIND_WITHIN_S)

    async def _count(self, kind: str) -> int:
        found = await self.elastic.ask("POST", f"/{self.alias}/_count", {"query": {"term": {"kind": kind}}})
        count: int = found["count"]
        return count

    async def _versions(self, alias: str, keys: Sequence[str]) -> dict[str, int] | None:
        """Of the documents that are there; None where the index is not, _NOT_YET where it is being made."""
        try:
            found = (await self.elastic.ask("POST", f"/{alias}/_mget?_source=false", {"ids": keys}))["docs"]
        except Refused as exc:
            if exc.kind in _MISSING:
                return None
            raise Unavailable("Search cannot be written just now") from exc
        errors = {each["error"]["type"] for each in found if "error" in each}
        if errors:
            if errors == {"no_shard_available_action_exception"}:
                return _NOT_YET
            if errors.issubset(_MISSING):
                return None
            log.warning("Elasticsearch cannot read documents: %s", errors)
            raise Unavailable("Search cannot be written just now")
        return {each["_id"]: each["_version"] for each in found if each["found"]}


class ElasticRebuilding:
    """A second index."""

    def __init__(self, search: ElasticSearch, number: int, note: str) -> None:
        self._search, self._number, self.note = search, number, note
        self._alias = f"{search.alias}-next-{number}"

    async def put(self, documents: Sequence[Document]) -> None:
        for document in documents:
            checked_kind(document.kind)
        for start in range(0, len(documents), _AT_ONCE):
            there, _ = await self._search.write(self._alias, documents[start : start + _AT_ONCE])
            if not there:
                raise _ended()

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        checked_kind(kind)
        for start in range(0, len(ids), _AT_ONCE):
            some = [_key(kind, each) for each in ids[start : start + _AT_ONCE]]
            if not await self._search.remove_from(self._alias, some):
                raise _ended()

    async def remember(self, note: str) -> None:
        await self._ask("PUT", f"/{self._alias}/_mapping", {"_meta": {"note": note}})
        self.note = note

    async def finish(self) -> None:
        search = self._search
        await self._ask("POST", f"/{self._alias}/_refresh")
        try:
            old = [n for n, aliases in (await search.indices()).items() if search.alias in aliases]
        except Refused as exc:
            raise Unavailable(str(exc)) from exc
        moves: list[Any] = [{"remove": {"index": search.name(n), "alias": search.alias}} for n in old]
        moves.append({"add": {"index": search.name(self._number), "alias": search.alias}})
        await self._ask("POST", "/_aliases", {"actions": self._farewell() + moves})
        await asyncio.sleep(_GRACE_S)
        await self._drop(old)

    async def give_up(self) -> None:
        await self._ask("POST", "/_aliases", {"actions": self._farewell()})
        await self._drop([self._number])

    def _farewell(self) -> list[Any]:
        """Take the aliases of a second index away; if another has done so, nothing of the request is done."""
        name = self._search.name(self._number)
        aliases = (f"{self._search.alias}-next", self._alias)
        return [{"remove": {"index": name, "alias": alias, "must_exist": True}} for alias in aliases]

    async def _drop(self, numbers: Sequence[int]) -> None:
        try:
            await self._search.drop(numbers)
        except Refused as exc:
            raise Unavailable("Elasticsearch deletes no index just now") from exc

    async def _ask(self, method: str, path: str, body: Any = None) -> None:
        try:
            await self._search.elastic.ask(method, path, body)
        except Refused as exc:
            raise _ended() if exc.kind in _MISSING else Unavailable(str(exc)) from exc


def _ended() -> Conflict:
    return Conflict("The search index was rebuilt by another command")


def _settle(group: Sequence[_Waiting], error: Exception | None) -> None:
    for _, future in group:
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


def _key(kind: str, document_id: int) -> str:
    """A document's id there."""
    return f"{kind}-{document_id}"


def _action(alias: str, key: str, version: int) -> dict[str, Any]:
    """Index what follows, unless a newer version is there."""
    external = {"version": version, "version_type": "external_gte"}
    return {"index": {"_index": alias, "_id": key, "require_alias": True, **external}}


def _is_there(item: dict[str, Any]) -> bool:
    """Whether the index of a written item is there. A newer document in its place is as good. Raises: Unavailable."""
    kind = item.get("error", {}).get("type", "")
    if not kind or kind == "version_conflict_engine_exception":
        return True
    if kind in _MISSING:
        return False
    log.warning("Elasticsearch refused a document: %s", item["error"])
    raise _BadDocument("Search cannot be written just now")


def _of_health(health: dict[str, Any]) -> Finding:
    nodes = f"nodes with data: {health['number_of_data_nodes']}"
    match health["status"]:
        case "green":
            return fine("health", f"green, {nodes}")
        case "yellow":
            return warning("health", f"yellow, {nodes}: copies of shards are missing")
        case status:
            return wrong("health", f"{status}, {nodes}: parts of the index are missing; see its log")
