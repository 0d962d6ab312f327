"""The index in this process.

Box: search.
"""

from collections.abc import Sequence

from townsquare.model.errors import Conflict
from townsquare.search.port import Document, Query
from townsquare.search.words import Needles, Term, checked_kind, facet, fold, name_of, needles_of, words_of

_Documents = dict[tuple[str, int], tuple[Document, list[str]]]


class MemorySearch:
    """Search by looking at every document."""

    def __init__(self) -> None:
        self._documents = _Documents()
        self._second: MemoryRebuilding | None = None

    async def put(self, documents: Sequence[Document]) -> None:
        for document in documents:
            checked_kind(document.kind)
        _put(self._documents, documents)
        if self._second is not None:
            _put(self._second.documents, documents)

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        checked_kind(kind)
        _remove(self._documents, kind, ids)
        if self._second is not None:
            _remove(self._second.documents, kind, ids)

    async def find(self, query: Query) -> list[int]:
        checked_kind(query.kind)
        needles = needles_of(query)
        if needles is None:
            return []
        found = [
            document
            for document, words in self._documents.values()
            if _fits(document, query) and _holds_all(words, needles)
        ]
        if query.kind == "status":
            found.sort(key=lambda document: -document.id)
        else:
            name = name_of(query)
            found.sort(key=lambda document: (_rank(document, name), -document.weight, -document.id))
        start = max(query.offset, 0)
        return [document.id for document in found[start : start + query.limit]]

    async def rebuild(self) -> "MemoryRebuilding":
        if self._second is None:
            self._second = MemoryRebuilding(self)
        return self._second

    def end_rebuild(self, second: "MemoryRebuilding", *, keep: bool) -> None:
        """The second index is the index, or is no more. Raises: Conflict."""
        self.check_rebuild(second)
        self._second = None
        if keep:
            self._documents = second.documents

    def check_rebuild(self, second: "MemoryRebuilding") -> None:
        """Raises: Conflict where it was ended."""
        if self._second is not second:
            raise Conflict("The search index was rebuilt by another command")

    async def close(self) -> None:
        self._documents.clear()


class MemoryRebuilding:
    """A second index."""

    def __init__(self, search: MemorySearch) -> None:
        self._search, self.documents, self.note = search, _Documents(), ""

    async def put(self, documents: Sequence[Document]) -> None:
        self._search.check_rebuild(self)
        _put(self.documents, documents)

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        self._search.check_rebuild(self)
        _remove(self.documents, kind, ids)

    async def remember(self, note: str) -> None:
        self._search.check_rebuild(self)
        self.note = note

    async def finish(self) -> None:
        self._search.end_rebuild(self, keep=True)

    async def give_up(self) -> None:
        self._search.end_rebuild(self, keep=False)


def _put(into: _Documents, documents: Sequence[Document]) -> None:
    for document in documents:
        known = into.get((document.kind, document.id))
        if known is None or known[0].version <= document.version:
            into[document.kind, document.id] = (document, words_of(document))


def _remove(out_of: _Documents, kind: str, ids: Sequence[int]) -> None:
    for document_id in ids:
        out_of.pop((kind, document_id), None)


def _fits(document: Document, query: Query) -> bool:
    """All that is asked, but for the words."""
    facets = {facet(each) for each in document.facets}
    return (
        document.kind == query.kind
        and not set(query.readers).isdisjoint(document.readers)
        and (query.author is None or document.author == query.author)
        and document.author not in query.not_authors
        and (query.below is None or document.id < query.below)
        and (query.above is None or document.id > query.above)
        and facets.issuperset(map(facet, query.has))
        and facets.isdisjoint(map(facet, query.lacks))
    )


def _holds_all(words: list[str], needles: Needles) -> bool:
    return (
        all(_holds(words, term) for term in needles.whole)
        and (needles.beginning is None or _holds(words, needles.beginning, whole=False))
        and not any(_holds(words, term) for term in needles.without)
    )


def _holds(words: list[str], term: Term, *, whole: bool = True) -> bool:
    *first, last = term
    for start in range(len(words) - len(first)):
        end = start + len(first)
        if words[start:end] == first and (words[end] == last or (not whole and words[end].startswith(last))):
            return True
    return False


def _rank(document: Document, name: str) -> int:
    own = fold(document.name)
    return 0 if own == name else 1 if own.startswith(name) else 2
