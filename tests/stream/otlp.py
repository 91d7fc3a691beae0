"""A collector of traces: takes them by OTLP over HTTP, as protobuf, and keeps them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What came in; ``status`` is what it answers, and with any but 200 it keeps nothing."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.status = 200
        self.answering = Event()
        """While it is not set, no request is answered."""
        self.answering.set()
        self.requests: list[bytes] = []
        """The bodies of all requests, unpacked, whatever was answered."""
        self.taken: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[Span]:
        return [span for one in self.taken for group in one.resource_spans for span in _of(group)]

    @property
    def resources(self) -> list[dict[str, Any]]:
        return [plain(group.resource.attributes) for one in self.taken for group in one.resource_spans]

    def environment(self) -> dict[str, str]:
        """The standard variables that send traces here, without delay."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def take(self, body: bytes) -> int:
        self.requests.append(body)
        self.answering.wait()
        if self.status == 200:
            self.taken.append(ExportTraceServiceRequest.FromString(body))
        return self.status


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port of this machine."""

    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            is_known = (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            self.send_response(collector.take(gzip.decompress(body) if packed else body) if is_known else 404)
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield collector
        finally:
            collector.answering.set()
            server.shutdown()
            serving.join()


def plain(attributes: Any) -> dict[str, Any]:
    """The attributes of a span, link or resource as Python has them."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def _of(group: Any) -> list[Span]:
    return [span for scope in group.scope_spans for span in scope.spans]
