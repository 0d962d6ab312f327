"""Spans of requests, tasks and the engines' calls inside them, for an OpenTelemetry collector.

Box: metrics. Source: OpenTelemetry, OTLP over HTTP

A request's id is its trace: web and workers both make the trace's id of it, so what workers do for a request is in its
trace, and the queue's messages carry nothing more. Whether a trace is kept is known by its id before any span is made:
what is not kept costs one hash a request or task, and one look a call.
"""

import random
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import blake2b
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from townsquare import __version__
from townsquare.kit.request_id import REQUEST_ID
from townsquare.metrics.watch import METHODS, Watched
from townsquare.settings import Settings

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]
Call = Callable[..., Awaitable[Any]]

_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
_HEADER = b"x-request-id"
_STREAMS = "/api/v1/streaming"  # open for hours: what goes over them is no request
_ALL = 1 << 64
_SENT_WITHIN_S = 5.0


class Spans:
    """The spans of one process."""

    def __init__(self, provider: TracerProvider, *, share: float) -> None:
        """`share`: of traces that are kept."""
        self._provider, self._below = provider, int(share * _ALL)
        self._tracer = provider.get_tracer("townsquare", __version__)

    def close(self) -> None:
        """Send what waits; takes a few seconds at most."""
        self._provider.shutdown()

    def over_app(self, app: Application) -> Application:
        """The application, with a span for each request of a kept trace."""

        async def traced(scope: Scope, receive: Any, send: Any) -> None:
            is_request = scope["type"] == "http" and not scope["path"].startswith(_STREAMS)
            parent = self._parent(_request_id(scope)) if is_request else None
            if parent is None:
                await app(scope, receive, send)
                return
            seen, method = _Seen(send), scope["method"]
            with self._tracer.start_as_current_span(
                f"{method} {scope['path'].split('/')[1] or 'front'}", parent, kind=SpanKind.SERVER
            ) as span:
                await app(scope, receive, seen.send)
                span.set_attributes(
                    {
                        "http.request.method": method,
                        "url.path": scope["path"],  # the query may hold tokens
                        "http.response.status_code": seen.status,
                        "townsquare.request_id": REQUEST_ID.get(),
                    }
                )
                if seen.status >= 500:
                    span.set_status(StatusCode.ERROR)

        return traced

    def over_handler(self, name: str, handler: Call) -> Call:
        """A task's handler, with a span for each call of a kept trace."""

        async def traced(*args: Any) -> None:
            request = REQUEST_ID.get()
            parent = self._parent((request or secrets.token_hex(8)).encode())
            if parent is None:
                await handler(*args)
                return
            with self._tracer.start_as_current_span(f"task {name}", parent, kind=SpanKind.CONSUMER) as span:
                span.set_attribute("townsquare.request_id", request)
                await handler(*args)

        return traced

    def over_engine(self, box: str, engine: Any) -> Any:
        """An engine, with a span for each call inside a kept trace; what is put into the queue is put behind the
        answers' back, for many requests at once, so it has traces of its own."""
        known = [name for name in METHODS.get(box, ()) if hasattr(engine, name)]
        return Watched(engine, {name: self._call(box, name, getattr(engine, name)) for name in known})

    def _call(self, box: str, name: str, method: Call) -> Call:
        title, alone, tracer = f"{box}.{name}", (box, name) == ("queue", "put"), self._tracer

        async def traced(*args: Any, **kwargs: Any) -> Any:
            within = trace.get_current_span().is_recording()
            if not within and not (alone and random.random() * _ALL < self._below):
                return await method(*args, **kwargs)
            with tracer.start_as_current_span(title, None if within else Context(), kind=SpanKind.CLIENT):
                return await method(*args, **kwargs)

        return traced

    def _parent(self, request: bytes) -> Context | None:
        """What all spans of a request stand under; None where its trace is not kept."""
        digest = blake2b(request, digest_size=24).digest()
        if int.from_bytes(digest[16:]) >= self._below:
            return None
        trace_id, span_id = int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[8:16]) or 1
        root = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        return trace.set_span_in_context(NonRecordingSpan(root), Context())


class _Seen:
    """A way to send that notes the status. It shows the connection, as what is behind it wants to see that."""

    def __init__(self, send: Any) -> None:
        self._send, self._cycle, self.status = send, getattr(send, "__self__", None), 0
        self.transport = getattr(self._cycle, "transport", None)

    def send_whole(self, status: int, headers: Any, body: bytes) -> bool:
        """Send the answer in one write, where that can be."""
        self.status = status
        whole = getattr(self._cycle, "send_whole", None)
        return whole is not None and bool(whole(status, headers, body))

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def _request_id(scope: Scope) -> bytes:
    """The request's id as the application will take it; it is given one where it has none that can be used."""
    for name, value in scope["headers"]:
        if name == _HEADER and _ID.fullmatch(value):
            return bytes(value)
    made = secrets.token_hex(8).encode()
    scope["headers"] = [*(each for each in scope["headers"] if each[0] != _HEADER), (_HEADER, made)]
    return made


def open_spans(settings: Settings, role: str) -> Spans:
    """Spans that go to the collector that the setting names, in batches from a thread."""
    resource = Resource.create({"service.name": f"townsquare-{role}", "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{settings.traces.rstrip('/')}/v1/traces", timeout=_SENT_WITHIN_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Spans(provider, share=settings.trace_share)
