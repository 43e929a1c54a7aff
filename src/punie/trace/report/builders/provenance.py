"""Where a report's numbers are from: what ran, how it was set, on which machine, with which versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from punie.trace.report.document import Section, Table
from punie.trace.report.inert import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from punie.trace.analysis.comparison.facts import FactComparison
    from punie.trace.analysis.speculative.model import BenchPlan
    from punie.trace.report.content import Report

_TITLE = "Provenance"


def run_provenance(report: Report) -> Section:
    """Of a run, or of spans that somebody else recorded: what is known of them."""
    about = report.about
    facts = {
        "run": about.run_id,
        "made": about.created,
        "suite": f"{about.suite} {about.suite_hash[:12]}".strip(),
        "model": about.model.removeprefix("model "),
        "draft model": about.draft,
        "prompt cache": about.cache,
        "read": f"{about.spans:,} spans of {about.traces:,} traces",
        **{f"set: {name}": value for name, value in report.settings.items()},
    }
    return _section(
        (*_given(facts), *_prefixed("machine", about.machine), *_prefixed("version", about.versions))
    )


def bench_provenance(plan: BenchPlan) -> Section:
    """Of a benchmark: its plan."""
    facts = {
        "benchmark": plan.bench_id,
        "made": plan.created,
        "suite": f"{plan.suite_name} {plan.suite_hash[:12]}",
        "model": plan.model,
        "draft models": ", ".join(plan.drafts),
        "seed": str(plan.seed),
        **{f"set: {name}": str(value) for name, value in asdict(plan.settings).items() if value is not None},
    }
    return _section(
        (*_given(facts), *_prefixed("machine", plan.machine), *_prefixed("version", plan.versions))
    )


def facts_of_both(facts: Iterable[FactComparison]) -> Section:
    """Of a comparison: every fact on both sides."""
    rows = tuple(
        (one_line(f.name), one_line(f.a or "–"), one_line(f.b or "–"), f.likeness.value) for f in facts
    )
    return Section(_TITLE, table=Table(("", "A", "B", "likeness"), rows))


def _section(rows: Iterable[tuple[str, str]]) -> Section:
    return Section(_TITLE, table=Table(("", "value"), tuple(rows)))


def _given(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, one_line(value)) for name, value in facts.items() if value)


def _prefixed(kind: str, facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return _given({f"{kind}: {one_line(name)}": value for name, value in facts.items()})
