"""What every bus promises.

Suite: streaming.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.engines import STREAMING, open_streaming
from townsquare.streaming.port import Streaming


@pytest.fixture(params=STREAMING)
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Streaming]:
    streaming = open_streaming(request.param, tmp_path)
    await streaming.start()
    yield streaming
    await streaming.close()


async def test_own_messages_are_there_before_publish_returns(bus: Streaming) -> None:
    heard: list[tuple[str, bytes]] = []
    bus.listen("posts", lambda topic, payload: heard.append((topic, payload)))
    bus.publish("posts", b"one")
    bus.publish("posts", b"")
    assert heard == [("posts", b"one"), ("posts", b"")]


async def test_only_listeners_of_the_topic_hear_and_all_of_them(bus: Streaming) -> None:
    first, second, other = [], [], []
    bus.listen("a", lambda _, payload: first.append(payload))
    bus.listen("a", lambda _, payload: second.append(payload))
    bus.listen("ab", lambda _, payload: other.append(payload))
    bus.publish("a", b"x")
    bus.publish("nobody", b"y")
    assert (first, second, other) == ([b"x"], [b"x"], [])


async def test_a_listener_may_publish(bus: Streaming) -> None:
    heard: list[bytes] = []
    bus.listen("question", lambda _, payload: bus.publish("answer", payload + b"!"))
    bus.listen("answer", lambda _, payload: heard.append(payload))
    bus.publish("question", b"yes")
    assert heard == [b"yes!"]


async def test_the_largest_message_passes_and_larger_ones_are_refused(bus: Streaming) -> None:
    heard: list[bytes] = []
    bus.listen("t", lambda _, payload: heard.append(payload))
    bus.publish("t", b"x" * 256 * 1024)
    with pytest.raises(ValueError):
        bus.publish("t", b"x" * (256 * 1024 + 1))
    with pytest.raises(ValueError):
        bus.publish("t" * 256, b"")
    assert [len(payload) for payload in heard] == [256 * 1024]


async def test_starting_and_talking_to_oneself_is_no_gap(bus: Streaming) -> None:
    gaps: list[int] = []
    bus.on_gap(lambda: gaps.append(1))
    bus.publish("t", b"x")
    assert gaps == []
