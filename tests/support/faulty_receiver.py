"""An OTLP receiver over HTTP that misbehaves, and keeps of each span that it took its ids."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_receiver import PROTOBUF, Answer

FOR_EVER_S = 3600.0


@dataclass(frozen=True)
class Behaviour:
    """It listens after `down_s` and answers after `hung_s`: before, a connection is refused, or waits.

    Its first answers are those of `script`; then for `ill_s` it answers `ill`.
    """

    down_s: float = 0.0
    hung_s: float = 0.0
    script: tuple[Answer, ...] = ()
    ill: Answer = field(default_factory=Answer)
    ill_s: float = FOR_EVER_S


@dataclass
class FaultyReceiver:
    """Between `mend` and its end it is well."""

    url: str
    behaviour: Behaviour
    script: list[Answer]
    up: threading.Event = field(default_factory=threading.Event)
    mended: threading.Event = field(default_factory=threading.Event)
    seen: Counter[tuple[str, str] | bytes] = field(default_factory=Counter)
    began_s: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def mend(self) -> None:
        """Whatever it has is over."""
        self.mended.set()
        self.up.wait()

    def counts(self) -> tuple[int, int]:
        """Different spans, and how many of them came more than once."""
        with self.lock:
            return len(self.seen), sum(times > 1 for times in self.seen.values())

    def take(self, kind: str, body: bytes) -> Answer:
        with self.lock:
            answer = self._answer()
            if answer.status == 200:
                ids = _ids_in_protobuf(body) if kind == PROTOBUF else _ids_in_json(body)
                self.seen.update(list(ids)[answer.rejected :])
        self.mended.wait(answer.wait_s)
        return answer

    def _answer(self) -> Answer:
        if self.mended.is_set():
            return Answer()
        if self.script:
            return self.script.pop(0)
        is_ill = time.monotonic() - self.began_s < self.behaviour.ill_s
        return self.behaviour.ill if is_ill else Answer()


class _Span(msgspec.Struct):
    traceId: str  # noqa: N815 # OTLP's
    spanId: str  # noqa: N815 # OTLP's


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span]


class _ResourceSpans(msgspec.Struct):
    scopeSpans: list[_ScopeSpans]  # noqa: N815 # OTLP's


class _Request(msgspec.Struct):
    resourceSpans: list[_ResourceSpans]  # noqa: N815 # OTLP's


def _ids_in_json(body: bytes) -> Iterator[bytes]:
    for resource in msgspec.json.decode(body, type=_Request).resourceSpans:
        for scope in resource.scopeSpans:
            for span in scope.spans:
                yield bytes.fromhex(span.traceId + span.spanId)


def _ids_in_protobuf(body: bytes) -> Iterator[bytes]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield span.trace_id + span.span_id


class _Handler(BaseHTTPRequestHandler):
    receiver: FaultyReceiver

    def do_POST(self) -> None:  # the name that http.server calls
        body = self.rfile.read(int(self.headers["content-length"]))
        kind = self.headers["content-type"]
        answer = self.receiver.take(kind, body)
        if answer.body is None:
            content = answer.response().SerializeToString() if kind == PROTOBUF else _partial(answer)
        else:
            content = answer.body
        with suppress(ConnectionError):  # whoever asked has stopped waiting
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type or kind)
            self.send_header("content-length", str(len(content)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Silent."""


def _partial(answer: Answer) -> bytes:
    partial = {"rejectedSpans": answer.rejected, "errorMessage": answer.message} if answer.rejected else {}
    return msgspec.json.encode({"partialSuccess": partial})


@contextmanager
def receiving(behaviour: Behaviour) -> Iterator[FaultyReceiver]:
    """A receiver until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler, bind_and_activate=False)
    server.daemon_threads = True
    server.server_bind()  # from here on the port is ours, and whoever connects is refused
    receiver = FaultyReceiver(f"http://127.0.0.1:{server.server_port}", behaviour, list(behaviour.script))
    server.RequestHandlerClass = type("Handler", (_Handler,), {"receiver": receiver})

    def serve() -> None:
        receiver.mended.wait(behaviour.down_s)
        server.server_activate()
        receiver.mended.wait(behaviour.hung_s)
        receiver.up.set()
        server.serve_forever(poll_interval=0.02)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.mend()
        server.shutdown()
        thread.join()
        server.server_close()
