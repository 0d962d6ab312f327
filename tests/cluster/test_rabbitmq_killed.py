"""A server whose work waits in RabbitMQ, which is killed under load; so is a worker."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.engines import SERVERS, rabbit_url
from tests.contract.servers import servers
from tests.engines import control
from tests.live import eventually, live_server

pytestmark = SERVERS


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    yield rabbit_url(tmp_path)
    servers().let_go()


def home_ids(client: httpx.Client) -> list[str]:
    """The newest of the home timeline."""
    page = client.get("/api/v1/timelines/home", params={"limit": "40"}).raise_for_status().json()
    return [status["id"] for status in page]


def started() -> bool:
    """Start RabbitMQ. Its port may be taken for a moment after its end."""
    try:
        control.start("rabbitmq")
        control.wait("rabbitmq")
    except control.StartError:
        return False
    return True


def test_posts_are_accepted_and_delivered_once_whatever_is_killed(tmp_path: Path, url: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "townsquare.toml").write_text(f'queue = "{url}"\n')
    with live_server(data, "--web-processes", "1", "--worker-processes", "2") as server:
        ann, ben = server.account("ann"), server.account("ben")
        with server.client(ann["token"]) as author, server.client(ben["token"]) as reader:
            posted = list[str]()

            def post(count: int) -> None:
                for _ in range(count):
                    answer = author.post("/api/v1/statuses", json={"status": f"no {len(posted)}"})
                    posted.append(answer.raise_for_status().json()["id"])

            reader.post(f"/api/v1/accounts/{ann['id']}/follow").raise_for_status()
            post(5)
            eventually(lambda: home_ids(reader) == posted[::-1], within_s=20)
            control.kill("rabbitmq")
            post(5)  # a post stands on the store alone
            eventually(started)
            post(5)
            eventually(lambda: home_ids(reader) == posted[::-1], within_s=60)
            os.kill(server.children()[1], signal.SIGKILL)
            post(5)
            eventually(lambda: home_ids(reader) == posted[::-1], within_s=20)
    log = (tmp_path / "data.log").read_text()
    assert "was never" not in log  # a failure that nobody took note of
    assert "Unhandled" not in log
