"""Our indices in Elasticsearch's JSON: their template, documents, questions.

Groups come from `composite` aggregations, page by page: these are exact over any number of shards, and their keys are
64-bit. Elasticsearch adds up in floating point, so sums, least and greatest are exact up to 2^53.

Box: analytics. Source: Elasticsearch, https://www.elastic.co/docs/api/doc/elasticsearch/
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from townsquare.analytics.places import class_of
from townsquare.analytics.port import Question
from townsquare.model.facts import Fact, band_of

GROUPS_A_PAGE = 65_000  # the server allows 65,536
Found = list[tuple[int, tuple[int | str, ...], int]]
_SUMS = {
    "value": ("sum", "value"),
    "amount": ("sum", "total"),
    "least": ("min", "amount"),
    "greatest": ("max", "amount"),
}
_ID = {"type": "long"}
_WORD = {"type": "keyword"}
_ADDED = {"type": "long", "index": False}
_SMALL = {"type": "integer", "index": False}
_encode = msgspec.json.Encoder().encode


def template(prefix: str) -> bytes:
    """What each month's index is made of when its first document comes."""
    fields = {
        "at": {"type": "date", "format": "epoch_millis"},
        **dict.fromkeys(("kind", "visibility", "app", "language", "label"), _WORD),
        **dict.fromkeys(("actor", "author", "object"), _ID),
        **dict.fromkeys(("value", "amount", "total"), _ADDED),  # total: the amount times the value
        **dict.fromkeys(("cohort", "band"), _SMALL),
    }
    settings = {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "refresh_interval": "30s",  # whoever asks refreshes first
        "mapping.ignore_malformed": False,
    }
    return _encode(
        {
            "index_patterns": [f"{prefix}-facts-*"],
            "priority": 500,
            "template": {"settings": settings, "mappings": {"dynamic": "strict", "properties": fields}},
        }
    )


class _Document(msgspec.Struct):
    at: int
    kind: str
    value: int
    actor: int
    author: int
    object: int
    amount: int
    total: int
    visibility: str
    app: str
    language: str
    label: str
    cohort: int
    band: int


class _Create(msgspec.Struct):
    _index: str
    _id: str


class _Action(msgspec.Struct):
    create: _Create


def index_of(start: str, fact: Fact) -> str:
    """The index of its class and month."""
    return f"{start}{class_of(fact.kind)}-{datetime.fromtimestamp(fact.at_ms / 1_000, UTC):%Y%m}"


def bulk(start: str, facts: Iterable[Fact]) -> bytes:
    """The facts as documents with their ids. `start`: of the indices' names."""
    lines: list[bytes] = []
    for f in facts:
        document = _Document(
            f.at_ms, f.kind, f.value, f.actor, f.author, f.object, f.amount, f.value * f.amount,
            f.visibility, f.app, f.language, f.label, f.cohort, band_of(f.amount),
        )  # fmt: skip
        lines += (_encode(_Action(_Create(index_of(start, f), str(f.id)))), _encode(document))
    lines.append(b"")
    return b"\n".join(lines)


def ask(start: str, question: Question, after: dict[str, Any] | None) -> list[bytes]:
    """Header and body of one search: the first page of the groups, or the one after."""
    indices = [f"{start}{name}-*" for name in sorted({class_of(kind) for kind in question.kinds})]
    header = {"index": indices, "ignore_unavailable": True, "allow_partial_search_results": False}
    how, field = _SUMS[question.measure]
    aggregations: dict[str, Any] = {"n": {how: {"field": field}}}
    if sources := _sources(question):
        composite = {"size": GROUPS_A_PAGE, "sources": sources} | ({"after": after} if after else {})
        aggregations = {"groups": {"composite": composite, "aggregations": aggregations}}
    body = {"size": 0, "track_total_hits": False, "query": _query(question), "aggregations": aggregations}
    return [_encode(header), _encode(body)]


def _sources(question: Question) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = []
    if step := question.step_s:
        histogram = {"field": "at", "fixed_interval": f"{step}s", "offset": f"+{question.offset_s % step}s"}
        sources.append({"at": {"date_histogram": histogram}})
    return sources + [{f"k{n}": {"terms": {"field": name}}} for n, name in enumerate(question.by)]


def _query(question: Question) -> dict[str, Any]:
    filters: list[dict[str, Any]] = [
        {"terms": {"kind": question.kinds}},
        {"range": {"at": {"gte": question.since_ms, "lt": question.until_ms}}},
        *({"terms": {name: values}} for name, values in question.where),
    ]
    if question.measure in ("least", "greatest"):
        filters.append({"range": {"value": {"gt": 0}}})
    return {"bool": {"filter": filters}}


def read(question: Question, answer: dict[str, Any]) -> tuple[Found, dict[str, Any] | None]:
    """The groups of a page, and after which key the next begins; None where this was the last."""
    found = answer.get("aggregations")
    if found is None:  # no index yet
        return [], None
    if "groups" not in found:
        n = found["n"]["value"]
        return ([] if n is None else [(0, (), int(n))]), None
    buckets = found["groups"]["buckets"]
    names = [f"k{n}" for n in range(len(question.by))]
    rows = [
        (bucket["key"].get("at", 0), tuple([bucket["key"][name] for name in names]), int(bucket["n"]["value"]))
        for bucket in buckets
    ]
    return rows, found["groups"].get("after_key") if len(buckets) == GROUPS_A_PAGE else None


def of_people(ids: Sequence[int]) -> bytes:
    """A query for the documents of these actors or authors."""
    either = [{"terms": {"actor": ids}}, {"terms": {"author": ids}}]
    return _encode({"query": {"bool": {"should": either, "minimum_should_match": 1}}})


def older(kinds: Sequence[str], before_ms: int) -> bytes:
    """A query for the older documents of these kinds."""
    filters = [{"terms": {"kind": kinds}}, {"range": {"at": {"lt": before_ms}}}]
    return _encode({"query": {"bool": {"filter": filters}}})


def is_over(month: str, before_ms: int) -> bool:
    """Whether all of a month (`202611`) is older."""
    begins = datetime.strptime(month, "%Y%m").replace(tzinfo=UTC)
    ends = (begins + timedelta(days=32)).replace(day=1)
    return ends.timestamp() * 1_000 <= before_ms


def take_over(old: str, new: str, kinds: Sequence[str], since_ms: int) -> bytes:
    """Copy an index's documents of these kinds, and all since then, where they are not there yet."""
    either = [{"terms": {"kind": kinds}}, {"range": {"at": {"gte": since_ms}}}]
    query = {"bool": {"should": either, "minimum_should_match": 1}}
    source = {"index": old, "query": query, "size": 5_000}
    return _encode({"conflicts": "proceed", "source": source, "dest": {"index": new, "op_type": "create"}})
