"""A comparison: what differs in how both sides were made, whether B is slower than A, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from typing import Final

from punie.trace.analysis.comparison.change import Change, Direction
from punie.trace.analysis.comparison.compare import Comparison, QueryChange
from punie.trace.analysis.comparison.facts import Likeness
from punie.trace.analysis.comparison.gate import GateOutcome, GateResult
from punie.trace.analysis.comparison.measures import MeasureKind
from punie.trace.analysis.comparison.sides import Side
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import PHASE_GROUP, Phase, Verdict
from punie.trace.report import figures
from punie.trace.report.builders.provenance import facts_of_both
from punie.trace.report.charts import Mark, Range, Ranges
from punie.trace.report.content import ComparisonContent
from punie.trace.report.document import Answer, Cell, Document, Figure, Section, Table, notes
from punie.trace.report.inert import one_line, some
from punie.trace.report.published.comparison import comparison_rows, publish_comparison
from punie.trace.report.wording.comparison import basis, ends, gate_reason, headline
from punie.trace.units import count_text, duration_text

GATE: Final = "thresholds"  # its answer's slug
_MOST_QUERIES: Final = 10
_VERSION: Final = "version of "
_MACHINE: Final = "machine: "
_AS_FAST: Final = {
    Direction.SLOWER: Verdict.NO,
    Direction.FASTER: Verdict.YES,
    Direction.NO_DIFFERENCE: Verdict.YES,
}
_GATES: Final = {
    GateOutcome.PASSED: Verdict.YES,
    GateOutcome.FAILED: Verdict.NO,
    GateOutcome.UNDECIDED: Verdict.UNDECIDED,
}
_MARKS: Final = {Direction.SLOWER: "more", Direction.FASTER: "less", Direction.UNDECIDED: "?"}


def build_comparison(report: ComparisonContent) -> Document:
    """The whole comparison: comparability and the answer before any table."""
    return Document(
        title="A against B",
        data=partial(publish_comparison, report),
        headline=headline(report.comparison)[0],
        lines=(
            *_side("A", report.a, report.comparison.a),
            *_side("B", report.b, report.comparison.b),
            *report.notes,
        ),
        sections=tuple(filter(None, _sections(report))),
        rows=lambda: comparison_rows(publish_comparison(report)),
        appendix=tuple(filter(None, (facts_of_both(report.comparison.facts),))),
    )


def _sections(report: ComparisonContent) -> Iterator[Section]:
    comparison = report.comparison
    yield Section("Comparability", notes=notes(*_comparability(comparison)))
    yield Section("Failed or cut off, excluded from averages", notes=notes(*_censored(comparison)))
    yield _answer(comparison)
    if report.gate is not None:
        yield Section("Gate", answers=(_gate(report.gate, comparison),))
    yield _changes(comparison)
    yield _queries(comparison)
    yield _work(comparison)


def _side(name: str, sources: Sequence[str], side: Side) -> tuple[str, str]:
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    counts = [
        f"{len(side.answers)} complete, right answers of {len(side.records)}",
        count_text(side.starts, "server start"),
        *(f"{len(of)} {word}" for of, word in _left_out_of(side) if of),
    ]
    return f"{name}  {one_line(sources[0])}{more}", f"   {', '.join(counts)}"


def _left_out_of(side: Side) -> tuple[tuple[Sequence[QueryRecord], str], ...]:
    """Answers without a time that could be compared, with what is wrong with them."""
    disturbed = [record for record in side.failed if not record.failed]
    failed = [record for record in side.failed if record.failed]
    return (failed, "failed"), (disturbed, "disturbed"), (side.truncated, "truncated")


def _comparability(comparison: Comparison) -> tuple[str, ...]:
    """What differs, what isn't known, and what is the same: shown before any number."""
    lines = [
        f"differs: {fact.name}: A {one_line(fact.a or '')} | B {one_line(fact.b or '')}"
        for fact in comparison.facts
        if fact.likeness is Likeness.DIFFERS
    ]
    for likeness in (Likeness.NOT_KNOWN, Likeness.SAME):
        names = _short([fact.name for fact in comparison.facts if fact.likeness is likeness])
        if names:
            lines.append(f"{likeness.value}: {', '.join(names)}")
    if comparison.same_answers:
        lines.append(
            f"{count_text(comparison.same_answers, 'answer is', 'answers are')} the same on both sides"
        )
    return tuple(lines)


def _short(names: Sequence[str]) -> list[str]:
    """Versions and facts of the machine as counts: there are many, and one by one they say nothing."""
    plain = [name for name in names if not name.startswith((_VERSION, _MACHINE))]
    versions = sum(name.startswith(_VERSION) for name in names)
    machine = sum(name.startswith(_MACHINE) for name in names)
    counted = [count_text(versions, "version")] if versions else []
    return plain + counted + ([count_text(machine, "fact") + " of the machine"] if machine else [])


def _answer(comparison: Comparison) -> Section:
    """Whether B is as fast as A, in a sentence, by phase, and what that rests on."""
    first, *more = headline(comparison)
    verdict = _AS_FAST.get(comparison.direction, Verdict.UNDECIDED)
    shown = Answer(
        "as_fast", "B as fast as A", verdict, _difference(comparison), first, marks=marks(comparison)
    )
    return Section("Answer", answers=(shown,), notes=notes(*more, *basis(comparison)))


def _difference(comparison: Comparison) -> Figure:
    change = comparison.end_to_end
    if change is None:
        return figures.duration(None, absent=figures.NOT_KNOWN)
    return difference(change)


def _gate(gate: GateResult, comparison: Comparison) -> Answer:
    reason = gate_reason(gate, comparison)
    return Answer(GATE, "within thresholds", _GATES[gate.gate], _difference(comparison), reason)


def _changes(comparison: Comparison) -> Section:
    """End to end, groups and phases, a query each."""
    groups = {c.measure.name for c in comparison.changes if c.measure.kind is MeasureKind.GROUP}
    rows = tuple(_change_row(change, groups) for change in comparison.changes)
    strong = (
        i for i, change in enumerate(comparison.changes) if change.measure.kind is not MeasureKind.PHASE
    )
    columns = ("", "A", "B", "B - A", "95 % interval", "B / A", "p", "")
    return Section(
        "A query, in the mean",
        table=Table(columns, rows, frozenset(strong)),
        charts=difference_charts(comparison),
    )


def _change_row(change: Change, groups: AbstractSet[str]) -> tuple[Cell, ...]:
    name = "end to end" if change.measure.kind is MeasureKind.END_TO_END else change.measure.name
    if change.measure.kind is MeasureKind.PHASE and PHASE_GROUP[Phase(name)].value in groups:
        name = f" {name}"  # below its group
    if not change.measure.known:
        unknown = figures.duration(None, absent=figures.NOT_KNOWN)
        return (name, figures.at_least(change.a_ns), figures.at_least(change.b_ns), unknown, "", "", "", "")
    return (
        name,
        figures.duration(change.a_ns),
        figures.duration(change.b_ns),
        figures.signed_duration(change.difference_ns),
        ends(change),
        figures.signed_share(change.ratio),
        figures.probability(change.family_p),
        _MARKS.get(change.direction, ""),
    )


def _queries(comparison: Comparison) -> Section:
    """The queries that moved most, without any claim."""
    moved = sorted(comparison.queries, key=lambda q: -abs(q.b_ns - q.a_ns))
    shown = moved[:_MOST_QUERIES]
    title = (
        "Queries" if len(shown) == len(moved) else f"The {len(shown)} of {len(moved)} queries that moved most"
    )
    rows = tuple(
        (
            one_line(q.query_id),
            figures.duration(q.a_ns),
            figures.duration(q.b_ns),
            figures.signed_duration(q.b_ns - q.a_ns),
            figures.signed_share(q.b_ns / q.a_ns if q.a_ns else None),
        )
        for q in shown
    )
    return Section(
        title, table=Table(("query", "A", "B", "B - A", "B / A"), rows), charts=paired_charts(shown)
    )


def _work(comparison: Comparison) -> Section:
    """What the model was asked to do, a query."""
    rows = tuple(
        (t.name, figures.count(t.a, decimals=1), figures.count(t.b, decimals=1)) for t in comparison.tokens
    )
    return Section("Work, a query in the mean", table=Table(("", "A", "B"), rows))


def _censored(comparison: Comparison) -> Iterator[str]:
    """Answers that are excluded from averages."""
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        for records, word in _left_out_of(side):
            queries = dict.fromkeys(record.query_id for record in records)
            if queries:
                yield f"{name}: {len(records)} {word} ({some(list(queries))}), excluded from averages"


def paired_charts(queries: Sequence[QueryChange]) -> tuple[Ranges, ...]:
    """Each query's time on both sides, on one axis; nothing without queries."""
    rows = tuple(
        Range(one_line(q.query_id), figures.duration(q.a_ns), figures.duration(q.b_ns)) for q in queries
    )
    return (Ranges("Each query's mean time, A and B", rows, names=("A", "B")),) if rows else ()


def difference_charts(comparison: Comparison) -> tuple[Ranges, ...]:
    """B - A of end to end and of each phase, which sum to it; nothing where nothing was compared."""
    shown = [change for change in comparison.changes if change.measure.known and _is_part(change)]
    rows = tuple(Range(_name(change), difference(change)) for change in shown)
    sums = all(change.measure.known for change in comparison.changes)
    title = f"B - A, a query{': the phases sum to end to end' if sums else ''}"
    return (Ranges(title, rows, marks(comparison)),) if rows else ()


def difference(change: Change) -> Figure:
    """B minus A with its interval."""
    low, high = change.interval_ns or (None, None)
    return replace(figures.signed_duration(change.difference_ns), low=low, high=high)


def _is_part(change: Change) -> bool:
    return change.measure.kind in (MeasureKind.END_TO_END, MeasureKind.PHASE)


def _name(change: Change) -> str:
    return "end to end" if change.measure.kind is MeasureKind.END_TO_END else change.measure.name


def marks(comparison: Comparison) -> tuple[Mark, ...]:
    """No difference, and the smallest one that was to be found."""
    none = Mark(0.0, "0")
    if comparison.sensitivity is None:
        return (none,)
    size_ns = comparison.sensitivity.size_ns
    return none, Mark(size_ns, f"+{duration_text(size_ns)}")
