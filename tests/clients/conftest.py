"""One real server for all clients of a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import LiveServer, live_server


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server in test mode."""
    folder: Path = tmp_path_factory.mktemp("live")
    with live_server(folder / "data") as server:
        yield server


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG file."""
    from townsquare.cli.seeding.fill import draw  # noqa: PLC0415 - numpy

    path: Path = tmp_path_factory.mktemp("pictures") / "hills.png"
    path.write_bytes(draw(0.3))
    return path
