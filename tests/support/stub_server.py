"""A model server whose phases last as long as a test plants, and which notes how long they really lasted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback import serving_http

TOOL = "slow_tool"
FOUND = "./shop/views.py:12: def cart(request):"
ANSWER = "cart is in ./shop/views.py at line 12."


@dataclass(frozen=True, slots=True)
class Planted:
    """Seconds of one query: generation is split over its two model requests, the tool runs between them."""

    generation_s: float
    tool_s: float


@dataclass
class Noted:
    """What really happened: (start, end) in nanoseconds since the epoch.

    `late_ns`: by how much each sleep was longer than planned, which tells how busy the machine was.
    """

    generation: list[tuple[int, int]] = field(default_factory=list)
    tool: list[tuple[int, int]] = field(default_factory=list)
    late_ns: list[int] = field(default_factory=list)

    def sleep(self, where: list[tuple[int, int]], seconds: float) -> None:
        """Last `seconds` at least, and note it."""
        start = time.time_ns()
        time.sleep(seconds)
        where.append((start, time.time_ns()))
        self.late_ns.append(where[-1][1] - start - round(seconds * 1e9))


@dataclass(frozen=True, slots=True)
class StubServer:
    """A running stub: where it is and what it noted."""

    base_url: str
    noted: Noted


@contextmanager
def stub_server(planted: Planted) -> Iterator[StubServer]:
    """An OpenAI-compatible server on a free loopback port that calls `slow_tool` once, then answers."""
    noted = Noted()
    with serving_http(_handler(planted, noted)) as url:
        yield StubServer(f"{url}/v1", noted)


def _handler(planted: Planted, noted: Noted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
            pass

        def do_GET(self) -> None:
            self._send(json.dumps({"object": "list", "data": [{"id": "stub", "object": "model"}]}).encode())

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            probe = not request.get("tools")
            if not probe:
                noted.sleep(noted.generation, planted.generation_s / 2)
            answered = any(message["role"] == "tool" for message in request["messages"]) or probe
            message = _text(ANSWER) if answered else _tool_call()
            self._send(_stream(message) if request.get("stream") else _whole(message))

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            kind = "text/event-stream" if body.startswith(b"data:") else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _text(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _tool_call() -> dict[str, Any]:
    function = {"name": TOOL, "arguments": "{}"}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"index": 0, "id": "call-1", "type": "function", "function": function}],
    }


def _finish(message: dict[str, Any]) -> str:
    return "tool_calls" if "tool_calls" in message else "stop"


_COMMON: dict[str, Any] = {"id": "stub-1", "created": 1, "model": "stub"}
_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def _whole(message: dict[str, Any]) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": _finish(message)}
    return json.dumps(_COMMON | {"object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()


def _stream(message: dict[str, Any]) -> bytes:
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": _finish(message)}]},
        {"choices": [], "usage": _USAGE},
    ]
    common = _COMMON | {"object": "chat.completion.chunk"}
    lines = [f"data: {json.dumps(common | chunk)}\n\n" for chunk in chunks]
    return ("".join(lines) + "data: [DONE]\n\n").encode()
