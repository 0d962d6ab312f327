"""The end of a run: servers that were started for it are stopped."""

from collections.abc import Iterator

import pytest

from tests.contract.servers import servers


@pytest.fixture(scope="session", autouse=True)
def _servers() -> Iterator[None]:
    yield
    servers().let_go()
