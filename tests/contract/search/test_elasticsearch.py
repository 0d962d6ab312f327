"""The index on Elasticsearch: its address, and what the suite for all engines cannot ask.

Suite: search.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.engines import PassingElasticSearch, elasticsearch_url
from tests.contract.own_servers import until_true
from tests.live import free_port
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Level
from townsquare.search.elasticsearch import ElasticSearch
from townsquare.search.port import Document, Query
from townsquare.wire.elastic import ElasticAddress

SERVER = [pytest.mark.slow, pytest.mark.xdist_group("servers")]
FOX = Document(kind="status", id=1, words="red fox", version=1)
FOXES = Query(kind="status", words="fox", limit=10)


@pytest.fixture
async def search(tmp_path: Path) -> AsyncIterator[ElasticSearch]:
    engine = await PassingElasticSearch.open(elasticsearch_url(tmp_path))
    yield engine
    await engine.close()


def test_an_address_says_what_our_indices_are_like() -> None:
    address = ElasticAddress.of(
        "elasticsearchs://ann:p%40ss@es.example?prefix=town&shards=3&replicas=2", setting="search"
    )
    assert (address.server.host, address.server.port, address.server.prefix) == ("es.example", 9200, "town")
    assert address.server.tls
    assert address.server.authorization == "Basic YW5uOnBAc3M="
    assert address.index_settings == {"number_of_shards": 3, "number_of_replicas": 2}
    plain = ElasticAddress.of("elasticsearch://localhost:9201", setting="search")
    assert plain.index_settings == {"number_of_shards": 1, "auto_expand_replicas": "0-1"}


@pytest.mark.parametrize(
    "url",
    ["elasticsearch:", "elasticsearch://", "elasticsearch://h/path", "elasticsearch://h?shards=0", "elasticsearch://h?x=1",
     "elasticsearch://h?prefix=A", "elasticsearch://h?replicas=many", "elasticsearch://h?refresh=1", "http://h"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="The setting search must look like elasticsearch://"):
        ElasticAddress.of(url, setting="search")


async def test_where_nobody_answers_it_is_unavailable() -> None:
    url = f"elasticsearch://127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable):
        await ElasticSearch.open(url)
    search = ElasticSearch(ElasticAddress.of(url, setting="search"))
    for asked in (
        search.put([FOX]),
        search.find(FOXES),
        search.remove("status", [1]),
        search.rebuild(),
        search.examine(),
    ):
        with pytest.raises(Unavailable):
            await asked
    await search.close()


class TestServer:
    """Over the server."""

    pytestmark = SERVER

    async def test_what_is_put_is_found_soon_by_all(self, search: ElasticSearch, tmp_path: Path) -> None:
        other = await ElasticSearch.open(elasticsearch_url(tmp_path))
        await search.put([FOX])

        async def is_found() -> bool:
            return await other.find(FOXES) == [1]

        await until_true(is_found)
        await other.close()

    async def test_an_index_that_is_gone_is_begun_anew(self, search: ElasticSearch) -> None:
        await search.put([FOX])
        await search.drop(list(await search.indices()))
        with pytest.raises(Unavailable):
            await search.find(FOXES)
        await search.remove("status", [1])
        await search.put([FOX])
        assert await search.find(FOXES) in ([], [1])

    async def test_one_document_that_is_refused_stops_no_other(self, search: ElasticSearch) -> None:
        bad = Document(kind="status", id=1 << 70, words="fox", version=1)
        results = await asyncio.gather(search.put([FOX]), search.put([bad]), search.put([FOX]), return_exceptions=True)
        assert [type(each) for each in results[::2]] == [type(None)] * 2
        assert isinstance(results[1], Unavailable)

    async def test_it_tells_how_it_is(self, search: ElasticSearch) -> None:
        found = {each.check: each for each in await search.examine()}
        assert {each.level for each in found.values()} == {Level.OK}
        await search.rebuild()
        found = {each.check: each for each in await search.examine()}
        assert found["index"].level is Level.WARNING
