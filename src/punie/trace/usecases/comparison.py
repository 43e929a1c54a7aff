"""From two sides of sources to a comparison: read each once, refuse what would count twice, compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

from punie.trace.analysis.comparison.compare import DEFAULT_SIZE, Comparison, compare
from punie.trace.analysis.comparison.facts import ADAPTER, DRAFT, FROM_SPANS, Facts, compare_facts, span_facts
from punie.trace.analysis.comparison.gate import Thresholds, judge
from punie.trace.analysis.comparison.sides import side_of
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.verdicts.assessment import QueryEvidence
from punie.trace.errors import UsageError
from punie.trace.report.content import ComparisonContent
from punie.trace.store.runs.run_plan import RunPlan
from punie.trace.units import count_text
from punie.trace.urls import without_password
from punie.trace.usecases.about import DEMO_NOTE
from punie.trace.usecases.load import LoadedSource, load_source
from punie.trace.usecases.processes import in_processes

# Settings of a run that change what is measured, by the name that a reader knows.
_SETTINGS: Final = {
    "agent": "agent",
    "stream": "streaming",
    "plain_server": "plain server",
    "max_tokens": "max tokens",
    "temperature": "temperature",
    "num_draft_tokens": "draft tokens a step",
    "in_turns": "asked in turns",
}


@dataclass(frozen=True, slots=True)
class _Source:
    shown: str
    evidence: QueryEvidence
    facts: Facts
    demo: bool


def compare_sources(
    a: Sequence[str],
    b: Sequence[str],
    thresholds: Thresholds | None = None,
    prepare: Callable[[LoadedSource], LoadedSource] = lambda loaded: loaded,
) -> ComparisonContent:
    """Read both sides and compare them; with `thresholds` a gate is judged too. Raises UsageError, InputError.

    `prepare` may take something off a source before anything is made of it.
    """
    read = {text: _read(text, prepare(load_source(text))) for text in dict.fromkeys((*a, *b))}
    side_a, side_b = [read[text] for text in a], [read[text] for text in b]
    _refuse_shared(side_a, side_b)
    comparison = _compare(side_a, side_b, thresholds)
    return ComparisonContent(
        a=tuple(source.shown for source in side_a),
        b=tuple(source.shown for source in side_b),
        comparison=comparison,
        gate=judge(comparison, thresholds) if thresholds else None,
        notes=(DEMO_NOTE,) if any(source.demo for source in read.values()) else (),
    )


def _refuse_shared(a: Sequence[_Source], b: Sequence[_Source]) -> None:
    """Raises UsageError for answers that would count twice; a side compared with itself is none."""
    for name, side in (("A", a), ("B", b)):
        for one, other in combinations(side, 2):
            _refuse_shared_by(one, other, f"in {name}", "would count as more evidence")
    if _keys(a) != _keys(b):
        for one, other in product(a, b):
            _refuse_shared_by(one, other, "in A and B", "would hide what differs")


def _refuse_shared_by(one: _Source, other: _Source, where: str, why: str) -> None:
    shared = len(_keys([one]) & _keys([other]))
    if shared:
        answers = count_text(shared, "answer")
        raise UsageError(
            f"{one.shown} and {other.shown}, {where}, share {answers}: the same ones {why}",
            remedy="leave one of them out",
        )


def _keys(sources: Sequence[_Source]) -> frozenset[str]:
    return frozenset(r.ledger.query_key for source in sources for r in source.evidence.records)


def _compare(a: Sequence[_Source], b: Sequence[_Source], thresholds: Thresholds | None) -> Comparison:
    facts = compare_facts([source.facts for source in a], [source.facts for source in b], FROM_SPANS)
    side_a, side_b = (side_of([source.evidence for source in side]) for side in (a, b))
    if thresholds is None or not (thresholds.above or thresholds.above_ns):
        thresholds = Thresholds(DEFAULT_SIZE, 0)
    return compare(side_a, side_b, facts, size=thresholds.above, size_ns=thresholds.above_ns)


def _read(text: str, loaded: LoadedSource) -> _Source:
    plan = loaded.plan
    read = read_queries(
        loaded.spans, plan.planned if plan else (), now_ns=loaded.now_ns, read_all=in_processes
    )
    measured = tuple(record for record in read.records if not record.warmup)
    return _Source(
        shown=without_password(text),
        evidence=QueryEvidence(measured, tuple(read.findings), read.missing),
        facts={**_plan_facts(loaded), **span_facts(loaded.spans.spans, read.records)},
        demo=plan is not None and plan.settings.demo_model,
    )


def _plan_facts(loaded: LoadedSource) -> Facts:
    """What only `run.json` says; a source without one leaves it out, so it is "not known"."""
    plan = loaded.plan
    if plan is None:
        return {}
    return {
        "model as named": plan.model,
        DRAFT: plan.draft or "none",
        ADAPTER: _after(plan, "--adapter-path") or "none",
        **{name: _setting(getattr(plan.settings, key)) for key, name in _SETTINGS.items()},
        **{f"version of {package}": version for package, version in plan.versions.items()},
        **{f"machine: {name.replace('_', ' ')}": value for name, value in plan.machine.items()},
    }


def _setting(value: object) -> str:
    return "default" if value is None else str(value)


def _after(plan: RunPlan, flag: str) -> str:
    command = plan.server_command
    return command[command.index(flag) + 1] if flag in command[:-1] else ""
