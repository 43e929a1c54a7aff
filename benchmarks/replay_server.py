"""A model server without a model, for `tracing_cost.py --replay`: it answers at once, in events as mlx_lm's.

Run in a process of its own (`python benchmarks/replay_server.py`) it prints its base URL and serves until killed.
A question that begins with "What" is answered; for any other `run_command` is called first.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "It is in ./accounts/views.py at line 9, as far as a server without a model can tell. " * 2
COMMAND = {"command": 'grep -rn "def get" .'}
USAGE = {"prompt_tokens": 200, "completion_tokens": 36, "total_tokens": 236}


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.0, one connection a request, as mlx_lm.server."""

    def log_message(self, *_: object) -> None:
        """Nothing: the output is for the URL."""

    def do_POST(self) -> None:
        """A streamed chat completion."""
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        question = next(_text(message) for message in messages if message["role"] == "user")
        answers = question.startswith("What") or any(message["role"] == "tool" for message in messages)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": keepalive 200/200\n\n")
        for delta in _words() if answers else [_call()]:
            self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        finish = {"index": 0, "delta": {}, "finish_reason": "stop" if answers else "tool_calls"}
        self._event({"choices": [finish]})
        self._event({"choices": [], "usage": USAGE})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, chunk: dict[str, Any]) -> None:
        common = {"id": "replay", "created": 1, "model": "replay", "object": "chat.completion.chunk"}
        self.wfile.write(f"data: {json.dumps(common | chunk)}\n\n".encode())
        self.wfile.flush()


def _text(message: dict[str, Any]) -> str:
    return str(message["content"])


def _words() -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": f"{word} "} for word in ANSWER.split()]


def _call() -> dict[str, Any]:
    function = {"name": "run_command", "arguments": json.dumps(COMMAND)}
    return {
        "role": "assistant",
        "tool_calls": [{"index": 0, "id": "1", "type": "function", "function": function}],
    }


def main() -> int:
    """Serve on a free loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}/v1\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
