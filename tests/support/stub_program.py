"""A model server as a program: `python stub_program.py PORT FOLDER [--child|--apart|--daemon]`.

Every request's body is kept in FOLDER. With --child it starts another program, which outlives it unless somebody ends
it; with --apart in a session of its own, and with --daemon it ends then itself. A body that asks for few tokens or not
to think is answered sooner.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[2])
NUMBERS = count()
ANSWER = "An interface between servers and applications."


class Handler(BaseHTTPRequestHandler):
    """An OpenAI-compatible API with one model."""

    def do_GET(self) -> None:
        self._send("application/json", json.dumps({"data": [{"id": "stub"}]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (FOLDER / f"{time.time_ns()}-{next(NUMBERS)}.json").write_text(json.dumps(body))
        time.sleep(0.01 if "chat_template_kwargs" in body else 0.05)
        if body.get("stream"):
            chunks: list[dict[str, Any]] = [
                {"delta": {"role": "assistant", "content": ANSWER}},
                {"delta": {}, "finish_reason": "stop"},
            ]
            lines = [json.dumps(self._part("chat.completion.chunk", chunk)) for chunk in chunks]
            self._send("text/event-stream", "".join(f"data: {line}\n\n" for line in (*lines, "[DONE]")))
        else:
            message = {"message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
            self._send("application/json", json.dumps(self._part("chat.completion", message)))

    def _part(self, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
        usage = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}
        return {
            "id": "1",
            "object": kind,
            "created": 1,
            "model": "stub",
            "choices": [{"index": 0} | choice],
            "usage": usage,
        }

    def _send(self, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    if len(sys.argv) > 3:
        code = "import time; kept = bytearray(60_000_000); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code], start_new_session="--child" not in sys.argv)
        (FOLDER / "child.pid").write_text(str(child.pid))
    if "--daemon" in sys.argv:
        sys.exit()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
