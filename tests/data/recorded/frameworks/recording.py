"""What the recorders share: an OTLP sink, the question, the tool, and what is left out of a recording.

Needs `opentelemetry-proto` and `protobuf` alone, which every OTLP exporter brings along.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

# What the demo model was trained with; other words make it call other tools or none.
INSTRUCTIONS: Final = (
    "You answer questions about the Django project in the current directory. "
    "Search it with run_command, read files with read_file, and answer general questions directly."
)
QUESTION: Final = "Find all Django view functions"
DIRECT_QUESTION: Final = "What is dependency injection in Django?"
FOUND: Final = "./shop/views.py:12:def cart(request):"
TOOL_S: Final = 0.02
MODEL: Final = "default_model"
FOLDER: Final = Path(__file__).parent

_PROJECT: Final = FOLDER.resolve().parents[3]
_TEXT_LIMIT: Final = 60
_KEPT_WHOLE: Final = ("usage", "parameters")  # of attributes: counts and settings, written as JSON
_LEFT_OUT: Final = (  # who and where: of no use for a ledger
    "host.", "os.", "process.", "exception.stacktrace", "code.", "telemetry.sdk.version", "service.instance.id",
    "langfuse.trace.metadata", "public_key", "langfuse.release", "deployment", "service.version", "lc_agent_name",
)  # fmt: skip
_IDS: Final = ("traceId", "spanId", "parentSpanId")


def run_command(command: str) -> str:
    """Run one read-only program in the project folder, without a shell.

    Args:
        command: grep, find, ls, cat, head, tail or wc, with arguments.
    """
    time.sleep(TOOL_S)
    return FOUND if command else ""


def read_file(path: str) -> str:
    """Read a text file of the project.

    Args:
        path: The file, relative to the project folder.
    """
    time.sleep(TOOL_S)
    return "def cart(request):" if path else ""


def tool_definitions() -> list[dict[str, Any]]:
    """Both tools as OpenAI's API takes them."""
    parameters = {run_command: "command", read_file: "path"}
    return [
        {
            "type": "function",
            "function": {
                "name": tool.__name__,
                "description": (tool.__doc__ or "").partition("\n")[0],
                "parameters": {
                    "type": "object",
                    "properties": {name: {"type": "string"}},
                    "required": [name],
                },
            },
        }
        for tool, name in parameters.items()
    ]


def server_url() -> str:
    """The `/v1` of the server that answers, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default="http://127.0.0.1:8080/v1", help="of punie-trace serve")
    return str(parser.parse_args().server)


@dataclass
class Sink:
    """Takes OTLP over HTTP, whatever the path, and keeps what came until it is written."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def write(self, name: str) -> None:
        """What came since the last time, as OTLP JSON lines in `name` beside this file."""
        with self.lock:
            came, self.requests = self.requests, []
        lines = [json.dumps(scrubbed(one), separators=(",", ":"), ensure_ascii=False) for one in came]
        (FOLDER / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink on a free loopback port."""
    found = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"{}")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("/traces"):
                plain = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
                request = ExportTraceServiceRequest.FromString(plain)
                with found.lock:
                    found.requests.append(MessageToDict(request, use_integers_for_enums=True))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def scrubbed(value: Any, name: str = "", *, in_hex: bool = False) -> Any:  # noqa: ANN401 # any JSON
    """Ids in hex, long texts cut, and no attribute that tells of a machine or a user."""
    if isinstance(value, dict) and any(part in str(value.get("key", "")) for part in _KEPT_WHOLE):
        return value
    if isinstance(value, dict):
        return {key: scrubbed(item, key, in_hex=in_hex) for key, item in value.items()}
    if isinstance(value, list):
        return [scrubbed(item, in_hex=in_hex) for item in value if not _tells_who(item)]
    if name in _IDS and value and not in_hex:
        return base64.b64decode(value).hex()
    if isinstance(value, str):
        value = value.replace(f"{_PROJECT}/", "")
    if isinstance(value, str) and len(value) > _TEXT_LIMIT:
        return value[:_TEXT_LIMIT] + "…"
    return value


def _tells_who(item: object) -> bool:
    return isinstance(item, dict) and any(part in str(item.get("key", "")) for part in _LEFT_OUT)
