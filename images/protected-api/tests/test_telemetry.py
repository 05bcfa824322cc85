"""Traces: sent where they are asked for, without what a query says."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from starlette.types import Receive, Scope, Send

from protected_api import telemetry
from tests.issuer import Issuer
from tests.server import process


class Collector:
    """Takes traces over HTTP."""

    def __init__(self) -> None:
        """Listen."""
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802 (the name is the library's)
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:  # noqa: ANN401
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One for a test."""
    running = Collector()
    yield running
    running.stop()


def test_traces(issuer: Issuer, collector: Collector, tmp_path: Path) -> None:
    """A span a request under its caller's trace, flushed at the end, without code and token."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    token = issuer.signer.token()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        # FastAPI's own traces, which would send queries, stay off whatever is asked for.
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
    }
    with process(issuer, tmp_path / "log", **variables) as server:
        server.wait("/readyz")
        parent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        assert server.get("/me", token, **parent).status_code == 200
        server.get("/oauth2-redirect?code=very-secret-code")
    sent = b"".join(collector.bodies)
    assert b"GET /me" in sent
    assert bytes.fromhex(trace) in sent
    assert b"protected-api" in sent
    assert b"/oauth2-redirect" in sent
    assert b"very-secret-code" not in sent
    assert token.rpartition(".")[2].encode() not in sent


def test_a_failure_is_named_but_not_quoted() -> None:
    """Its text may be what a caller sent."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("what a caller sent")

    async def unused(*_: Any) -> Any:  # noqa: ANN401
        return {}

    traces = telemetry.Traces(failing, provider.get_tracer("test"))
    scope = {"type": "http", "method": "GET", "scheme": "http", "headers": []}
    with pytest.raises(ValueError, match="what a caller sent"):
        asyncio.run(traces(scope, unused, unused))
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ValueError"
    assert "what a caller sent" not in span.to_json()


def test_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an endpoint there are no traces."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert telemetry.start() is None


def test_not_installed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The API serves all the same, and says what is missing."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert telemetry.start() is None
    assert "not installed" in caplog.text
