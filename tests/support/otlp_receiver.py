"""OTLP receivers on loopback for tests: HTTP and gRPC, well and ill."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import grpc  # type: ignore[import-untyped] # ships no types
from google.protobuf.json_format import MessageToJson, ParseDict
from loopback import serving_http
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Answer:
    """What a receiver says; `rejected` and `message` are OTLP's partial success."""

    status: int = 200
    code: grpc.StatusCode | None = None
    rejected: int = 0
    message: str = ""
    content_type: str = ""  # the request's
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    wait_s: float = 0.0

    def response(self) -> ExportTraceServiceResponse:
        partial = ExportTracePartialSuccess(rejected_spans=self.rejected, error_message=self.message)
        return ExportTraceServiceResponse(partial_success=partial)


@dataclass
class Receiver:
    """Gives its `script` of answers, then "all accepted"; keeps the spans of what it accepted."""

    url: str = ""
    script: list[Answer] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)
    requests: int = 0
    takes_json: bool = True
    refused_name: str = ""  # a request with a span of this name is refused
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, kind: str, body: bytes) -> ExportTraceServiceRequest | None:
        if kind == PROTOBUF:
            return ExportTraceServiceRequest.FromString(body)
        return _from_json(json.loads(body)) if self.takes_json else None

    def take(self, request: ExportTraceServiceRequest, headers: dict[str, str]) -> Answer:
        with self.lock:
            self.requests += 1
            self.headers.append(headers)
            answer = self.script.pop(0) if self.script else self._judge(request)
            if answer.status == 200 and answer.code is None:
                self.spans += [
                    span
                    for resource in request.resource_spans
                    for scope in resource.scope_spans
                    for span in scope.spans
                ]
        time.sleep(answer.wait_s)
        return answer

    def _judge(self, request: ExportTraceServiceRequest) -> Answer:
        names = {
            span.name for held in request.resource_spans for scope in held.scope_spans for span in scope.spans
        }
        if self.refused_name in names:
            why = "no such name"
            code = grpc.StatusCode.INVALID_ARGUMENT
            return Answer(400, code, message=why, content_type="text/plain", body=why.encode())
        return Answer()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def names(self) -> list[str]:
        return [span.name for span in self.spans]


UNKNOWN_ENCODING = Answer(status=415, content_type="text/plain", body=b"protobuf only")


def _from_json(request: Any) -> ExportTraceServiceRequest:  # noqa: ANN401 # any JSON
    """OTLP's JSON has ids in hex, protobuf's own has bytes in base64."""
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for holder in (span, *span.get("links", ())):
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in holder:
                            holder[name] = base64.b64encode(bytes.fromhex(holder[name])).decode()
    return ParseDict(request, ExportTraceServiceRequest())


def _encoded(response: ExportTraceServiceResponse, kind: str) -> bytes:
    if kind == PROTOBUF:
        return response.SerializeToString()
    return MessageToJson(response).encode()


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:  # the name that http.server calls
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {key.lower(): value for key, value in self.headers.items()} | {"path": self.path}
        kind = headers["content-type"]
        request = self.receiver.read(kind, body)
        answer = UNKNOWN_ENCODING if request is None else self.receiver.take(request, headers)
        content = _encoded(answer.response(), kind) if answer.body is None else answer.body
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type or kind)
        self.send_header("content-length", str(len(content)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Silent."""


class _Servicer(TraceServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> Any:  # noqa: ANN401, N802 # generated
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        answer = self._receiver.take(request, headers)
        if answer.code is not None:
            context.abort(answer.code, answer.message)
        return answer.response()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """An HTTP server with `handler` until the block ends; its port."""
    with serving_http(handler) as url:
        yield int(url.rpartition(":")[2])


@contextmanager
def http_receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(type("Handler", (_Handler,), {"receiver": receiver})) as port:
        receiver.url = f"http://127.0.0.1:{port}"
        yield receiver


@contextmanager
def grpc_receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        add_TraceServiceServicer_to_server(_Servicer(receiver), server)  # type: ignore[no-untyped-call] # generated
        port = server.add_insecure_port("127.0.0.1:0")
        receiver.url = f"grpc://127.0.0.1:{port}"
        server.start()
        yield receiver
        server.stop(None).wait()
