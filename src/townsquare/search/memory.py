"""The index in this process.

Box: search.
"""

from collections.abc import Sequence

from townsquare.search.port import Document
from townsquare.search.words import Term, checked_kind, fold, name_of, shortest_prefix, split, terms_of


class MemorySearch:
    """Search by looking at every document."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, int], tuple[Document, list[str]]] = {}

    async def put(self, documents: Sequence[Document]) -> None:
        for document in documents:
            checked_kind(document.kind)
        for document in documents:
            known = self._documents.get((document.kind, document.id))
            if known is None or known[0].version < document.version:
                words = split(f"{document.words} \x00 {document.name}")
                self._documents[document.kind, document.id] = (document, words)

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        checked_kind(kind)
        for document_id in ids:
            self._documents.pop((kind, document_id), None)

    async def find(
        self,
        kind: str,
        words: str,
        *,
        reader: int,
        author: int | None = None,
        below: int | None = None,
        above: int | None = None,
        limit: int,
        offset: int = 0,
    ) -> list[int]:
        checked_kind(kind)
        terms, name = terms_of(words), name_of(words)
        if not terms or limit <= 0:
            return []
        shortest = shortest_prefix(kind)
        found = [
            document
            for document, its_words in self._documents.values()
            if document.kind == kind
            and (0 in document.readers or reader in document.readers)
            and (author is None or document.author == author)
            and (below is None or document.id < below)
            and (above is None or document.id > above)
            and all(_holds(its_words, term) for term in terms[:-1])
            and _holds(its_words, terms[-1], prefix_from=shortest)
        ]
        if kind == "status":
            found.sort(key=lambda document: -document.id)
        else:
            found.sort(key=lambda document: (_rank(document, name), -document.weight, -document.id))
        start = max(offset, 0)
        return [document.id for document in found[start : start + limit]]

    async def close(self) -> None:
        self._documents.clear()


def _rank(document: Document, name: str) -> int:
    own = fold(document.name)
    return 0 if own == name else 1 if own.startswith(name) else 2


def _holds(words: list[str], term: Term, *, prefix_from: int = 1000) -> bool:
    *whole, last = term
    for start in range(len(words) - len(whole)):
        end = start + len(whole)
        if words[start:end] == whole and (
            words[end] == last or (len(last) >= prefix_from and words[end].startswith(last))
        ):
            return True
    return False
