"""How fast OTLP JSON lines become spans, beside what msgspec alone decodes: `python benchmarks/loading.py`.

The lines are those of a journal, one made-up span each (`spans_generator.py`). `--run FOLDER` takes the journals of a
run that exists, many times over, each time with other ids, times, numbers and digests: what a file of such runs holds.
All ways run in turn on
the same bytes, and the best of several rounds counts, in processor time:

| way | gives |
| --- | --- |
| loader | the project's spans (`store/json_files.py`), ids, times and attributes checked, all kept |
| msgspec, kept | msgspec structs typed as OTLP, all kept, the garbage collector paused as the loader does |
| msgspec, resumed | as kept, and the collection put off, made up for on resuming: the loader's time has it too |
| msgspec, collected | as kept, with the collector on, as a plain program has it |
| msgspec, dropped | each struct dropped at once: decoding and no memory, which no reader of a file can do |
| json | dictionaries of the standard library, all kept, the collector paused |
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from run_copies import copies_of
from spans_generator import generate, otlp_lines

from punie.trace.store.json_files import read_journal

_LINES: Final = 80_000  # at least so many of a run's


class Value(msgspec.Struct, rename="camel"):
    """AnyValue."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: str | int | None = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: Any = None
    kvlist_value: Any = None


class Pair(msgspec.Struct):
    """KeyValue."""

    key: str
    value: Value | None = None


class Status(msgspec.Struct):
    """Status."""

    code: int | str = 0
    message: str = ""


class Span(msgspec.Struct, rename="camel"):
    """Span."""

    trace_id: str
    span_id: str
    start_time_unix_nano: str | int
    end_time_unix_nano: str | int = 0
    parent_span_id: str = ""
    name: str = ""
    kind: int | str = 0
    attributes: list[Pair] = []
    events: list[Any] = []
    status: Status | None = None


class Scope(msgspec.Struct):
    """InstrumentationScope."""

    name: str = ""


class ScopeSpans(msgspec.Struct):
    """ScopeSpans."""

    scope: Scope | None = None
    spans: list[Span] = []


class Resource(msgspec.Struct):
    """Resource."""

    attributes: list[Pair] = []


class ResourceSpans(msgspec.Struct, rename="camel"):
    """ResourceSpans."""

    resource: Resource | None = None
    scope_spans: list[ScopeSpans] = []


class Traces(msgspec.Struct, rename="camel"):
    """TracesData."""

    resource_spans: list[ResourceSpans]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print spans a second of each way and the loader's ratio to it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--run", type=Path, metavar="FOLDER", help="a run's folder instead of made-up spans")
    options = parser.parse_args(arguments)
    if options.run is not None:
        _measure(f"{options.run.name}, many times over", copies_of(options.run, _LINES), options.rounds)
        return 0
    _measure("made-up spans", otlp_lines(generate(options.traces)), options.rounds)
    return 0


def _measure(title: str, lines: Iterable[str], rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "agent-1.jsonl"
        file.write_text("\n".join(lines) + "\n")
        spans = _check(file)
        seconds = _best(_ways(file), rounds)
    print(f"{title}: {spans} spans, a line each; every one loaded; processor time")
    for name, took in seconds.items():
        print(f"{name:<19} {spans / took / 1e6:5.2f} M spans/s  loader {took / seconds['loader']:5.2f} x")


def _check(file: Path) -> int:
    found = read_journal(file)
    lines = file.read_bytes().count(b"\n")
    if len(found.spans) != lines or found.unreadable:
        raise SystemExit(f"{len(found.spans)} of {lines} spans were loaded")
    return lines


def _ways(file: Path) -> dict[str, Callable[[], object]]:
    decode = msgspec.json.Decoder(Traces).decode

    def dropped() -> None:
        for line in file.read_bytes().splitlines():
            decode(line)

    def resumed() -> object:
        kept = _paused(lambda: [decode(line) for line in file.read_bytes().splitlines()])
        gc.collect(0)
        return kept

    return {
        "loader": lambda: read_journal(file),
        "msgspec, kept": lambda: _paused(lambda: [decode(line) for line in file.read_bytes().splitlines()]),
        "msgspec, resumed": resumed,
        "msgspec, collected": lambda: [decode(line) for line in file.read_bytes().splitlines()],
        "msgspec, dropped": dropped,
        "json": lambda: _paused(lambda: [json.loads(line) for line in file.read_bytes().splitlines()]),
    }


def _paused(work: Callable[[], object]) -> object:
    gc.disable()
    try:
        return work()
    finally:
        gc.enable()


def _best(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()
            begun = time.process_time()
            kept = way()
            best[name] = min(best[name], time.process_time() - begun)
            del kept
    return best


if __name__ == "__main__":
    sys.exit(main())
