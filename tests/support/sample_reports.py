"""Reports of every kind to be written in every format: of nothing, of one query, of many, of what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from benches import ARMS, CACHED_DRAFT, build_plan, build_preflight, observe_all
from hostile_texts import HOSTILE as HOSTILE
from msgspec import structs
from records import MS, build_record
from sample_improvements import EXPERIMENTS, improvements
from sample_trainings import TRAININGS

from punie.trace.analysis.calls.usage import TokenCounts
from punie.trace.analysis.comparison.compare import compare
from punie.trace.analysis.comparison.facts import compare_facts
from punie.trace.analysis.comparison.gate import Thresholds, judge
from punie.trace.analysis.comparison.sides import side_of
from punie.trace.analysis.decision.decision import decide
from punie.trace.analysis.experiment.losslessness import find_divergences
from punie.trace.analysis.experiment.observation import TurnOutput
from punie.trace.analysis.experiment.summary import Limits
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.queries.requests import MessageList, ModelRequest
from punie.trace.analysis.records import PathPart, PlannedQuery, QueryPath, QueryRecord
from punie.trace.analysis.speculative.benchmark import BenchmarkMeasurements, analyse_benchmark
from punie.trace.analysis.speculative.prediction import predict_memory
from punie.trace.analysis.summary.database_totals import DatabaseTotals, Where
from punie.trace.analysis.summary.parts import GroupBy, day_of, part_of, parts_of
from punie.trace.analysis.summary.summary import analyse
from punie.trace.analysis.verdicts.assessment import QueryEvidence
from punie.trace.analysis.verdicts.memory import MemoryUse
from punie.trace.model import Phase, Provenance
from punie.trace.report.builders.comparison import build_comparison
from punie.trace.report.builders.decision import build_decision
from punie.trace.report.builders.parts import build_parts, build_totals
from punie.trace.report.builders.preflight import build_preflight as build_preflight_document
from punie.trace.report.builders.run import build_run
from punie.trace.report.builders.speculative import build_speculative
from punie.trace.report.content import (
    BenchContent,
    ComparisonContent,
    DecisionContent,
    RunContent,
    SourceInfo,
)
from punie.trace.report.document import Document
from punie.trace.report.wording.speculative import bench_advice


def about(**fields: Any) -> SourceInfo:  # noqa: ANN401 # fields of About
    return SourceInfo(
        source="runs/2026-11-23T14-05-09-demo",
        spans=112,
        traces=7,
        run_id="2026-11-23T14-05-09-demo",
        suite="discrimination",
        model="model demo",
        notes=("A note beside every number.",),
        **fields,
    )


def _query(query_id: str, repeat: int = 0, **fields: Any) -> QueryRecord:  # noqa: ANN401 # fields of QueryRecord
    phases = {
        Phase.DECODE: 400 + 7 * repeat + len(query_id),
        Phase.PREFILL: 150,
        Phase.QUEUE: 2,
        Phase.HTTP: 3,
        Phase.TOOL: 60,
        Phase.FRAMEWORK: 20 + repeat,
    }
    tokens = {"input_tokens": 320, "cached_tokens": 190, "output_tokens": 40, "tool_calls": 1}
    return build_record(query_id, phases, repeat=repeat, **({"start_ns": repeat * 10**9} | tokens | fields))


def empty() -> RunContent:
    return RunContent(about(), analyse([]))


def one() -> RunContent:
    return RunContent(
        about(), analyse([_query("view-functions")], memory=MemoryUse(141_200_000, limit_bytes=10**9))
    )


def many() -> RunContent:
    ids = ("view-functions", "user-serializer", "async-await", "dependency-injection", "orm-or-sql")
    warm = [_query("warm-up-0", warmup=True), _query("warm-up-1", warmup=True)]
    return RunContent(about(), analyse([*warm, *(_query(i, repeat) for repeat in range(5) for i in ids)]))


def broken() -> RunContent:
    records = [
        _query(
            "view-functions",
            ok=False,
            failures=("ungrounded",),
            failure_details=(f"no tool returned {HOSTILE}",),
        ),
        _query("user-serializer", ok=False, error=f"TimeoutError: {HOSTILE}"),
        _query("async-await", network_known=False, ok=None),
    ]
    findings = [
        IntegrityFinding("duplicate-span", Effect.SHOWN, 2, "identical copies, dropped", ("a/b",)),
        IntegrityFinding("cycle", Effect.NO_VERDICT, 1, "spans that are their own ancestors", ("c/d",)),
        IntegrityFinding("missing-query", Effect.NO_VERDICT, 2, "not asked", ()),
        IntegrityFinding("missing-parent", Effect.DOWNGRADED, 7, "5 parents", ("e/f", "e/g", "e/h"), 2),
        IntegrityFinding(
            "unreadable-record",
            Effect.DOWNGRADED,
            7,
            "records that could not be read",
            tuple(f"{'a-long-folder/' * 8}spans.jsonl:{line}: not JSON: {HOSTILE}" for line in range(2, 9)),
        ),
    ]
    planned = [PlannedQuery("orm-or-sql", 0, 0, 3), PlannedQuery("dependency-injection", 0, 0, 4)]
    return RunContent(about(planned=5), analyse(records, findings, missing=planned))


def _request(turn: int, messages: str, tokens: TokenCounts, query: int = 0) -> ModelRequest:
    start_ns = 10**9 * (2 * query + turn)
    return ModelRequest(
        query_key=f"q{query}",
        query_id=("view-functions", "user-serializer")[query],
        trace_id=f"{query:032x}",
        span_id=f"{turn:016x}",
        warmup=False,
        repeat=0,
        server_start=0,
        turn=turn,
        server="s",
        agent="assistant",
        start_ns=start_ns,
        end_ns=start_ns + 10**8,
        tokens=tokens,
        prefill_ns=40_000_000,
        prefill_known=Provenance.SERVER,
        client_messages=MessageList(tuple(messages), tuple(100 * ord(m) for m in messages)),
    )


def cache() -> RunContent:
    """One query whose second turn was read again whole, one whose first message is another."""
    requests = (
        _request(0, "PU", TokenCounts(120, 0, 20)),
        _request(1, "PUAT", TokenCounts(320, 0, 20)),
        _request(0, "QV", TokenCounts(125, 10, 20), query=1),
        _request(1, "QVAT", TokenCounts(330, 140, 20), query=1),
    )
    records = [_query("view-functions", cache="server"), _query("user-serializer", cache="server")]
    return RunContent(about(), analyse(records, requests=requests))


def predicted() -> RunContent:
    """Five queries of one turn each, whose costs tell what shorter output would save, and one that was cut."""
    requests, records = [], []
    for number, (uncached, output) in enumerate(((60, 20), (90, 35), (75, 60), (40, 25), (66, 44), (80, 9))):
        name = f"query-{number}"
        start_ns = number * 10**9
        end_ns = start_ns + (12 + uncached + 3 * output + number) * MS
        record = _query(name, truncated=int(number == 5), start_ns=start_ns)
        asked = _request(0, "", TokenCounts(200, 200 - uncached, output))
        request = structs.replace(
            asked,
            query_key=record.ledger.query_key,
            query_id=name,
            trace_id=name,
            start_ns=start_ns,
            end_ns=end_ns,
        )
        requests.append(request)
        records.append(record)
    return RunContent(about(), analyse(records, requests=requests, target_ns=500 * MS))


def parallel() -> RunContent:
    """Two queries with three tools at once, of which one is waited for."""
    return RunContent(about(), analyse([_parallel(number) for number in range(2)]))


def slow() -> RunContent:
    """Many of them, of which the last two have to wait for long."""
    return RunContent(about(), analyse([_parallel(number) for number in range(24)]))


def _parallel(number: int) -> QueryRecord:
    found_ms = 60 if number < 22 else 400
    phases = {Phase.DECODE: 300 + number, Phase.TOOL: found_ms, Phase.FRAMEWORK: 12}
    parts = (
        PathPart(Phase.DECODE, "decode", phases[Phase.DECODE] * MS, phases[Phase.DECODE] * MS, 2, 2),
        PathPart(Phase.TOOL, "execute_tool run_command", found_ms * MS, 2 * found_ms * MS, 1, 3),
        PathPart(Phase.FRAMEWORK, f"query {HOSTILE}", 12 * MS, 12 * MS, 1, 1),
    )
    path = QueryPath(sum(phases.values()) * MS, parts)
    path.check()
    return build_record(f"search-{number:02}", phases, start_ns=number * 10**9, critical_path=path)


def _evidence(slower: float, *, known: bool = True, repeats: int = 3, prefix: str = "") -> QueryEvidence:
    return QueryEvidence(
        tuple(
            build_record(
                f"{prefix}query-{query}-{HOSTILE}",
                {
                    Phase.DECODE: round(1_234 * slower) + 7 * repeat + query,
                    Phase.PREFILL: 90 + repeat,
                    Phase.HTTP: 3,
                },
                repeat=repeat,
                network_known=known,
                truncated=int(repeat == 3),
            )
            for query in range(12)
            for repeat in range(repeats)
        )
    )


COMPARISONS: Final[dict[str, Callable[[], tuple[QueryEvidence, QueryEvidence]]]] = {
    "same": lambda: (_evidence(1.0), _evidence(1.0)),
    "slower": lambda: (_evidence(1.0), _evidence(9.0, repeats=4)),
    "itself once": lambda: (_evidence(1.0, repeats=1), _evidence(1.0, repeats=1)),
    "once": lambda: (_evidence(1.0, repeats=1), _evidence(0.5, repeats=1)),
    "network not known": lambda: (_evidence(1.0), _evidence(1.0, known=False)),
    "unpaired": lambda: (_evidence(1.0), _evidence(2.0, prefix="other-")),
    "nothing": lambda: (_evidence(1.0), QueryEvidence(())),
}


def compared(name: str) -> ComparisonContent:
    a, b = COMPARISONS[name]()
    facts = compare_facts([{"model": "m", "host": "h"}], [{"model": HOSTILE}], ["model", "host"])
    comparison = compare(side_of([a]), side_of([b]), facts)
    return ComparisonContent(
        ("runs/a",), ("runs/b", HOSTILE), comparison, judge(comparison, Thresholds(0.05, 0))
    )


GB = 10**9
DECODE = {"batched": 900, "batched-aa": 900, "sequential": 920, "draft0-k2": 560, "draft0-k3": 480}


def _bench(measured: BenchmarkMeasurements, limits: Limits | None = None) -> BenchContent:
    found = analyse_benchmark(measured, limits or Limits())
    return BenchContent(
        "runs/bench", found, bench_advice(found), ("A note beside every number.",), measured.observations
    )


def unbegun() -> BenchContent:
    return _bench(BenchmarkMeasurements(build_plan(), ()))


def decided() -> BenchContent:
    plan = build_plan()
    memory = predict_memory(target_bytes=19 * GB, draft_bytes=GB, limit_bytes=32 * GB)
    asked = tuple(
        replace(seen, peak_bytes=20 * GB, footprint_bytes=21 * GB, recommended_bytes=25_600_000_000)
        for seen in observe_all(plan, DECODE)
    )
    return _bench(BenchmarkMeasurements(plan, asked, build_preflight(memory=memory)), Limits(10**10, 32 * GB))


def corrupt() -> BenchContent:
    plan = build_plan((*ARMS, CACHED_DRAFT))
    asked = tuple(
        replace(seen, outputs=(TurnOutput("x", (1, 9)),)) if seen.arm == CACHED_DRAFT.name else seen
        for seen in observe_all(plan, DECODE | {"draft0-k3-cache": 480})
    )
    gaps = tuple(replace(item, logit_gap=4.2) for item in find_divergences(asked, plan.compared))
    return _bench(BenchmarkMeasurements(plan, asked[:-1], build_preflight(), gaps=gaps))


def decision(analysis_of: RunContent, *, target_ns: int = 10**8) -> DecisionContent:
    decided = decide(analyse(analysis_of.analysis.records, target_ns=target_ns))
    return DecisionContent("runs/a", (), decided, ("A note.",), analysis_of)


def _by_day(report: RunContent) -> Document:
    records = (*report.analysis.warmup, *report.analysis.records)
    parts = parts_of(records, lambda record: day_of(record.ledger.start_ns))
    return build_parts(report, part_of("", records), GroupBy.DAY, parts)


def _by_model(report: RunContent) -> Document:
    records = report.analysis.records
    parts = parts_of(records, lambda record: f"somebody/{record.query_id}-{HOSTILE}")
    return build_parts(report, part_of("", records), GroupBy.MODEL, parts)


def _added_up(report: RunContent) -> Document:
    total = replace(part_of("", report.analysis.records), needs_tree=4)
    named = ("a" * 32, f"b{HOSTILE}")
    return build_totals(
        DatabaseTotals("clickhouse://host/otel", Where.EACH_SHARD, total, named, may_be_cut=True)
    )


DOCUMENTS: Final[Mapping[str, Callable[[], Document]]] = {
    "run empty": lambda: build_run(empty()),
    "run one": lambda: build_run(one()),
    "run many": lambda: build_run(many()),
    "run failed": lambda: build_run(broken()),
    "run cached": lambda: build_run(cache()),
    "run parallel": lambda: build_run(parallel()),
    "run predicted": lambda: build_run(predicted()),
    "comparison empty": lambda: build_comparison(compared("nothing")),
    "comparison one": lambda: build_comparison(compared("once")),
    "comparison many": lambda: build_comparison(compared("slower")),
    "comparison unknown": lambda: build_comparison(compared("network not known")),
    "by day empty": lambda: _by_day(empty()),
    "by day one": lambda: _by_day(one()),
    "by model many": lambda: _by_model(many()),
    "by day failed": lambda: _by_day(broken()),
    "in database empty": lambda: _added_up(empty()),
    "in database many": lambda: _added_up(many()),
    "benchmark empty": lambda: build_speculative(unbegun()),
    "benchmark decided": lambda: build_speculative(decided()),
    "benchmark failed": lambda: build_speculative(corrupt()),
    "preflight": lambda: build_preflight_document("benches/a", build_plan(), build_preflight(), ("A note.",)),
    "decision empty": lambda: build_decision(decision(empty())),
    "decision one": lambda: build_decision(decision(one())),
    "decision many": lambda: build_decision(decision(many())),
    "decision failed": lambda: build_decision(decision(broken())),
    **EXPERIMENTS,
    **improvements(many),
    **TRAININGS,
}
