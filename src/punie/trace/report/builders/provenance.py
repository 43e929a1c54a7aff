"""Where a report's numbers are from: what ran, how it was set, on which machine, with which versions, without what."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final

from punie.trace.report.document import Section, Table
from punie.trace.report.inert import one_line
from punie.trace.units import bytes_text, count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from _typeshed import DataclassInstance

    from punie.trace.analysis.comparison.facts import FactComparison
    from punie.trace.analysis.experiment.arms import Arm
    from punie.trace.analysis.experiment.results import Experiment
    from punie.trace.analysis.improvement.settings import ImproveSettings
    from punie.trace.analysis.speculative.benchmark import BenchAnalysis
    from punie.trace.analysis.speculative.model import BenchPlan
    from punie.trace.analysis.summary.database_totals import DatabaseTotals
    from punie.trace.analysis.summary.summary import RunAnalysis
    from punie.trace.analysis.tuning.training import Training
    from punie.trace.analysis.verdicts.assessment import Integrity
    from punie.trace.report.content import RunContent

_TITLE: Final = "Provenance"
_COLUMNS: Final = ("", "value")
_NOTHING: Final = "nothing"
_FINE: Final = "nothing wrong"
_BYTES: Final = " bytes"


def run_provenance(report: RunContent) -> Section:
    """Of a run, or of spans that somebody else recorded: what is known of them."""
    about = report.about
    facts = {
        "run": about.run_id,
        "made": about.created,
        "suite": _suite(about.suite, about.suite_hash),
        "model name": about.model.removeprefix("model "),
        "draft model": about.draft,
        "prompt cache": about.cache,
        "read": f"{about.spans:,} spans of {about.traces:,} traces",
        "integrity": _integrity(report.analysis.integrity),
        "excluded from averages": _excluded(report.analysis),
        **{f"set: {name}": value for name, value in report.settings.items()},
    }
    return _section(facts, about.machine, about.versions)


def bench_provenance(plan: BenchPlan, analysis: BenchAnalysis | None = None) -> Section:
    """Of a benchmark of draft models: its plan, and what there is of its `analysis`; of a preflight the plan alone."""
    facts = {
        "benchmark": plan.bench_id,
        "made": plan.created,
        "suite": _suite(plan.suite_name, plan.suite_hash),
        "model name": plan.model,
        "draft models": ", ".join(plan.drafts),
        "seed": str(plan.seed),
        **({} if analysis is None else _missing(analysis.missing, analysis.planned, analysis.integrity)),
        **_set(_fields(plan.settings)),
    }
    return _section(facts, plan.machine, plan.versions)


def experiment_provenance(experiment: Experiment) -> Section:
    """Of an experiment: its plan, the baseline whole, and what of it there is."""
    plan = experiment.plan
    aside = count_text(len(experiment.set_aside), "disturbed server start")
    facts = {
        "experiment": plan.bench_id,
        "made": plan.created,
        "suite": _suite(plan.suite_name, plan.suite_hash),
        "seed": str(plan.seed),
        **_missing(experiment.missing, experiment.planned, experiment.integrity),
        "run again": aside if experiment.set_aside else _NOTHING,
        **_arm(plan.arm(plan.baseline)),
    }
    return _section(facts, plan.machine, plan.versions)


def improvement_provenance(
    settings: ImproveSettings, experiments: Iterable[Experiment], baseline: RunContent
) -> Section:
    """Of an improvement: what was asked for, the baseline whole, and what was left out in its stages."""
    stages = tuple(experiments)
    facts = {
        "improvement": settings.improve_id,
        "made": settings.created,
        "suite": _suite(settings.suite_name, settings.suite_hash),
        "seed": str(settings.seed),
        "read": f"{baseline.about.spans:,} spans of the baseline's {baseline.about.traces:,} traces",
        **_missing(
            sum(one.missing for one in stages),
            sum(one.planned for one in stages),
            [*baseline.analysis.integrity, *(item for one in stages for item in one.integrity)],
        ),
        "excluded from averages": _excluded(baseline.analysis),
        "levers named": ", ".join((*settings.levers, *settings.only)),
        "levers not wanted": ", ".join(settings.without),
        "tools answered from": settings.replay or "",
        **_arm(settings.baseline),
    }
    return _section(facts, settings.machine, settings.versions)


def training_provenance(training: Training) -> Section:
    """Of a training: what it was made of, and how it was set."""
    facts = {
        "training": training.source,
        "made": training.created,
        "suite": training.suite,
        "model name": training.model,
        "adapter to begin with": training.adapter or "",
        "seeds": ", ".join(map(str, training.seeds)),
        "questions without an example": str(len(training.split.train) - len(training.examples)),
        **_set(training.settings),
    }
    return _section(facts, training.machine, training.versions)


def decision_provenance(run: RunContent, bench: BenchAnalysis | None) -> tuple[Section, ...]:
    """Of a decision: of the run and, where there is one, of the benchmark."""
    of_run = replace(run_provenance(run), title=f"{_TITLE} of the run")
    if bench is None:
        return (of_run,)
    return of_run, replace(bench_provenance(bench.plan, bench), title=f"{_TITLE} of the benchmark")


def totals_provenance(totals: DatabaseTotals) -> Section:
    """Of what a database added up: it has nothing about machine and versions."""
    total = totals.total
    counts = (
        (total.warmup, "warm-up"),
        (total.failed, "failed"),
        (total.needs_tree, "that only the tree can judge"),
    )
    facts = {
        "read": totals.source,
        "added up": f"on {totals.where.value}",
        "excluded from averages": _counts(counts),
        "cut by limit=": "perhaps" if totals.may_be_cut else "no",
    }
    return _section(facts)


def facts_of_both(facts: Iterable[FactComparison]) -> Section:
    """Of a comparison: every fact on both sides."""
    rows = tuple(
        (one_line(f.name.removesuffix(_BYTES)), _side(f, f.a), _side(f, f.b), f.likeness.value) for f in facts
    )
    return Section(_TITLE, table=Table(("", "A", "B", "same?"), rows))


def _side(fact: FactComparison, value: str | None) -> str:
    if fact.name.endswith(_BYTES) and value and value.isdecimal():
        return bytes_text(int(value))
    return one_line(value or "–")


def _section(
    facts: Mapping[str, str],
    machine: Mapping[str, str] | None = None,
    versions: Mapping[str, str] | None = None,
) -> Section:
    rows = (
        *_known_facts(facts),
        *_prefixed("machine", _readable(machine or {})),
        *_prefixed("version", versions or {}),
    )
    return Section(_TITLE, table=Table(_COLUMNS, rows))


def _suite(name: str, sha256: str) -> str:
    return f"{name} {sha256[:12]}".strip()


def _integrity(integrity: Sequence[Integrity]) -> str:
    """What was wrong in what was read, by the slugs that `docs/findings.md` explains."""
    counts: dict[str, int] = {}
    for item in integrity:
        counts[item.slug] = counts.get(item.slug, 0) + item.count
    wrong = [f"{slug} ({count})" for slug, count in counts.items() if count]
    return ", ".join(wrong) or _FINE


def _excluded(analysis: RunAnalysis) -> str:
    counts = (
        (len(analysis.warmup), "warm-up"),
        (len(analysis.failed), "failed"),
        (len(analysis.disturbed), "disturbed"),
        (analysis.cached_repeats, "from a warm prompt cache"),
        (len(analysis.missing), "without a trace"),
    )
    return _counts(counts)


def _counts(counts: Iterable[tuple[int, str]]) -> str:
    return ", ".join(f"{count} {what}" for count, what in counts if count) or _NOTHING


def _missing(missing: int, planned: int, integrity: Sequence[Integrity]) -> dict[str, str]:
    """What of a plan there is no trace of, and what is wrong in what there is."""
    absent = f"{missing} of {count_text(planned, 'planned execution')}" if missing else _NOTHING
    return {"missing": absent, "integrity": _integrity(integrity)}


def _arm(arm: Arm) -> dict[str, str]:
    """The baseline's whole configuration: what isn't said is left to server and agent."""
    return _set(_fields(arm.server) | _fields(arm.request) | _fields(arm.agent))


def _fields(settings: DataclassInstance) -> dict[str, object]:
    return {item.name: getattr(settings, item.name) for item in fields(settings)}


def _set(values: Mapping[str, object]) -> dict[str, str]:
    given = {name: value for name, value in values.items() if value not in (None, "") and value != {}}
    return {f"set: {name.replace('_', '-')}": str(value) for name, value in given.items()}


def _known_facts(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, one_line(value)) for name, value in facts.items() if value)


def _readable(machine: Mapping[str, str]) -> dict[str, str]:
    """The facts of a machine in words: `memory_bytes` is `memory`, with a unit."""
    words = {name.replace("_", " "): value for name, value in machine.items() if name != "memory_bytes"}
    memory = machine.get("memory_bytes", "")
    return words | ({"memory": bytes_text(int(memory))} if memory.isdecimal() else {})


def _prefixed(kind: str, facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return _known_facts({f"{kind}: {one_line(name)}": value for name, value in facts.items()})
