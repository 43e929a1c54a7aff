"""A comparison as sentences and tables, for every format that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.analysis.comparison.change import Direction
from punie.trace.analysis.comparison.design import Unit
from punie.trace.analysis.comparison.facts import Likeness
from punie.trace.analysis.comparison.measures import Kind
from punie.trace.model import PHASE_GROUP, Phase
from punie.trace.report.rows import NOT_KNOWN, Table, one_line
from punie.trace.units import count_text, duration_text, percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from punie.trace.analysis.comparison.change import Change
    from punie.trace.analysis.comparison.compare import Comparison
    from punie.trace.analysis.comparison.design import Design
    from punie.trace.analysis.comparison.sides import Side
    from punie.trace.analysis.statistics.permutation import Permuted
    from punie.trace.report.comparison_formats import ComparisonReport

MOST_QUERIES: Final = 10
VERSION: Final = "version of "
MACHINE: Final = "machine: "
_VARIES: Final = {
    Unit.START_PAIR: ("pair of server starts made in turns", "pairs of server starts made in turns"),
    Unit.START: ("server start", "server starts"),
    Unit.REPEAT: ("repeat of a query", "repeats of each query"),
    Unit.QUERY_PAIR: ("query, paired", "queries, paired"),
    Unit.QUERY: ("query, unpaired", "queries, unpaired"),
}


def side_lines(report: ComparisonReport) -> tuple[str, ...]:
    """Which sources, and how many whole, right answers they gave."""
    comparison = report.comparison
    return (
        *_side("A", report.a, comparison.a),
        *_side("B", report.b, comparison.b),
    )


def _side(name: str, sources: Sequence[str], side: Side) -> tuple[str, str]:
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    parts = [
        f"{len(side.answers)} whole, right answers of {side.asked}",
        count_text(side.starts, "server start"),
    ]
    parts += [
        f"{len(of)} {word}" for of, word in ((side.failed, "failed"), (side.truncated, "truncated")) if of
    ]
    return f"{name}  {one_line(sources[0])}{more}", f"   {', '.join(parts)}"


def comparability(comparison: Comparison) -> tuple[str, ...]:
    """What differs, what isn't known, and what is the same: said before any number."""
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
    plain = [name for name in names if not name.startswith((VERSION, MACHINE))]
    versions = sum(name.startswith(VERSION) for name in names)
    machine = sum(name.startswith(MACHINE) for name in names)
    counted = [count_text(versions, "version")] if versions else []
    return plain + counted + ([count_text(machine, "fact") + " of the machine"] if machine else [])


def headline(comparison: Comparison) -> tuple[str, ...]:
    """The answer, in sentences."""
    change = comparison.end_to_end
    if change is None or comparison.undecided:
        lines = [f"undecided: {reason}." for reason in comparison.undecided]
        if change is not None:
            lines.append(f"Seen, without a claim: {_moved(change)}.")
        return tuple(lines)
    if comparison.identical:
        return ("no difference: the same answers on both sides.",)
    if not change.stands_out:
        first = f"no difference beyond noise: {_moved(change)}."
    else:
        first = f"{change.direction.value}: {_moved(change)}; p {p_text(change.p)}."
    return (first, _parts(comparison))


def _moved(change: Change) -> str:
    text = f"B takes {signed_duration(change.difference_ns)} ({signed_share(change.ratio)}) a query"
    if change.interval_ns is not None:
        low, high = map(signed_duration, change.interval_ns)
        text += f", 95 % interval {low} to {high}"
        if change.ratio_interval is not None:
            text += f" ({' to '.join(map(signed_share, change.ratio_interval))})"
    return text


def _parts(comparison: Comparison) -> str:
    moved = [c for c in comparison.changes if c.measure.kind is Kind.PHASE and c.stands_out]
    moved.sort(key=lambda change: -abs(change.difference_ns))
    if not moved:
        return "No phase changed by more than noise."
    return f"By phase: {'; '.join(map(_phase_moved, moved))}."


def _phase_moved(change: Change) -> str:
    verb = "grew" if change.difference_ns > 0 else "shrank"
    share = f" ({signed_share(change.ratio)})" if change.ratio is not None else ""
    return f"{change.measure.name} {verb} by {duration_text(abs(change.difference_ns))}{share}"


def basis(comparison: Comparison) -> tuple[str, ...]:
    """How the answer was found, what it doesn't cover, and what it could have seen."""
    lines = [f"{caveat}." for caveat in comparison.caveats]
    if comparison.identical and not comparison.undecided:
        return tuple(line[:1].upper() + line[1:] for line in lines)
    if comparison.design is not None and comparison.test is not None:
        lines.insert(0, _method(comparison.design, comparison.test))
        noise = "noise" if comparison.design.covers_starts else "other noise than that of server starts"
        lines.append(
            f"Groups and phases are judged together: all that is said of them is wrong, by {noise}, in at most 5 % "
            "of comparisons."
        )
    lines += _sensitivity(comparison)
    return tuple(line[:1].upper() + line[1:] for line in lines)


def _method(design: Design, test: Permuted) -> str:
    asked = count_text(len(design.queries), "query", "queries")
    paired = "paired by query" if design.paired_queries else "which can't be paired: other ids on each side"
    over = _VARIES[design.unit][1]
    how = f"all {test.arrangements}" if test.exact else "4999 of the"
    return (
        f"{asked}, {paired}; intervals over {over}; p from {how} ways to exchange {_VARIES[design.exchanged][1]} "
        f"between A and B."
    )


def _sensitivity(comparison: Comparison) -> list[str]:
    found = comparison.sensitivity
    change = comparison.end_to_end
    if found is None or change is None or not change.a_ns or not found.detectable_ns:
        return []
    seen = f"{duration_text(found.detectable_ns)} ({percent_text(found.detectable_ns / change.a_ns)})"
    size = f"{duration_text(found.size_ns)} ({percent_text(found.size_ns / change.a_ns)})"
    text = f"a change of {seen} a query would be found 4 times of 5."
    if found.detectable_ns <= found.size_ns:
        return [text]
    if found.per_side is None:
        return [f"{text} To find {size} is out of reach this way: more than 1000 a side."]
    unit = _VARIES[found.unit][found.per_side != 1]
    where = "" if found.unit is Unit.START_PAIR else " on each side"
    return [f"{text} To find {size}: {found.per_side} {unit}{where}, in place of {found.has}."]


def changes_table(comparison: Comparison) -> Table:
    """End to end, groups and phases, a query each."""
    rows: list[tuple[str, ...]] = []
    strong: set[int] = set()
    groups = {c.measure.name for c in comparison.changes if c.measure.kind is Kind.GROUP}
    for change in comparison.changes:
        if change.measure.kind is not Kind.PHASE:
            strong.add(len(rows))
        rows.append(_row(change, groups))
    numbers = ("A", "B", "B - A", "95 % interval", "B / A", "p")
    return Table(
        "A query, in the mean",
        ("", *numbers, ""),
        tuple(rows),
        frozenset(numbers),
        frozenset(strong),
    )


def _row(change: Change, groups: AbstractSet[str]) -> tuple[str, ...]:
    name = "end to end" if change.measure.kind is Kind.END_TO_END else change.measure.name
    if change.measure.kind is Kind.PHASE and PHASE_GROUP[Phase(name)].value in groups:
        name = f" {name}"  # below its group
    times = (duration_text(change.a_ns), duration_text(change.b_ns))
    if not change.measure.known:
        return (name, *(f"≥ {time}" for time in times), NOT_KNOWN, "", "", "", "")
    interval = "–"
    if change.interval_ns is not None:
        interval = " to ".join(map(signed_duration, change.interval_ns))
    return (
        name,
        *times,
        signed_duration(change.difference_ns),
        interval,
        signed_share(change.ratio),
        p_text(change.family_p),
        _word(change.direction),
    )


def _word(direction: Direction) -> str:
    return {Direction.SLOWER: "more", Direction.FASTER: "less", Direction.UNDECIDED: "?"}.get(direction, "")


def queries_table(comparison: Comparison) -> Table:
    """The queries that moved most, without any claim."""
    moved = sorted(comparison.queries, key=lambda q: -abs(q.b_ns - q.a_ns))
    shown = moved[:MOST_QUERIES]
    numbers = ("A", "B", "B - A", "B / A")
    title = (
        "Queries" if len(shown) == len(moved) else f"The {len(shown)} of {len(moved)} queries that moved most"
    )
    rows = tuple(
        (
            one_line(q.query_id),
            duration_text(q.a_ns),
            duration_text(q.b_ns),
            signed_duration(q.b_ns - q.a_ns),
            signed_share(q.b_ns / q.a_ns if q.a_ns else None),
        )
        for q in shown
    )
    return Table(title, ("query", *numbers), rows, frozenset(numbers))


def tokens_table(comparison: Comparison) -> Table:
    """What the model was asked to do, a query."""
    rows = tuple((t.name, _count(t.a), _count(t.b)) for t in comparison.tokens)
    return Table("Work, a query in the mean", ("", "A", "B"), rows, frozenset({"A", "B"}))


def censored(comparison: Comparison) -> tuple[str, ...]:
    """Answers that are in no average."""
    lines = []
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        for records, word in ((side.failed, "failed"), (side.truncated, "truncated")):
            queries = dict.fromkeys(record.query_id for record in records)
            if queries:
                ids = ", ".join(map(one_line, list(queries)[:MOST_QUERIES]))
                lines.append(f"{name}: {len(records)} {word} ({ids}), in no average")
    return tuple(lines)


def _count(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.1f}"


def signed_duration(ns: float) -> str:
    """With its sign: `+12.3 ms`."""
    return f"+{duration_text(ns)}" if ns > 0 else duration_text(ns)


def signed_share(ratio: float | None) -> str:
    """A ratio as what it adds: 1.07 is `+7.0 %`."""
    return "–" if ratio is None else f"{100 * (ratio - 1):+.1f} %"


def p_text(p: float | None) -> str:
    """A p-value with two significant digits, not below what 4999 arrangements can tell."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
