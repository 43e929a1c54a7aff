"""Spans of made-up agent queries, as many as a benchmark wants, the same for the same seed.

Each trace is one query with the tree that `run` records: turns of a model call (client, HTTP, server with its phases
one right after the other) and tools between them, some in parallel. In the middle of a turn:

    |---------------------------- chat ----------------------------|  |-- execute_tool --|
      |------------------------ POST --------------------------|  |p|    |- execute_tool -|
        |---------- server request -------------------|    parse
        |queue|template|-- prefill --|------- decode --------|

About 18.8 spans a trace: 52,083 traces are about a million spans. A span's parent always lies in the same trace, times
are whole nanoseconds that nobody rounded, and the rows stand in the order in which spans end, as processes write them:
traces mixed, children before their parents.

For other benchmarks: `generate` gives numpy columns (with `parent_row`, the row of a span's parent, for kernels over
arrays), `hex_ids` the ids as text, `write_parquet` a file that `report` reads, `otlp_lines` the same spans as journals
hold them, one OTLP JSON document a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from punie.trace.model import PHASE_RANK, Phase, Provenance, SpanKind
from punie.trace.semconv import PHASE, PHASE_PROVENANCE, SERVICE_AGENT, SERVICE_NAME, SERVICE_SERVER

Ints = npt.NDArray[np.int64]
TRACES: Final = 52_083
START_NS: Final = 1_764_000_000_000_000_000
_US: Final = 1_000
_TURNS: Final = (0.33, 0.41, 0.26)  # of queries with one turn, two and three
_TOOLS: Final = (0.55, 0.25, 0.20)  # of turns that lead to one tool, two and three


@dataclass(frozen=True, slots=True)
class SpanType:
    """What all spans of one sort have in common."""

    name: str
    phase: Phase
    provenance: Provenance = Provenance.CLIENT
    kind: SpanKind = SpanKind.INTERNAL
    service: str = SERVICE_AGENT


def _served(name: str, phase: Phase, kind: SpanKind = SpanKind.INTERNAL) -> SpanType:
    return SpanType(name, phase, Provenance.SERVER, kind, SERVICE_SERVER)


SPAN_TYPES: Final = (
    SpanType("query", Phase.FRAMEWORK),
    SpanType("invoke_agent", Phase.FRAMEWORK),
    SpanType("chat demo", Phase.FRAMEWORK, kind=SpanKind.CLIENT),
    SpanType("POST", Phase.HTTP, kind=SpanKind.CLIENT),
    _served("server request", Phase.SERVE, SpanKind.SERVER),
    _served("queue", Phase.QUEUE),
    _served("template", Phase.TEMPLATE),
    _served("prefill", Phase.PREFILL),
    _served("decode", Phase.DECODE),
    SpanType("parse", Phase.PARSE),
    SpanType("execute_tool", Phase.TOOL),
)
QUERY, AGENT, CHAT, POST, SERVER, QUEUE, TEMPLATE, PREFILL, DECODE, PARSE, TOOL = range(len(SPAN_TYPES))


@dataclass(frozen=True, slots=True)
class Spans:
    """Columns, one entry a span, in the order in which the spans end.

    `trace` counts from 0, `trace_ids` has 16 bytes for each trace, `span` and `parent` are ids above 0 (parent: 0 for
    a root), `parent_row` is the parent's place in these columns (-1), `type` a place in `SPAN_TYPES`.
    """

    trace: Ints
    trace_ids: npt.NDArray[np.uint8]
    span: Ints
    parent: Ints
    parent_row: Ints
    start_ns: Ints
    end_ns: Ints
    type: Ints

    def __len__(self) -> int:
        return len(self.span)

    @property
    def phase_rank(self) -> Ints:
        """The rank of each span's phase, as the ledger counts them."""
        return np.array([PHASE_RANK[one.phase] for one in SPAN_TYPES], dtype=np.int64)[self.type]

    @property
    def provenance_rank(self) -> Ints:
        """The place of each span's provenance in `Provenance`."""
        ranks = {provenance: rank for rank, provenance in enumerate(Provenance)}
        return np.array([ranks[one.provenance] for one in SPAN_TYPES], dtype=np.int64)[self.type]


@dataclass(slots=True)
class _Rows:
    """Spans as they are made, a block of one sort for many traces at a time."""

    blocks: list[tuple[Ints, ...]] = field(default_factory=list)
    count: int = 0

    def add(self, kind: int, trace: Ints, parent_row: Ints, start: Ints, end: Ints) -> Ints:
        """Add one span a trace of `trace`; returns their rows."""
        self.blocks.append((trace, parent_row, start, end, np.full_like(trace, kind)))
        rows = np.arange(self.count, self.count + len(trace), dtype=np.int64)
        self.count += len(trace)
        return rows

    def columns(self) -> list[Ints]:
        return [np.concatenate(column) for column in zip(*self.blocks, strict=True)]


def generate(traces: int = TRACES, seed: int = 1) -> Spans:
    """The spans of `traces` queries, that many running at a time that their spans mix."""
    random = np.random.default_rng(seed)
    rows = _Rows()
    every = np.arange(traces, dtype=np.int64)
    begin = START_NS + random.integers(0, traces * 50_000 * _US, traces)
    root_end, agent_end = np.empty_like(begin), np.empty_like(begin)  # known when all turns are
    root = rows.add(QUERY, every, np.full_like(every, -1), begin, root_end)
    agent = rows.add(AGENT, every, root, begin + 300 * _US, agent_end)
    cursor = begin + 500 * _US + random.integers(0, 90, traces)
    turns = random.choice(len(_TURNS), traces, p=_TURNS) + 1
    for turn in range(len(_TURNS)):
        now = every[turns > turn]
        cursor[now] = _model_call(rows, random, now, agent[now], cursor[now])
        calls = now[turns[now] > turn + 1]
        cursor[calls] = _tools(rows, random, calls, agent[calls], cursor[calls])
    root_end[:], agent_end[:] = cursor + 900 * _US + 7, cursor + 400 * _US
    return _ended(random, *rows.columns())


def _model_call(rows: _Rows, random: np.random.Generator, trace: Ints, agent: Ints, start: Ints) -> Ints:
    at = start + 2_000 * _US + _jitter(random, trace, 800)
    phases = []
    for kind, mean_us in ((QUEUE, 300), (TEMPLATE, 1_500), (PREFILL, 60_000), (DECODE, 400_000)):
        end = at + random.integers(mean_us * _US // 2, mean_us * _US * 3 // 2, len(trace))
        phases.append((kind, at, end))
        at = end
    chat = rows.add(CHAT, trace, agent, start, at + 2_900 * _US)
    post = rows.add(POST, trace, chat, start + 800 * _US, at + 1_200 * _US)
    server = rows.add(SERVER, trace, post, start + 1_500 * _US, at + 600 * _US)
    for kind, low, high in phases:
        rows.add(kind, trace, server, low, high)
    rows.add(PARSE, trace, chat, at + 1_500 * _US, at + 2_700 * _US)
    return at + 2_950 * _US


def _tools(rows: _Rows, random: np.random.Generator, trace: Ints, agent: Ints, start: Ints) -> Ints:
    tools = random.choice(len(_TOOLS), len(trace), p=_TOOLS) + 1
    last = start.copy()
    for tool in range(len(_TOOLS)):
        now = np.flatnonzero(tools > tool)
        end = start[now] + random.integers(2_000 * _US, 80_000 * _US, len(now))
        rows.add(TOOL, trace[now], agent[now], start[now] + tool * 30 * _US, end)
        last[now] = np.maximum(last[now], end)
    return last + 200 * _US


def _jitter(random: np.random.Generator, like: Ints, most_us: int) -> Ints:
    return random.integers(0, most_us * _US, len(like))


def _ended(
    random: np.random.Generator, trace: Ints, parent: Ints, start: Ints, end: Ints, kind: Ints
) -> Spans:
    ids = random.integers(1, 2**63 - 1, len(trace))
    order = np.lexsort((-start, end))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    above = parent[order]
    return Spans(
        trace=trace[order],
        trace_ids=random.integers(0, 256, (int(trace.max()) + 1, 16), dtype=np.uint8),
        span=ids[order],
        parent=np.where(above < 0, 0, ids[above]),
        parent_row=np.where(above < 0, -1, place[above]),
        start_ns=start[order],
        end_ns=end[order],
        type=kind[order],
    )


def hex_ids(spans: Spans) -> tuple[list[str], list[str], list[str | None]]:
    """Trace id, span id and parent id (None for a root) of every span as lower-case hex."""
    each = spans.trace_ids.tobytes().hex()
    traces = [each[at : at + 32] for at in range(0, len(each), 32)]
    return (
        [traces[trace] for trace in spans.trace.tolist()],
        _hex(spans.span),
        [text if parent else None for parent, text in zip(spans.parent, _hex(spans.parent), strict=True)],
    )


def _hex(ids: Ints) -> list[str]:
    text = ids.astype(">i8").tobytes().hex()
    return [text[at : at + 16] for at in range(0, len(text), 16)]


def write_parquet(spans: Spans, path: Path) -> None:
    """A file that `report` reads, and beside its columns `phase_rank` and `provenance_rank` for the ledger's SQL."""
    import polars as pl

    trace_ids, span_ids, parent_ids = hex_ids(spans)
    words: dict[str, list[str] | list[int]] = {
        "name": [one.name for one in SPAN_TYPES],
        "kind": [int(one.kind) for one in SPAN_TYPES],
        "service_name": [one.service for one in SPAN_TYPES],
        "attributes": [json.dumps(_attributes(one)) for one in SPAN_TYPES],
    }
    pl.DataFrame(
        {
            "trace_id": trace_ids,
            "span_id": span_ids,
            "parent_id": parent_ids,
            "start_ns": spans.start_ns,
            "end_ns": spans.end_ns,
            **{name: pl.Series(values).gather(spans.type) for name, values in words.items()},
            "phase_rank": spans.phase_rank,
            "provenance_rank": spans.provenance_rank,
        }
    ).write_parquet(path)


def otlp_lines(spans: Spans) -> Iterator[str]:
    """One OTLP JSON document a span, without line ends, as a journal has them."""
    heads = [
        '{"resourceSpans":[{"resource":{"attributes":['
        + _pair(SERVICE_NAME, one.service)
        + ']},"scopeSpans":[{"scope":{"name":"punie.trace"},"spans":[{"traceId":"'
        for one in SPAN_TYPES
    ]
    tails = [
        f'","name":"{one.name}","kind":{int(one.kind)},"attributes":['
        + ",".join(_pair(key, value) for key, value in _attributes(one).items())
        + '],"status":{}}]}]}]}'
        for one in SPAN_TYPES
    ]
    times = zip(spans.start_ns.tolist(), spans.end_ns.tolist(), spans.type.tolist(), strict=True)
    for trace, span, parent, (start, end, kind) in zip(*hex_ids(spans), times, strict=True):
        above = "" if parent is None else f'","parentSpanId":"{parent}'
        yield (
            f'{heads[kind]}{trace}","spanId":"{span}{above}","startTimeUnixNano":"{start}",'
            f'"endTimeUnixNano":"{end}{tails[kind]}'
        )


def _attributes(one: SpanType) -> dict[str, str]:
    return {PHASE: one.phase.value, PHASE_PROVENANCE: one.provenance.value}


def _pair(key: str, value: str) -> str:
    return f'{{"key":"{key}","value":{{"stringValue":"{value}"}}}}'
