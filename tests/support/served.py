"""A real mlx_lm.server for a test, questions to it, and its spans read back."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from punie.trace.server.command import build_server_command, server_arguments
from punie.trace.server.config import ServerConfig
from punie.trace.server.process import CommandBuilder, ServerProcess
from punie.trace.telemetry.mlx.hook import HOOK, SPANS_VARIABLE

READY_S = 100.0
PATIENCE_S = 30.0
COMPLETIONS = "/v1/chat/completions"

Json = dict[str, Any]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Client:
    """A caller with a trace and a span of its own; each request of its goes there."""

    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))
    recorded: bool = True

    @property
    def headers(self) -> dict[str, str]:
        return {"traceparent": f"00-{self.trace_id}-{self.span_id}-{int(self.recorded):02}"}


@dataclass(frozen=True)
class ServedSpan:
    """A span of the server, attributes flattened."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    kind: int
    start_ns: int
    end_ns: int
    status: int
    message: str
    service: str
    attributes: Json


@dataclass(frozen=True)
class ServedRequest:
    """The SERVER span and its children by start."""

    root: ServedSpan
    children: tuple[ServedSpan, ...]

    @property
    def names(self) -> list[str]:
        return [child.name for child in self.children]

    def child(self, name: str) -> ServedSpan:
        (found,) = (child for child in self.children if child.name == name)
        return found

    def __getitem__(self, attribute: str) -> Any:  # noqa: ANN401 - any attribute's value
        return self.root.attributes[attribute]


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    process: ServerProcess
    spans_dir: Path

    def post(self, body: Json | bytes, client: Client | None, path: str = COMPLETIONS) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = client.headers if client else {}
        with self._http() as http:
            return http.post(path, content=content, headers=headers)

    def ask(self, word: str, client: Client | None = None, **more: object) -> httpx.Response:
        """A chat completion whose answer the scripted model has for `word`."""
        return self.post(question(word, **more), client)

    @contextmanager
    def endless(self, client: Client, **more: object) -> Iterator[None]:
        """An answer that goes on until the block ends: it has begun when the block does. Then we hang up."""
        body = question("loop", stream=True, max_tokens=1_000_000, **more)
        with (
            self._http() as http,
            http.stream("POST", COMPLETIONS, json=body, headers=client.headers) as answer,
        ):
            lines = answer.iter_lines()
            next(line for line in lines if line.startswith("data: "))
            yield

    def spans(self) -> list[ServedSpan]:
        return [
            _span(line)
            for path in sorted(self.spans_dir.glob("mlx_lm-*.jsonl"))
            for line in path.read_text().splitlines(keepends=True)
            if line.endswith("\n")  # the last may be on its way
        ]

    def request(self, client: Client) -> ServedRequest:
        """The only request of `client`, once it is written: the SERVER span comes last."""
        root = self.wait_for(client, "server request")
        children = [span for span in self.spans() if span.parent_id == root.span_id]
        return ServedRequest(root, tuple(sorted(children, key=lambda span: (span.start_ns, span.end_ns))))

    def wait_for(self, client: Client, name: str) -> ServedSpan:
        return wait_until(lambda: next(iter(self._named(client, name)), None))

    def _named(self, client: Client, name: str) -> list[ServedSpan]:
        return [span for span in self.spans() if span.trace_id == client.trace_id and span.name == name]

    def _http(self) -> httpx.Client:
        root = self.process.base_url.removesuffix("/v1")
        return httpx.Client(base_url=root, trust_env=False, timeout=PATIENCE_S)


@contextmanager
def serving(
    config: ServerConfig, folder: Path, *, hook: str | None = HOOK, more: tuple[str, ...] = ()
) -> Iterator[Served]:
    """A server with our hook (or plain, with None), and with `more` arguments of its own."""

    def build(config: ServerConfig, port: int) -> tuple[str, ...]:
        return (*build_server_command(config, port=port, hook=hook), *more)

    with started(config, folder, build) as served:
        yield served


def unmodified(config: ServerConfig, port: int) -> tuple[str, ...]:
    """The server as mlx_lm's own documentation starts it: nothing of ours is in that process."""
    return (sys.executable, "-m", "mlx_lm", "server", *server_arguments(config, port=port))


@contextmanager
def started(config: ServerConfig, folder: Path, build_command: CommandBuilder) -> Iterator[Served]:
    """A server that `build_command` starts; ends with the block."""
    spans_dir = folder / "spans"
    process = ServerProcess(
        config,
        folder / "server.log",
        ready_timeout_s=READY_S,
        env=os.environ | {SPANS_VARIABLE: str(spans_dir)},
        build_command=build_command,
    )
    with asyncio.Runner() as runner:
        runner.run(process.start())
        try:
            yield Served(process, spans_dir)
        finally:
            runner.run(process.stop())


def question(word: str, **more: object) -> Json:
    body = {"messages": [{"role": "user", "content": f"please now {word}"}], "temperature": 0.0}
    return body | more


def wait_until(find: Callable[[], Found | None]) -> Found:
    """What `find` gives as soon as it isn't None."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := find()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing within {PATIENCE_S} s")
        time.sleep(0.02)
    return found


def _span(line: str) -> ServedSpan:
    (resource_spans,) = json.loads(line)["resourceSpans"]
    (scope_spans,) = resource_spans["scopeSpans"]
    (span,) = scope_spans["spans"]
    return ServedSpan(
        name=span["name"],
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId"),
        kind=span["kind"],
        start_ns=int(span["startTimeUnixNano"]),
        end_ns=int(span["endTimeUnixNano"]),
        status=span["status"].get("code", 0),
        message=span["status"].get("message", ""),
        service=_flat(resource_spans["resource"]["attributes"])["service.name"],
        attributes=_flat(span["attributes"]),
    )


def _flat(attributes: list[Json]) -> Json:
    return {item["key"]: _value(item["value"]) for item in attributes}


def _value(value: Json) -> Any:  # noqa: ANN401 - any attribute's value
    kind, content = next(iter(value.items()))
    if kind == "arrayValue":
        return [_value(item) for item in content["values"]]
    return int(content) if kind == "intValue" else content
