"""What is damaged: sound files of every format, each small, so that thousands can be tried in a minute."""

from __future__ import annotations

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

from punie.trace.errors import PunieTraceError
from punie.trace.model import Span
from punie.trace.store.sources import read_source

TESTS: Final = Path(__file__).parents[2]
RECORDED: Final = TESTS / "data" / "recorded"
_MOST_BYTES: Final = 16_000
_MOST_LINES: Final = (6, 24)
_FEW_BYTES: Final = 3_000
_MOST_SPANS: Final = 6


@cache
def traces() -> tuple[bytes, ...]:
    """Files of spans: the corpus and the cases where they are, the recorded ones, parts of a run's journals."""
    folders = [Path(os.environ[name]) for name in ("PUNIE_CORPUS", "PUNIE_CASES") if name in os.environ]
    files = [path for folder in folders for path in sorted(folder.rglob("*.json*"))]
    contents = [path.read_bytes() for path in files if path.name != "bench_without_baseline.json"]
    contents += [path.read_bytes() for path in sorted(RECORDED.rglob("*.jsonl"))]
    contents += [text.encode() for name, text in run_folder().items() if name.endswith(".jsonl")]
    return tuple(part for content in contents for part in _parts(content))


def _parts(content: bytes) -> Iterator[bytes]:
    """A small file as it is; of a large one of lines the lines of one trace each, a few."""
    if len(content) <= _MOST_BYTES:
        yield content
        return
    by_trace: defaultdict[str, list[bytes]] = defaultdict(list)
    for line in content.splitlines():
        by_trace[_trace_of(line)].append(line)
    for lines in by_trace.values():
        for most in _MOST_LINES:
            kept = lines[-most:]
            if 1 < len(kept) == min(most, len(lines)) and sum(map(len, kept)) <= 3 * _MOST_BYTES:
                yield b"\n".join(kept) + b"\n"


def _trace_of(line: bytes) -> str:
    try:
        return str(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"])
    except (ValueError, LookupError, TypeError):
        return ""


def choose(contents: tuple[bytes, ...], random: Random) -> bytes:
    """A small one nine times in ten: what breaks a reader seldom needs more, and many more can be tried."""
    few = _small(contents)
    return random.choice(few if few and random.random() < 0.9 else contents)


@cache
def _small(contents: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(content for content in contents if len(content) <= _FEW_BYTES)


@cache
def small_span_sets() -> tuple[tuple[Span, ...], ...]:
    """The first spans of each."""
    return tuple(tuple(sorted(spans, key=lambda span: span.start_ns)[:_MOST_SPANS]) for spans in span_sets())


@cache
def written(name: str) -> tuple[bytes, ...]:
    """All of them and their first spans, as the function `name` of `written_spans` writes them."""
    import written_spans

    write = getattr(written_spans, name)
    return tuple(write(spans) for spans in (*small_span_sets(), *span_sets()))


@cache
def span_sets() -> tuple[tuple[Span, ...], ...]:
    """The spans of each of them that can be read."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        found = [_spans_of(content, Path(folder) / "spans") for content in traces()]
    return tuple(spans for spans in found if spans)


def _spans_of(content: bytes, path: Path) -> tuple[Span, ...]:
    path.write_bytes(content)
    try:
        return read_source(str(path)).spans
    except PunieTraceError:
        return ()


@cache
def run_folder() -> dict[str, str]:
    """The files of a run of the demo, by name."""
    return _folder("run")


@cache
def bench_folder() -> dict[str, str]:
    """The files of a benchmark of the demo: each arm started once, asked one query."""
    return _folder("bench")


def _folder(name: str) -> dict[str, str]:
    files: dict[str, str] = json.loads((RECORDED / "folders" / f"{name}.json").read_text())
    return files


@cache
def answers() -> tuple[dict[str, Any], ...]:
    """Answers of model servers: status, headers, the body in the pieces in which it came."""
    found = [_answer(path.read_text(), "text/event-stream") for path in sorted(RECORDED.rglob("*.txt"))]
    found += [
        _answer(path.read_text(), "application/json")
        for path in sorted((RECORDED / "llama_cpp").glob("*.json"))
    ]
    lines = "".join(f"{json.dumps(line)}\n" for line in OLLAMA)
    return (*found, _answer(lines, "application/x-ndjson"))


OLLAMA: Final = (
    {"model": "m", "message": {"role": "assistant", "content": "Hel"}, "done": False},
    {
        "model": "m",
        "done": True,
        "done_reason": "stop",
        "total_duration": 5_000_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": 26,
        "prompt_eval_duration": 130_000_000,
        "eval_count": 259,
        "eval_duration": 4_000_000_000,
    },
)


def _answer(body: str, kind: str) -> dict[str, Any]:
    pieces = [piece + "\n\n" for piece in body.split("\n\n") if piece]
    return {
        "status": 200,
        "headers": {"content-type": kind},
        "pieces": pieces,
        "steps_ns": [10**6] * len(pieces),
    }


URLS: Final = (
    "http://127.0.0.1:8080/v1",
    "https://user:secret@host.example:443/v1?x=y#z",
    "http://[::1]:4318/v1/traces",
    "127.0.0.1:4317",
    "jaeger://localhost:16686/prefix?service=agent&operation=chat&lookback=2h&limit=100",
    "clickhouse://me:secret@host:8443/db?service=agent&since=1h&limit=1000&secure=1&table=otel_traces",
    "grpc://localhost:4317",
)
TOOL_COMMANDS: Final = (
    "grep -rn 'class User' --include=*.py .",
    "find . -name '*.py' -not -empty -o -type d",
    "cat accounts/views.py | head",
    "head -n 5 -- -rf",
    "tail -c +10 accounts/*.py",
    "ls -la accounts",
    "wc -l $(cat list)",
    "cat ../outside/secret.txt",
    "grep -e root -f patterns.txt /etc/passwd > out",
    "find . -exec cat {} ;",
)
