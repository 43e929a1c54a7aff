"""A comparison in sentences: the answer, what it rests on, why nothing is said, and what the gate says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from punie.trace.analysis.comparison.change import Change
from punie.trace.analysis.comparison.compare import Caveat, Comparison, Obstacle, UndecidedReason
from punie.trace.analysis.comparison.design import (
    PAIRS_NEEDED,
    REPEATS_NEEDED,
    STARTS_NEEDED,
    Design,
    ExcludedQuery,
    ExclusionReason,
    ObservationUnit,
)
from punie.trace.analysis.comparison.gate import GateReason, GateResult
from punie.trace.analysis.comparison.measures import MeasureKind
from punie.trace.analysis.comparison.sides import Side
from punie.trace.analysis.statistics.permutation import SAMPLED, PermutationResult
from punie.trace.report import figures
from punie.trace.report.document import Figure
from punie.trace.report.inert import some
from punie.trace.report.wording.verdicts import gaps_text
from punie.trace.units import count_text, duration_text, percent_text, share_text

_VARIES: Final = {
    ObservationUnit.START_PAIR: (
        "pair of server starts made in turns",
        "pairs of server starts made in turns",
    ),
    ObservationUnit.START: ("server start", "server starts"),
    ObservationUnit.REPEAT: ("repeat of a query", "repeats of each query"),
    ObservationUnit.QUERY_PAIR: ("query, paired", "queries, paired"),
    ObservationUnit.QUERY: ("query, unpaired", "queries, unpaired"),
}
_LEFT_OUT: Final = {
    ExclusionReason.NOT_ASKED: "not asked in {side}",
    ExclusionReason.NO_ANSWER: "no complete, right answer in {side}",
    ExclusionReason.NO_ANSWER_IN_A_START: "no complete, right answer in a server start of {side}",
}
_GATES: Final = {
    GateReason.SLOWER: "{size} slower, beyond noise and both thresholds",
    GateReason.SLOWER_IN_THESE_STARTS: "{size} slower, beyond both thresholds, but from one server start on a side, "
    "which may be all of it: make several on each side, in turns",
    GateReason.STARTS_DIFFER_AS_MUCH: "{size} slower, beyond both thresholds, but not beyond what differs between "
    "server starts: ask the same queries in all of them, on both sides",
    GateReason.MAY_BE_NOISE: "{size} slower, which may be noise",
    GateReason.WITHIN_THRESHOLDS: "{size} slower, not beyond both thresholds",
    GateReason.SAME_ANSWERS: "the same answers on both sides",
    GateReason.NOT_SLOWER: "{direction}",
}


def headline(comparison: Comparison) -> tuple[str, ...]:
    """The answer, in sentences."""
    change = comparison.end_to_end
    if change is None or comparison.undecided:
        lines = [f"undecided: {reason}." for reason in undecided_reasons(comparison)]
        if change is not None:
            lines.append(f"Measured, without a verdict: {_change_text(change)}.")
        return tuple(lines)
    if comparison.identical:
        return ("no difference: the same answers on both sides.",)
    if not change.is_significant:
        first = f"no difference beyond noise: {_change_text(change)}."
    else:
        first = f"{change.direction.value}: {_change_text(change)}; p {figures.probability(change.p)}."
    return (first, _parts(comparison))


def _change_text(change: Change) -> str:
    size, more = duration_text(abs(change.difference_ns)), "less" if change.difference_ns < 0 else "more"
    text = f"B takes {size} {more} a query ({figures.signed_share(change.ratio)})"
    if change.interval_ns is not None:
        text += f", 95 % interval {ends(change)}"
        if change.ratio_interval is not None:
            text += f" ({figures.interval(*map(figures.signed_share, change.ratio_interval))})"
    return text


def _parts(comparison: Comparison) -> str:
    moved = [c for c in comparison.changes if c.measure.kind is MeasureKind.PHASE and c.is_significant]
    moved.sort(key=lambda change: -abs(change.difference_ns))
    if not moved:
        return "No phase changed by more than noise."
    return f"By phase: {'; '.join(map(_phase_moved, moved))}."


def _phase_moved(change: Change) -> str:
    verb = "grew" if change.difference_ns > 0 else "shrank"
    share = f" ({figures.signed_share(change.ratio)})" if change.ratio is not None else ""
    return f"{change.measure.name} {verb} by {duration_text(abs(change.difference_ns))}{share}"


def basis(comparison: Comparison) -> tuple[str, ...]:
    """How the answer was found, what it doesn't cover, and what it could have seen."""
    lines = [f"{caveat}." for caveat in caveats(comparison)]
    if comparison.identical and not comparison.undecided:
        return tuple(line[:1].upper() + line[1:] for line in lines)
    if comparison.design is not None and comparison.test is not None:
        lines.insert(0, _method(comparison.design, comparison.test))
        noise = "noise" if comparison.design.covers_starts else "other noise than that of server starts"
        lines.append(
            f"Groups and phases are judged together: any claim about them is wrong because of {noise} in at most 5 % "
            "of comparisons."
        )
    lines += _sensitivity(comparison)
    return tuple(line[:1].upper() + line[1:] for line in lines)


def _method(design: Design, test: PermutationResult) -> str:
    queries = count_text(len(design.queries), "query", "queries")
    paired = "paired by query" if design.paired_queries else "which can't be paired: other ids on each side"
    over = _VARIES[design.unit][1]
    how = f"all {test.arrangements}" if test.exact else f"{SAMPLED} of the"
    sums = ", of which only the sums are drawn," if test.normal else ""
    return (
        f"{queries}, {paired}; intervals over {over}; p from {how} ways to exchange {_VARIES[design.exchanged][1]}"
        f"{sums} between A and B."
    )


def _sensitivity(comparison: Comparison) -> list[str]:
    sensitivity = comparison.sensitivity
    change = comparison.end_to_end
    if sensitivity is None or change is None or not change.a_ns or not sensitivity.detectable_ns:
        return []
    seen = f"{duration_text(sensitivity.detectable_ns)} ({percent_text(sensitivity.detectable_ns / change.a_ns)})"
    size = f"{duration_text(sensitivity.size_ns)} ({percent_text(sensitivity.size_ns / change.a_ns)})"
    text = f"a change of {seen} a query would be found 4 times of 5."
    if sensitivity.detectable_ns <= sensitivity.size_ns:
        return [text]
    if sensitivity.per_side is None:
        return [f"{text} To find {size} is out of reach this way: more than 1000 a side."]
    unit = _VARIES[sensitivity.unit][sensitivity.per_side != 1]
    where = "" if sensitivity.unit is ObservationUnit.START_PAIR else " on each side"
    return [f"{text} To find {size}: {sensitivity.per_side} {unit}{where}, in place of {sensitivity.has}."]


def ends(change: Change) -> Figure:
    """The interval of a difference."""
    if change.interval_ns is None:
        return figures.duration(None)
    return figures.interval(*map(figures.signed_duration, change.interval_ns))


def undecided_reasons(comparison: Comparison) -> tuple[str, ...]:
    """Why nothing can be decided, in clauses."""
    return tuple(_undecided(reason, comparison) for reason in comparison.undecided)


def _undecided(reason: UndecidedReason, comparison: Comparison) -> str:
    match reason.obstacle:
        case Obstacle.INCOMPLETE:
            return f"{reason.side}: {gaps_text(_sides(comparison)[reason.side].gaps)}"
        case Obstacle.NO_ANSWER:
            return f"{reason.side} has no complete, right answer"
        case Obstacle.NO_COMMON_QUERY:
            return "no query was answered in every server start of both sides"
        case Obstacle.TOO_FEW_UNITS if comparison.design and comparison.test:
            return _too_few(comparison.design, comparison.test, _repeats_needed(comparison))
        case _:
            return f"nothing is known of the noise; make {_repeats_needed(comparison)}"


def _repeats_needed(comparison: Comparison) -> str:
    """What shows the noise, and counts."""
    if comparison.a.repeats_count and comparison.b.repeats_count:
        return f"{REPEATS_NEEDED} repeats of each query"
    return f"{STARTS_NEEDED} server starts a side (--starts {STARTS_NEEDED})"


def _too_few(design: Design, test: PermutationResult, repeats: str) -> str:
    least = f"with the {test.units} that can be exchanged p can't come below {test.smallest_p:.2g}"
    match design.exchanged:
        case ObservationUnit.REPEAT:
            return f"too few repeats of too few queries: {least}"
        case ObservationUnit.QUERY_PAIR:
            return f"too few pairs of queries: {least}; ask {PAIRS_NEEDED} queries, or make {repeats}"
        case ObservationUnit.QUERY:
            return (
                f"no query of A was asked in B, and unpaired there are too few ({least}); ask the same suite on both "
                "sides"
            )
        case _:
            return (
                f"too few server starts: {least}; make {STARTS_NEEDED} a side (--starts {STARTS_NEEDED}), or "
                f"{REPEATS_NEEDED} repeats of each query that count"
            )


def caveats(comparison: Comparison) -> tuple[str, ...]:
    """What belongs beside every number, in clauses."""
    return tuple(_caveats(comparison))


def _caveats(comparison: Comparison) -> Iterator[str]:
    for caveat in comparison.caveats:
        yield _starts(caveat, comparison)
    by_reason: dict[str, list[str]] = {}
    for query, left_out in left_out_reasons(comparison.design).items():
        by_reason.setdefault(left_out, []).append(query)
    for reason, queries in by_reason.items():
        yield f"left out: {some(queries)}, {reason}"
    for name, side in _sides(comparison).items():
        if side.repeats:
            repeats = count_text(len(side.repeats), "repeat")
            yield f"left out: {repeats} on {name} that may have found the prompt cache warm"
        if side.weak:
            yield f"{name} is weakened by {', '.join(side.weak)}"


def _starts(caveat: Caveat, comparison: Comparison) -> str:
    of_a, of_b = comparison.a.starts, comparison.b.starts
    if caveat is Caveat.TOO_FEW_STARTS_TO_EXCHANGE:
        starts = comparison.design.starts if comparison.design else (of_a, of_b)
        return (
            f"too few server starts to exchange ({starts[0]} + {starts[1]}): p is Student's over starts (of groups and "
            "phases Bonferroni's), and not below that of exchanging repeats"
        )
    counts = f"{count_text(of_a, 'server start')} on A, {of_b} on B"
    if of_a == of_b == 1:
        counts = "one server start on each side"
    return f"{counts}: start-to-start noise is not covered, the result is about these starts alone"


def left_out_reasons(design: Design | None) -> dict[str, str]:
    """The queries that are not compared, each with the reason."""
    return {query: _left_out(reason) for query, reason in design.left_out.items()} if design else {}


def _left_out(left_out: ExcludedQuery) -> str:
    return _LEFT_OUT[left_out.reason].format(side=left_out.side)


def _sides(comparison: Comparison) -> dict[str, Side]:
    return {"A": comparison.a, "B": comparison.b}


def gate_reason(result: GateResult, comparison: Comparison) -> str:
    """Why the gate says what it says, a clause."""
    change = comparison.end_to_end
    if change is None or result.reason is GateReason.NOTHING_DECIDED:
        return "; ".join(undecided_reasons(comparison))
    share = f" ({share_text(change.ratio - 1)})" if change.ratio is not None else ""
    size = f"{duration_text(change.difference_ns)}{share} a query"
    return _GATES[result.reason].format(size=size, direction=change.direction.value)
