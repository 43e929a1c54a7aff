"""A server of another kind, as clients see it: it streams an answer, and its last chunk tells what that kind tells."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

WORDS: Final = ["An", "interface", "between", "a", "web", "server", "and", "an", "application."]


def chunk(delta: dict[str, Any], model: object, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}


def page_server(path: str, models: list[str], extra: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    """Streams an answer word by word; the last chunk has the usage and `extra`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path != f"{path}/models":  # not each of these servers tells its health
                self.send_error(404)
                return
            self._whole({"object": "list", "data": [{"id": name} for name in models]})

        def _whole(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == f"{path}/chat/completions"
            assert asked["model"] in models
            if not asked.get("stream"):  # the question whether it is ready
                message = {"role": "assistant", "content": " ".join(WORDS)}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                self._whole(chunk({}, asked["model"]) | {"object": "chat.completion", "choices": [choice]})
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            time.sleep(0.03)
            for word in WORDS:
                self._event(chunk({"role": "assistant", "content": f"{word} "}, asked["model"]))
                time.sleep(0.008)
            usage = {"prompt_tokens": 20, "completion_tokens": len(WORDS), "total_tokens": 20 + len(WORDS)}
            self._event(chunk({}, asked["model"], "stop"))
            self._event(chunk({}, asked["model"]) | {"choices": [], "usage": usage} | extra)
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def _event(self, chunk: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

    return Handler
