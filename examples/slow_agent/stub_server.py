"""A model server without a model, whose times follow its tokens: `python stub_server.py PORT`.

For what can't be planted in a model as small as the demo model. It waits for each prompt token that isn't in its prompt
cache, then for each token that it writes, so that what makes prompts or answers shorter really saves time. It is wordy
unless it is told to be brief, and asks for one tool a turn unless it is told that it may ask for several; what it says
rests on what the tools returned. It knows two tools, `stock` and `price`, and has an answer for everything else.

--prefill-ms and --decode-ms are milliseconds a token. With --loses-answers it is wrong once it is told to be brief.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOOLS = ("stock", "price")
CHARACTERS_A_TOKEN = 4
REMARKS = (
    " It is worth saying that the shop counts each evening, after closing, and writes it down by hand." * 8
)
_ITEM = re.compile(r"one of the (\w+)")
Message = Mapping[str, Any]


@dataclass
class Cache:
    """The prompts that were read, as text: what a new one shares with one of them isn't read again."""

    read: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def shared(self, prompt: str) -> int:
        """Characters of `prompt` that are there already, from its start; all of it is there afterwards."""
        with self.lock:
            known = max((_same(prompt, one) for one in self.read), default=0)
            self.read.append(prompt)
            return known


def _same(one: str, other: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, or which tools are asked for."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()

    @property
    def tokens(self) -> int:
        """How many tokens it takes to write it."""
        written = self.text or "".join(name + item for name, item in self.calls) + "{}" * 8 * len(self.calls)
        return max(1, len(written) // CHARACTERS_A_TOKEN)


def answer(body: Mapping[str, Any], *, loses_answers: bool = False) -> Answer:
    """What a model would say to `body`, a request for a chat completion."""
    messages: Sequence[Message] = body["messages"]
    told = " ".join(text_of(message) for message in messages if message["role"] in ("system", "developer"))
    brief = "Be brief" in told
    remarks = "" if brief else REMARKS
    asked = next(text_of(message) for message in messages if message["role"] == "user")
    found = _ITEM.search(asked)
    if found is None or not body.get("tools"):
        return Answer(f"That is a question about the shop in general.{remarks}")
    returned = results(messages)
    missing = [(name, found[1]) for name in TOOLS if name not in returned]
    if missing:
        together = body.get("parallel_tool_calls") is True or "in one turn" in told
        return Answer(calls=tuple(missing if together else missing[:1]))
    count, cost = (returned[name].partition("\n")[0].rpartition(" ")[2] for name in TOOLS)
    if brief and loses_answers:
        return Answer(f"No tool found any {found[1]}.")
    return Answer(f"There are {count} of the {found[1]}, and one costs {cost}.{remarks}")


def results(messages: Sequence[Message]) -> dict[str, str]:
    """What each tool returned, by its name."""
    names = {
        call["id"]: call["function"]["name"]
        for message in messages
        for call in message.get("tool_calls") or ()
    }
    return {names[m["tool_call_id"]]: text_of(m) for m in messages if m["role"] == "tool"}


def text_of(message: Message) -> str:
    """The text of a message, whose content may be a list of parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def prompt_of(body: Mapping[str, Any]) -> str:
    """The request as a template would write it: tools, then one message after another."""
    tools = json.dumps(body.get("tools") or [])
    return "".join(
        (tools, *(json.dumps([m["role"], text_of(m), m.get("tool_calls")]) for m in body["messages"]))
    )


class Handler(BaseHTTPRequestHandler):
    """An OpenAI-compatible API with one model; durations stand in `timings`, as llama.cpp's server has them."""

    cache = Cache()
    options = argparse.Namespace(prefill_ms=0.0, decode_ms=0.0, loses_answers=False)

    def log_message(self, *_: object) -> None:
        """Nothing: there is nobody to read it."""

    def do_GET(self) -> None:
        """The list of models."""
        self._send("application/json", json.dumps({"data": [{"id": "stub"}]}).encode())

    def do_POST(self) -> None:
        """A chat completion, as a stream or whole."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = prompt_of(body)
        cached = min(self.cache.shared(prompt), len(prompt) - CHARACTERS_A_TOKEN) // CHARACTERS_A_TOKEN
        read = len(prompt) // CHARACTERS_A_TOKEN - cached
        said = answer(body, loses_answers=self.options.loses_answers)
        written = min(said.tokens, body.get("max_tokens") or said.tokens)
        times = {
            "prompt_ms": read * self.options.prefill_ms,
            "predicted_ms": written * self.options.decode_ms,
        }
        finish = "tool_calls" if said.calls else "stop" if written == said.tokens else "length"
        ending = {
            "usage": {
                "prompt_tokens": read + cached,
                "completion_tokens": written,
                "total_tokens": read + cached + written,
                "prompt_tokens_details": {"cached_tokens": cached},
            },
            "timings": {**times, "prompt_n": read, "cache_n": cached, "predicted_n": written},
        }
        time.sleep(times["prompt_ms"] / 1e3)
        parts = list(_parts(said, written))
        if body.get("stream"):
            self._stream(parts, times["predicted_ms"] / 1e3, finish, ending)
        else:
            time.sleep(times["predicted_ms"] / 1e3)
            choice = {"index": 0, "message": _whole(parts), "finish_reason": finish}
            self._send("application/json", _json("chat.completion", choices=[choice], **ending))

    def _stream(
        self, parts: Sequence[Message], seconds: float, finish: str, ending: Mapping[str, Any]
    ) -> None:
        self._head("text/event-stream")
        for part in parts:
            self._event(choices=[{"index": 0, "delta": part, "finish_reason": None}])
            time.sleep(seconds / len(parts))
        self._event(choices=[{"index": 0, "delta": {}, "finish_reason": finish}])
        self._event(choices=[], **ending)
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, **fields: object) -> None:
        self.wfile.write(b"data: " + _json("chat.completion.chunk", **fields) + b"\n\n")
        self.wfile.flush()

    def _send(self, kind: str, data: bytes) -> None:
        self._head(kind)
        self.wfile.write(data)

    def _head(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()


def _parts(said: Answer, written: int) -> Iterator[Message]:
    """The deltas of a message: its text in four pieces, or its tool calls."""
    if said.calls:
        calls = [
            {
                "index": place,
                "id": f"call-{name}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps({"item": item})},
            }
            for place, (name, item) in enumerate(said.calls)
        ]
        yield {"role": "assistant", "tool_calls": calls}
        return
    text = said.text[
        : written * CHARACTERS_A_TOKEN + (CHARACTERS_A_TOKEN - 1 if written == said.tokens else 0)
    ]
    step = max(1, -(-len(text) // 4))
    for start in range(0, len(text), step):
        yield {"role": "assistant", "content": text[start : start + step]}


def _whole(parts: Sequence[Message]) -> Message:
    if "tool_calls" in parts[0]:
        return {"content": None, **parts[0]}
    return {"role": "assistant", "content": "".join(part["content"] for part in parts)}


def _json(kind: str, **fields: object) -> bytes:
    return json.dumps({"id": "stub", "object": kind, "created": 1, "model": "stub", **fields}).encode()


def main() -> int:
    """Serve on the port that is given, on the loopback address, until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--prefill-ms", type=float, default=0.02)
    parser.add_argument("--decode-ms", type=float, default=0.4)
    parser.add_argument("--loses-answers", action="store_true")
    Handler.options = parser.parse_args()
    ThreadingHTTPServer(("127.0.0.1", Handler.options.port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
