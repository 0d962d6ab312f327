"""`townsquare seed` on real data: a graph of people, and posts that people wrote."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.clients.real_input import real_graph, real_texts
from tests.live import LiveServer
from townsquare.boot import open_ports
from townsquare.settings import read_settings
from townsquare.social.ports import Ports
from townsquare.store.follows import ON
from townsquare.store.tables import ACCOUNT_STATS, ACCOUNTS, FOLLOWERS, FOLLOWING, STATUSES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


def _seed(data: Path, *words: str) -> Any:
    return LiveServer(None, data, "").cli("seed", *words)  # type: ignore[arg-type]  # only its commands are used


async def _all(ports: Ports, table: Any) -> list[Any]:
    found, after = [], b""
    while True:
        rows, after = await ports.store.scan(table, after=after, limit=1000)
        found += rows
        if not after:
            return found


async def _made(data: Path) -> dict[str, Any]:
    """People, graph and texts of a server, without ids and times."""
    async with open_ports(read_settings({}, data=str(data))) as ports:
        names = {row.account_id: row.username for row in await _all(ports, ACCOUNTS)}
        return {
            "people": sorted((row.username, row.display_name, row.note) for row in await _all(ports, ACCOUNTS)),
            "graph": sorted((names[row.account_id], names[row.target]) for row in await _all(ports, FOLLOWING)),
            "texts": Counter((names[row.author], row.text) for row in await _all(ports, STATUSES)),
        }


async def test_the_same_number_makes_the_same_server(tmp_path: Path) -> None:
    texts = real_texts()
    assert len(texts.read_text().splitlines()) > 4000
    words = ("--people", "40", "--mean-follows", "6", "--texts", str(texts), "--pictures", "0.05")
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert _seed(tmp_path / name, *words, "--seed", seed)["posts"] == 160
    first, again, other = [await _made(tmp_path / name) for name in ("a", "b", "c")]
    assert first == again
    assert first["graph"] != other["graph"]
    assert first["texts"] != other["texts"]
    known = {line.strip()[:480] for line in texts.read_text().splitlines()}
    assert sum(text in known for _, text in first["texts"]) > 80


async def test_a_real_graph_is_followed_edge_by_edge(tmp_path: Path) -> None:
    graph = real_graph()
    if graph is None:
        pytest.skip("no real graph beside the checkout")
    made = _seed(tmp_path / "data", "--graph", str(graph), "--posts-each", "0.1", "--pictures", "0")
    async with open_ports(read_settings({}, data=str(tmp_path / "data"))) as ports:
        following = [row for row in await _all(ports, FOLLOWING) if row.state == ON]
        followers = [row for row in await _all(ports, FOLLOWERS) if row.on]
        stats = {row.account_id: row for row in await _all(ports, ACCOUNT_STATS)}
    assert len(following) == made["follows"] == len(followers)
    assert {(row.account_id, row.target) for row in following} == {(row.follower, row.account_id) for row in followers}
    for counts, wanted in (
        ({each: row.following for each, row in stats.items()}, Counter(row.account_id for row in following)),
        ({each: row.followers for each, row in stats.items()}, Counter(row.account_id for row in followers)),
    ):
        assert {each: n for each, n in counts.items() if n} == wanted
