"""How well phases can be known without looking into the server: `python benchmarks/truth.py`.

`run` asks the suite of a server with spans of its own, so every model request is in its trace three times:

| reader | prefill | decode | inference |
| --- | --- | --- | --- |
| server | its own spans: the truth here | the same | both together |
| stream | what the events on the wire show | the same | both together |
| http | not known | not known | the POST, from sent to last byte |

An error is a reader's time minus the server's for the same phase of the same request. Requests that were tried
more than once, or whose server spans are not complete, are left out and counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from punie.trace import semconv
from punie.trace.__main__ import main as punie_trace
from punie.trace.analysis.queries.traces import Traces, read_traces
from punie.trace.analysis.statistics.spread import P95_FROM, median_ns, percentile
from punie.trace.analysis.trees.roles import Role, written, written_provenance
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import Phase, Provenance, Span
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.units import NS_PER_MS, duration_text

INFERENCE = "inference"
PHASES = (Phase.PREFILL.value, Phase.DECODE.value, INFERENCE)
AIM_SHARE = 0.05
AIM_NS = 3 * NS_PER_MS
SUITE_BLOCK = "[[query]]"


@dataclass(frozen=True, slots=True)
class Readings:
    """One model request: nanoseconds of each phase as each reader has it; absent where it doesn't know."""

    calls_tool: bool
    server: Mapping[str, int]
    stream: Mapping[str, int]
    http: Mapping[str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run (or read a run), compare, print."""
    parser = argparse.ArgumentParser(
        description="Phases read off the stream and off HTTP, against the server's own."
    )
    parser.add_argument("--queries", type=int, metavar="N", help="the suite's first N queries (default: all)")
    parser.add_argument("--repeats", type=int, default=20, help="passes over them (default: 20)")
    parser.add_argument("--suite", type=Path, help="a suite of queries (default: discrimination)")
    parser.add_argument("--model", type=Path, help="an mlx_lm model folder (default: the demo model)")
    parser.add_argument(
        "--cache", choices=("server", "off"), default="off", help="default: off, for longer prefills"
    )
    parser.add_argument("--run", type=Path, help="a run folder to compare, in place of a new run")
    options = parser.parse_args(arguments)
    if options.run is not None:
        folder: RunFolder = RunFolder.open(options.run)
        sys.stdout.writelines(f"{line}\n" for line in report(folder))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = _new_run(options, Path(temporary))
        sys.stdout.writelines(f"{line}\n" for line in report(folder))
    return 0


def _new_run(options: argparse.Namespace, temporary: Path) -> RunFolder:
    suite = temporary / "suite.toml"
    suite.write_text(_first_queries(_suite_text(options.suite), options.queries))
    model = ["--model", str(options.model)] if options.model else []
    asked = ["--suite", str(suite), "--repeat", str(options.repeats), "--cache", options.cache]
    kept = ["--runs", str(temporary / "runs"), "--no-export", "-o", str(temporary / "report.txt")]
    code = punie_trace(["run", *model, *asked, *kept])
    if code != 0:
        raise SystemExit(code)
    (path,) = (temporary / "runs").iterdir()
    return RunFolder.open(path)


def _suite_text(path: Path | None) -> str:
    source = path or files("punie.trace.workload") / "suites" / "discrimination.toml"
    return source.read_text(encoding="utf-8")


def _first_queries(suite: str, count: int | None) -> str:
    head, *blocks = suite.split(SUITE_BLOCK)
    return SUITE_BLOCK.join([head, *blocks[:count]])


# --- from spans to readings ---


def read(folder: RunFolder) -> tuple[list[Readings], int]:
    """The readings of every request that is no warm-up, and how many requests were left out."""
    plan = folder.read_plan()
    traces = read_traces(folder.load_spans(), plan.planned)
    found = [
        _readings(traces, call.key) for call in traces.counted_calls if call.key in traces.calls.requests
    ]
    kept = [readings for readings in found if readings is not None]
    return kept, len(found) - len(kept)


def _readings(traces: Traces, chat: SpanKey) -> Readings | None:
    below = list(_below(traces, chat))
    posts = [key for key in below if traces.calls.role[key] is Role.HTTP]
    spans = [traces.forest.spans[key] for key in below]
    server, stream = (_phases(spans, provenance) for provenance in (Provenance.SERVER, Provenance.STREAM))
    if len(posts) != 1 or set(server) != set(PHASES):
        return None
    calls = semconv.first(traces.forest.spans[chat].attributes, semconv.FINISH_REASONS)
    return Readings(
        calls_tool=any("tool" in str(reason) for reason in calls) if isinstance(calls, Sequence) else False,
        server=server,
        stream=stream,
        http={INFERENCE: traces.forest.spans[posts[0]].duration_ns},
    )


def _below(traces: Traces, key: SpanKey) -> Iterator[SpanKey]:
    for child in traces.forest.children.get(key, ()):
        yield child
        yield from _below(traces, child)


def _phases(spans: Sequence[Span], provenance: Provenance) -> dict[str, int]:
    own = [span for span in spans if written_provenance(span) is provenance]
    found = {
        phase.value: sum(span.duration_ns for span in own if written(span) == (phase, provenance))
        for phase in (Phase.PREFILL, Phase.DECODE)
        if any(written(span) == (phase, provenance) for span in own)
    }
    return {**found, INFERENCE: sum(found.values())} if len(found) == len(PHASES) - 1 else found


# --- the table ---


def report(folder: RunFolder) -> Iterator[str]:
    """The comparison as lines of text."""
    found, left_out = read(folder)
    yield f"{len(found)} model requests, {left_out} left out"
    yield (
        f"{'turn':<8}{'phase':<11}{'reader':<8}{'known':>9}{'server':>10}{'error':>11}{'|error|':>11}{'p95':>11}"
        f"{'|error|':>10}{'p95':>10}"
    )
    for kind, calls_tool in (("answer", False), ("tool", True)):
        turns = [readings for readings in found if readings.calls_tool is calls_tool]
        for phase in PHASES:
            yield from _rows(kind, phase, turns)
    yield "error: reader minus server, median; |error|: median and 95th percentile, in time and of the server's"
    yield _aim([readings for readings in found if not readings.calls_tool])


def _rows(kind: str, phase: str, turns: Sequence[Readings]) -> Iterator[str]:
    for reader in ("stream", "http"):
        read_by: list[Mapping[str, int]] = [getattr(turn, reader) for turn in turns]
        pairs = [
            (seen[phase], turn.server[phase])
            for seen, turn in zip(read_by, turns, strict=True)
            if phase in seen
        ]
        yield f"{kind:<8}{phase:<11}{reader:<8}{len(pairs):>4}/{len(turns):<4}" + _errors(pairs)


def _errors(pairs: Sequence[tuple[int, int]]) -> str:
    if not pairs:
        return f"{'not known':>20}"
    signed = [seen - truth for seen, truth in pairs]
    sizes = [abs(error) for error in signed]
    shares = [abs(seen - truth) * 10_000 // truth for seen, truth in pairs if truth]  # in 1/100 of a percent
    times = (median_ns([truth for _, truth in pairs]), median_ns(signed), median_ns(sizes), _p95(sizes))
    percents = (median_ns(shares), _p95(shares)) if shares else (None, None)
    return (
        f"{_time(times[0]):>10}"
        + "".join(f"{_time(time):>11}" for time in times[1:])
        + "".join(f"{'–' if share is None else f'{share / 100:.1f} %':>10}" for share in percents)
    )


def _p95(values: Sequence[int]) -> int | None:
    return percentile(values, 95) if len(values) >= P95_FROM else None


def _time(ns: int | None) -> str:
    return "–" if ns is None else duration_text(ns)


def _aim(answers: Sequence[Readings]) -> str:
    known = [turn for turn in answers if INFERENCE in turn.stream]
    within = sum(
        abs(turn.stream[INFERENCE] - turn.server[INFERENCE])
        <= max(AIM_NS, AIM_SHARE * turn.server[INFERENCE])
        for turn in known
    )
    return (
        f"aim: inference read off the stream within {AIM_SHARE:.0%} or {duration_text(AIM_NS)} of the server's, "
        f"turns without tools: {within} of {len(known)} (of {len(answers)} such turns)"
    )


if __name__ == "__main__":
    raise SystemExit(main())
