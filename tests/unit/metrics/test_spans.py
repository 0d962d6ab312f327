"""Spans: of one request in web and workers one trace, of what is not kept none."""

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from townsquare.kit.request_id import REQUEST_ID
from townsquare.metrics.spans import Spans, open_spans
from townsquare.settings import Settings


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(kept: InMemorySpanExporter) -> Iterator[Spans]:
    made = Spans(_provider(kept), share=1.0)
    yield made
    made.close()


def _provider(kept: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return provider


class Store:
    """A store of one answer."""

    async def get(self, key: str) -> str:
        return key


async def _ask(
    spans: Spans, engine: Any, *, request: str = "", path: str = "/api/v1/statuses", status: int = 200
) -> str:
    """One request that asks an engine; the id that the application was given."""
    seen = ""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal seen
        seen = dict(scope["headers"]).get(b"x-request-id", b"").decode()
        REQUEST_ID.set(seen)
        assert await engine.get("a") == "a"
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    headers = [(b"x-request-id", request.encode())] if request else []
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b"token=secret"}
    await asyncio.create_task(spans.over_app(app)(scope, None, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return seen


async def test_a_request_and_its_tasks_are_one_trace(spans: Spans, kept: InMemorySpanExporter) -> None:
    """Also where another process works on the task: all it has of the request is its id."""
    engine = spans.over_engine("store", Store())
    assert await _ask(spans, engine, request="request-7") == "request-7"

    async def handler(task: str) -> None:
        await engine.get(task)

    async def work() -> None:
        REQUEST_ID.set("request-7")
        await Spans(_provider(kept), share=1.0).over_handler("FanOutStatus", handler)("b")

    await asyncio.create_task(work())
    names = [span.name for span in kept.get_finished_spans()]
    assert names == ["store.get", "POST api", "store.get", "task FanOutStatus"]
    first, request, second, task = kept.get_finished_spans()
    assert len({span.context.trace_id for span in (first, request, second, task)}) == 1
    assert first.parent.span_id == request.context.span_id
    assert second.parent.span_id == task.context.span_id
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["townsquare.request_id"] == "request-7"
    assert "secret" not in repr([(span.name, dict(span.attributes or {})) for span in kept.get_finished_spans()])


async def test_a_request_without_an_id_is_given_one(spans: Spans, kept: InMemorySpanExporter) -> None:
    """So that the application takes the same; one that cannot be used is replaced."""
    engine = spans.over_engine("store", Store())
    assert len(await _ask(spans, engine)) == 16
    assert len(await _ask(spans, engine, request="bad id!")) == 16
    assert len({span.context.trace_id for span in kept.get_finished_spans()}) == 2


async def test_faults_are_marked_and_streams_left_out(spans: Spans, kept: InMemorySpanExporter) -> None:
    """A stream is open for hours and no request."""
    engine = spans.over_engine("store", Store())
    await _ask(spans, engine, path="/api/v1/streaming/user")
    assert kept.get_finished_spans() == ()
    await _ask(spans, engine, status=503)
    assert [span.status.is_ok for span in kept.get_finished_spans() if span.name == "POST api"] == [False]


async def test_what_is_not_kept_costs_no_span(kept: InMemorySpanExporter) -> None:
    """The same traces are kept everywhere: about the share that was asked for."""
    none, some = Spans(_provider(kept), share=0.0), Spans(_provider(kept), share=0.25)
    await _ask(none, none.over_engine("store", Store()))
    assert kept.get_finished_spans() == ()
    engine = some.over_engine("store", Store())
    for number in range(400):
        await _ask(some, engine, request=f"request-{number}")
    traces = {span.context.trace_id for span in kept.get_finished_spans()}
    assert 60 < len(traces) < 140
    assert len(kept.get_finished_spans()) == 2 * len(traces)


@pytest.mark.slow
async def test_spans_reach_a_collector() -> None:
    """By OTLP over HTTP, at the path that collectors listen on."""
    heard: list[tuple[str, int]] = []

    class Collector(BaseHTTPRequestHandler):
        """Takes all."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.append((self.path, len(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        spans = open_spans(Settings(traces=f"http://127.0.0.1:{server.server_port}/", trace_share=1.0), "web")
        await _ask(spans, spans.over_engine("store", Store()))
        await asyncio.to_thread(spans.close)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert [path for path, size in heard if size > 100] == ["/v1/traces"]
