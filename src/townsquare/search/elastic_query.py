"""Queries and documents in Elasticsearch's words.

Words are parted and folded here, as for every engine, and stand between spaces there: so all engines find the same.

Box: search. Source: https://www.elastic.co/docs/reference/query-languages/query-dsl
"""

from typing import Any

from townsquare.search.port import Document, Query
from townsquare.search.words import Needles, Term, facet, fold, name_of, words_of

MOST_COUNTED = 10_000  # Elasticsearch's own bound of offset and limit together
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_MOST_ENDINGS = 1_000  # of the last word of a phrase; of a word by itself all

_KEYWORD = {"type": "keyword", "doc_values": False}
MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "_source": {"enabled": False},  # what was indexed cannot be read back
    "properties": {
        "kind": _KEYWORD,
        "words": {
            "type": "text",
            "analyzer": "whitespace",
            "norms": False,
            "index_prefixes": {"min_chars": 1, "max_chars": 10},  # beginnings that are looked up like a word
        },
        "name": _KEYWORD,
        "who": _KEYWORD,
        "author": _KEYWORD,
        "facets": _KEYWORD,
        "id": {"type": "long"},
        "weight": {"type": "long"},
    },
}


def fields_of(document: Document) -> dict[str, Any]:
    """A document as it is indexed."""
    return {
        "kind": document.kind,
        "words": " ".join(words_of(document)),
        "name": fold(document.name),
        "who": list(map(str, document.readers)),
        "author": str(document.author),
        "facets": list(map(facet, document.facets)),
        "id": document.id,
        "weight": document.weight,
    }


def body_of(query: Query, needles: Needles) -> dict[str, Any] | None:
    """The search; None where it is for what lies behind all that is counted. Ids are the last of the hits' sort values.

    What is not asked for in words does not count for the order.
    """
    offset = max(query.offset, 0)
    if offset >= MOST_COUNTED:
        return None
    wanted: dict[str, Any] = {"filter": _filters(query, needles), "must_not": _refusals(query, needles)}
    sort: list[Any] = [{"id": "desc"}]
    if query.kind != "status":
        wanted["should"] = _ranks(name_of(query))
        sort = ["_score", {"weight": "desc"}, *sort]
    return {
        "query": {"bool": wanted},
        "sort": sort,
        "from": offset,
        "size": min(query.limit, MOST_COUNTED - offset),
        "_source": False,
        "track_total_hits": False,
    }


def _filters(query: Query, needles: Needles) -> list[dict[str, Any]]:
    filters = [_holds(term) for term in needles.whole]
    if needles.beginning is not None:
        filters.append(_begins(needles.beginning))
    filters.append({"term": {"kind": query.kind}})
    filters.append({"terms": {"who": list(map(str, query.readers))}})
    filters += [{"term": {"facets": facet(each)}} for each in query.has]
    if query.author is not None:
        filters.append({"term": {"author": str(query.author)}})
    bounds = {"lt": query.below, "gt": query.above}
    bounds = {name: max(min(bound, _HIGHEST), _LOWEST) for name, bound in bounds.items() if bound is not None}
    if bounds:
        filters.append({"range": {"id": bounds}})
    return filters


def _refusals(query: Query, needles: Needles) -> list[dict[str, Any]]:
    refusals = [_holds(term) for term in needles.without]
    refusals += [{"term": {"facets": facet(each)}} for each in query.lacks]
    if query.not_authors:
        refusals.append({"terms": {"author": list(map(str, query.not_authors))}})
    return refusals


def _ranks(name: str) -> list[dict[str, Any]]:
    """One for a name that begins so, one more for the very name."""
    if not name:
        return []
    return [{"constant_score": {"filter": {how: {"name": name}}}} for how in ("term", "prefix")]


def _holds(term: Term) -> dict[str, Any]:
    if len(term) == 1:
        return {"term": {"words": term[0]}}
    return {"match_phrase": {"words": {"query": " ".join(term)}}}


def _begins(term: Term) -> dict[str, Any]:
    if len(term) == 1:
        return {"prefix": {"words": term[0]}}
    return {"match_phrase_prefix": {"words": {"query": " ".join(term), "max_expansions": _MOST_ENDINGS}}}
