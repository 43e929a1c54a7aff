"""A scripted HTTP server on the loopback, and journals read back: the real things, small."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from scripted_model import write_scripted_model
from served import Served, serving

from punie.trace.server.config import ServerConfig
from punie.trace.telemetry.provider import Telemetry, configure

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the server answers: headers after `wait_s`, `chunks` of the body, `pause_s` before each but the first.

    `hang_up` closes the connection before the status line.
    """

    chunks: Sequence[bytes] = (b"{}",)
    status: int = 200
    content_type: str = "application/json"
    wait_s: float = 0.0
    pause_s: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    hang_up: bool = False


@dataclass
class StubServer:
    """Answers the n-th POST with the n-th reply of `script`; a POST too many gets 418.

    `sent_ns`: for each request when its headers left and when each chunk did, nanoseconds since the epoch.
    """

    url: str
    script: list[Reply] = field(default_factory=list)
    requests: list[tuple[dict[str, str], Json]] = field(default_factory=list)
    sent_ns: list[list[int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_reply(self, headers: dict[str, str], body: bytes) -> Reply:
        with self.lock:
            self.requests.append((headers, json.loads(body or b"{}")))
            return self.script.pop(0) if self.script else Reply(status=418)


class _Handler(BaseHTTPRequestHandler):
    stub: StubServer

    def do_POST(self) -> None:  # the name that http.server calls
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        reply = self.stub.next_reply({k.lower(): v for k, v in self.headers.items()}, body)
        if reply.hang_up:
            self.close_connection = True
            return
        time.sleep(reply.wait_s)
        self.send_response(reply.status)
        self.send_header("content-type", reply.content_type)
        for name, value in reply.headers:
            self.send_header(name, value)
        sent_ns = [time.time_ns()]
        self.stub.sent_ns.append(sent_ns)
        self.end_headers()
        try:
            self._send(reply, sent_ns)
        except (BrokenPipeError, ConnectionResetError):
            return  # the client closed early: a test wants that

    def _send(self, reply: Reply, sent_ns: list[int]) -> None:
        for index, chunk in enumerate(reply.chunks):
            if index:
                time.sleep(reply.pause_s)
            sent_ns.append(time.time_ns())
            self.wfile.write(chunk)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Silent."""


@pytest.fixture
def stub() -> Iterator[StubServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    stub = StubServer(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"stub": stub})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield stub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_reply() -> type[Reply]:
    return Reply


def _completion(message: Json, finish_reason: str) -> Json:
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def _chunk(delta: Json, finish_reason: str | None = None) -> bytes:
    body = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


@dataclass(frozen=True)
class OpenAIReplies:
    """Replies in the shape of an OpenAI-compatible server."""

    def text(self, text: str) -> Reply:
        message = {"role": "assistant", "content": text}
        return Reply(chunks=[json.dumps(_completion(message, "stop")).encode()])

    def call(self, name: str, arguments: str) -> Reply:
        function = {"name": name, "arguments": arguments}
        call = {"id": "call_1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return Reply(chunks=[json.dumps(_completion(message, "tool_calls")).encode()])

    def streamed(self, words: Sequence[str], *, pause_s: float = 0.0) -> Reply:
        chunks = [b": keepalive 0/9\n\n", *(_chunk({"role": "assistant", "content": word}) for word in words)]
        chunks += [_chunk({}, "stop"), b"data: [DONE]\n\n"]
        return Reply(chunks=chunks, content_type="text/event-stream", pause_s=pause_s)


@pytest.fixture
def openai_replies() -> OpenAIReplies:
    return OpenAIReplies()


@dataclass(frozen=True)
class Read:
    """A span of a journal, attributes flattened."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    kind: int
    start_ns: int
    end_ns: int
    status: int
    attributes: Json
    events: Sequence[Json]
    scope: str


def _value(value: Json) -> Any:  # noqa: ANN401 # any attribute value
    content: Any
    kind, content = next(iter(value.items()), ("none", None))
    match kind:
        case "intValue":
            return int(content)
        case "arrayValue":
            return [_value(item) for item in content["values"]]
        case "kvlistValue":
            return {item["key"]: _value(item["value"]) for item in content["values"]}
        case _:
            return content


def _read_line(line: str) -> Read:
    (resource_spans,) = json.loads(line)["resourceSpans"]
    (scope_spans,) = resource_spans["scopeSpans"]
    (span,) = scope_spans["spans"]
    return Read(
        name=span["name"],
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId"),
        kind=span["kind"],
        start_ns=int(span["startTimeUnixNano"]),
        end_ns=int(span["endTimeUnixNano"]),
        status=span["status"].get("code", 0),
        attributes={item["key"]: _value(item["value"]) for item in span["attributes"]},
        events=span["events"],
        scope=scope_spans["scope"]["name"],
    )


def read_journal(path: Path) -> list[Read]:
    return [_read_line(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = configure(tmp_path / "spans", "agent")
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def spans(telemetry: Telemetry) -> Callable[[], list[Read]]:
    """What is in the journal now, in the order in which the spans ended."""
    return lambda: read_journal(telemetry.journal.path)


@pytest.fixture
def read() -> Callable[[Path], list[Read]]:
    return read_journal


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose answers are written down."""
    return write_scripted_model(tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="session")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With our hook, without a draft model: requests share batches."""
    with serving(ServerConfig(model), tmp_path_factory.mktemp("traced")) as served:
        yield served


@pytest.fixture(scope="session")
def drafting(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With our hook and a draft model that is wrong after "two": requests are served one at a time."""
    draft = write_scripted_model(tmp_path_factory.mktemp("draft"), bent={"two": "tick"})
    config = ServerConfig(model, draft_model=draft, num_draft_tokens=3, prompt_cache_size=0)
    with serving(config, tmp_path_factory.mktemp("drafting")) as served:
        yield served
