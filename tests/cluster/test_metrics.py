"""A running server tells of all its processes at one address, and one request's id goes through web and workers."""

import gzip
import json
import os
import re
import signal
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.live import LiveServer, eventually, free_port, live_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("metrics")]


def _ask(port: int, path: str = "/metrics") -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)


def _value(text: str, name: str, **labels: str) -> float:
    """The sum over all lines of this metric that carry the labels."""
    total = 0.0
    for line in re.findall(rf"^{name}(?:{{.*}})? .*$", text, re.MULTILINE):
        if all(f'{label}="{value}"' in line for label, value in labels.items()):
            total += float(line.rpartition(" ")[2])
    return total


def _server(tmp_path: Path, port: int) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    (data / "townsquare.toml").write_text(
        f'metrics = "127.0.0.1:{port}"\nlog_format = "json"\nlog_level = "debug"\nlog_requests = true\n'
    )
    return data


def test_one_address_tells_of_all_processes(tmp_path: Path) -> None:
    """Web and workers, what they did, what waits; the request's id in the lines of both."""
    port = free_port()
    data = _server(tmp_path, port)
    with live_server(data, "--web-processes", "2", "--worker-processes", "1") as server:
        ada = server.account("ada")
        _post_and_read(server, ada["token"])
        text = eventually(lambda: _done(port))
        assert _value(text, "townsquare_process_up") == 3
        assert _value(text, "townsquare_http_requests_total", area="api.statuses", method="POST", status="2xx") == 1
        assert _value(text, "townsquare_http_request_seconds_count", area="api.timelines") == 3
        assert _value(text, "townsquare_call_seconds_count", box="store", role="web") > 0
        assert _value(text, "townsquare_cache_asked_total", layer="process") > 0
        assert _value(text, "townsquare_loop_lag_seconds_count", role="workers") > 0
        assert _value(text, "townsquare_queue_up") == _value(text, "townsquare_store_up") == 1
        assert _value(text, "townsquare_resident_bytes", process="web-2") > 10_000_000
        assert _ask(port, "/health/live").status_code == _ask(port, "/health/ready").status_code == 200
        assert _ask(port, "/").status_code == 404
        _check_by_promtool(text)
        _a_stopped_process_is_shown(server, port)
    lines = [json.loads(line) for line in (tmp_path / "data.log").read_text().splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("request") == "seen-and-done-1"]
    assert {line["where"] for line in mine} >= {"townsquare.web.server.app", "townsquare.workers.work"}
    assert len({line["process"] for line in mine}) == 2


def _post_and_read(server: LiveServer, token: str) -> None:
    with server.client(token) as client:
        posted = client.post("/api/v1/statuses", data={"status": "hello"}, headers={"X-Request-Id": "seen-and-done-1"})
        assert posted.status_code == 200
        for _ in range(3):
            assert client.get("/api/v1/timelines/home").status_code == 200


def _done(port: int) -> str:
    """The text, once the post has been worked on and the scheduler leads."""
    text = _ask(port).text
    done = _value(text, "townsquare_tasks_total", lane="fan_out", outcome="done")
    return text if done >= 1 and _value(text, "townsquare_scheduler_leads") == 1 else ""


def _a_stopped_process_is_shown(server: LiveServer, port: int) -> None:
    """One that lives and does not answer is 0; who asks is answered by another, at the first or a later try."""
    child = server.children()[-1]
    os.kill(child, signal.SIGSTOP)
    try:
        text = eventually(lambda: _without_one(port), within_s=60)
        assert _value(text, "townsquare_process_up") == 2
    finally:
        os.kill(child, signal.SIGCONT)


def _without_one(port: int) -> str:
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.TransportError:  # the kernel gave the question to the one that is stopped
        return ""
    return text if re.search(r"townsquare_process_up{.*} 0", text) else ""


def _check_by_promtool(text: str) -> None:
    promtool = "/usr/bin/promtool"
    if not Path(promtool).exists():
        return
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_address_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A sentence that names the setting, and no server."""
    port = free_port()
    with live_server(_server(tmp_path, port), "--web-processes", "1") as server:
        other = tmp_path / "other"
        other.mkdir()
        (other / "townsquare.toml").write_text(f'metrics = "127.0.0.1:{port}"\n')
        with pytest.raises(AssertionError, match="the server ended with"), live_server(other):
            pass
        assert "The setting metrics cannot be" in (tmp_path / "other.log").read_text()
        assert server.process.poll() is None


def test_a_request_is_one_trace_through_web_and_workers(tmp_path: Path) -> None:
    """Sent to a collector by both."""
    heard: list[tuple[str, str, bytes]] = []  # service, span, trace

    class Collector(BaseHTTPRequestHandler):
        """Takes all."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                [service] = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
                heard.extend((service, span.name, span.trace_id) for s in resource.scope_spans for span in s.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        Thread(target=collector.serve_forever, daemon=True).start()
        data = tmp_path / "data"
        data.mkdir()
        (data / "townsquare.toml").write_text(
            f'traces = "http://127.0.0.1:{collector.server_port}"\ntrace_share = 1.0\n'
        )
        with live_server(data, "--web-processes", "1") as server:
            with server.client(server.account("ada")["token"]) as client:
                assert client.post("/api/v1/statuses", data={"status": "hello"}).status_code == 200
            eventually(lambda: any(name == "task FanOutStatus" for _, name, _ in heard), within_s=30)
            assert server.stop() == 0
        collector.shutdown()
    [trace] = {trace for service, name, trace in heard if (service, name) == ("townsquare-web", "POST api")}
    names = {(service, name) for service, name, its in heard if its == trace}
    assert {("townsquare-web", "store.write"), ("townsquare-workers", "task FanOutStatus")} <= names
    assert any(name == "queue.put" for _, name, _ in heard)
