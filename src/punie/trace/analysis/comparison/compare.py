"""Is B slower than A, where, by how much, and is that more than noise?

End to end is one question and is judged by itself. Groups and phases are judged together (see `permutation`), so that
all of their claims hold at once in 95 of 100 comparisons without any difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.comparison.change import Change, Claims, Direction, change_of
from punie.trace.analysis.comparison.design import (
    PAIRS_NEEDED,
    REPEATS_NEEDED,
    STARTS_NEEDED,
    Design,
    Unit,
    design_of,
)
from punie.trace.analysis.comparison.facts import FactComparison
from punie.trace.analysis.comparison.measures import Kind, Measure, measures
from punie.trace.analysis.comparison.sides import Side
from punie.trace.analysis.comparison.tokens import TokenChange, token_changes
from punie.trace.analysis.statistics.permutation import Permuted, permute
from punie.trace.analysis.statistics.two_means import TwoMeans, units_to_detect
from punie.trace.units import count_text

DEFAULT_SIZE: Final = 0.05


@dataclass(frozen=True, slots=True)
class QueryChange:
    """One query on both sides: nanoseconds, the mean of its answers. No claim is made about a single query."""

    query_id: str
    a_ns: float
    b_ns: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What the end-to-end comparison could see. Sizes are nanoseconds a query, found 4 times of 5.

    `detectable_ns` is the least that evidence like this finds. `size_ns` is what is to be found; `per_side` says how
    many of `unit` each side needs for that in all (None: more than 1000, or not known), and `has` how many it has.
    """

    detectable_ns: float
    size_ns: float
    unit: Unit
    has: int
    per_side: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, compared.

    `changes` has end to end first, then groups and phases. `undecided` says why nothing can be decided, in sentences
    without a full stop; empty if it can. `caveats` belong beside every number. `test` is None without a test.
    `identical` is whether both sides are the very same answers; `same_answers` counts those that are on both.
    """

    facts: tuple[FactComparison, ...]
    a: Side
    b: Side
    design: Design | None
    test: Permuted | None
    changes: tuple[Change, ...]
    queries: tuple[QueryChange, ...]
    tokens: tuple[TokenChange, ...]
    sensitivity: Sensitivity | None
    undecided: tuple[str, ...]
    caveats: tuple[str, ...]
    same_answers: int
    identical: bool

    @property
    def end_to_end(self) -> Change | None:
        """The change of the wall time; None if nothing could be compared."""
        return self.changes[0] if self.changes else None

    @property
    def direction(self) -> Direction:
        """What is said of the wall time."""
        return self.changes[0].direction if self.changes else Direction.UNDECIDED


def compare(
    a: Side,
    b: Side,
    facts: Sequence[FactComparison] = (),
    *,
    size: float = DEFAULT_SIZE,
    size_ns: int = 0,
) -> Comparison:
    """Compare two sides. `size` (of A) or `size_ns`, whichever is more, is the difference that should be seen."""
    of = measures((*a.answers, *b.answers))
    design = design_of(a, b, of)
    test = _test(design, of) if design else None
    identical = _identical(a, b)
    undecided = _undecided(a, b, design, test, identical=identical)
    claims = Claims.NONE if undecided else Claims.SAME_ANSWERS if identical else Claims.BEYOND_NOISE
    return Comparison(
        facts=tuple(facts),
        a=a,
        b=b,
        design=design,
        test=test,
        changes=_changes(design, test, of, claims) if design else (),
        queries=_queries(design) if design else (),
        tokens=token_changes(a, b, design.queries if design else ()),
        sensitivity=_sensitivity(design, size, size_ns) if design else None,
        undecided=undecided,
        caveats=_caveats(a, b, design, identical=identical),
        same_answers=len(a.keys & b.keys),
        identical=identical,
    )


def _identical(a: Side, b: Side) -> bool:
    """Whether a side is compared with itself: the same answers, read alike."""
    of_a, of_b = ({r.ledger.query_key: r.ledger for r in side.answers} for side in (a, b))
    return bool(of_a) and of_a == of_b


def _test(design: Design, of: Sequence[Measure]) -> Permuted | None:
    strata = design.strata()
    family = [place for place, measure in enumerate(of) if measure.kind is not Kind.END_TO_END]
    return permute(strata, family) if strata else None


def _changes(
    design: Design, test: Permuted | None, of: Sequence[Measure], claims: Claims
) -> tuple[Change, ...]:
    p = _p(design, test, of) if test else [None] * len(of)
    return tuple(
        change_of(measure, design.mean(place), design.means(place), p[place], claims)
        for place, measure in enumerate(of)
    )


def _p(design: Design, test: Permuted, of: Sequence[Measure]) -> list[tuple[float, float]]:
    """Each measure's p, its own and its family's.

    A test over repeats knows nothing of what differs between starts. Where these can't be exchanged, Student's p over
    them has to say the same, for a family with Bonferroni's factor.
    """
    both = list(zip(test.p, test.family_p, strict=True))
    if design.exchanged is design.unit:
        return both
    family = sum(measure.kind is not Kind.END_TO_END for measure in of)
    for place, measure in enumerate(of):
        alone = design.t_p(place)
        together = min(1.0, alone * (1 if measure.kind is Kind.END_TO_END else family))
        both[place] = max(both[place][0], alone), max(both[place][1], together)
    return both


def _queries(design: Design) -> tuple[QueryChange, ...]:
    if not design.paired_queries:
        return ()
    place = 0  # END_TO_END is the first measure
    found = []
    for query in design.queries:
        values = []
        for cells in (design.a, design.b):
            means = [sum(r[place] for r in rows) / len(rows) for (_, q), rows in cells.items() if q == query]
            values.append(sum(means) / len(means))
        found.append(QueryChange(query, *values))
    return tuple(found)


def _undecided(
    a: Side, b: Side, design: Design | None, test: Permuted | None, *, identical: bool
) -> tuple[str, ...]:
    found = [f"{name}: {gap}" for name, side in (("A", a), ("B", b)) for gap in side.gaps]
    if design is None:
        found.append(_why_no_design(a, b))
    elif identical:
        pass  # between an answer and itself there is no noise
    elif test is not None and not test.can_decide:
        found.append(_too_few(design, test))
    elif design.means(0) is None:
        found.append(f"nothing is known of the noise: each side needs {REPEATS_NEEDED} repeats of a query")
    return tuple(found)


def _why_no_design(a: Side, b: Side) -> str:
    for name, side in (("A", a), ("B", b)):
        if not side.answers:
            return f"{name} has no whole, right answer"
    return "no query was answered in every server start of both sides"


def _too_few(design: Design, test: Permuted) -> str:
    least = f"{test.units} can be exchanged, so p can't come below {test.smallest_p:.2g}"
    match design.exchanged:
        case Unit.REPEAT:
            return f"too few repeats of too few queries: {least}"
        case Unit.QUERY_PAIR:
            needed = f"{PAIRS_NEEDED} queries, or {REPEATS_NEEDED} repeats of each, are needed"
            return f"too few pairs of queries, {least}; {needed}"
        case Unit.QUERY:
            return f"too few queries, {least}; none of A's is in B, so nothing can be paired"
        case _:
            needed = f"{STARTS_NEEDED} a side, or {REPEATS_NEEDED} repeats of each query, are needed"
            return f"too few server starts, {least}; {needed}"


def _caveats(a: Side, b: Side, design: Design | None, *, identical: bool) -> tuple[str, ...]:
    found: list[str] = [] if identical or design is None else _noise_caveats(a, b, design)
    if design is not None and design.left_out:
        found += [f"left out: {query}, {reason}" for query, reason in design.left_out.items()]
    for name, side in (("A", a), ("B", b)):
        if side.weak:
            found.append(f"{name} is weakened by {', '.join(side.weak)}")
    return tuple(found)


def _noise_caveats(a: Side, b: Side, design: Design) -> list[str]:
    found = []
    if not design.covers_starts:
        starts = f"{count_text(a.starts, 'server start')} on A, {b.starts} on B"
        if a.starts == b.starts == 1:
            starts = "one server start on each side"
        found.append(f"{starts}: start-to-start noise is not covered, what is said is about these starts")
    if design.unit is Unit.START and design.exchanged is Unit.REPEAT:
        found.append(
            f"too few server starts to exchange ({' + '.join(map(str, design.starts))}): p is Student's over starts "
            "(of groups and phases Bonferroni's), and not below that of exchanging repeats"
        )
    return found


def _sensitivity(design: Design, size: float, size_ns: int) -> Sensitivity | None:
    means = design.means(0)
    if means is None:
        return None
    wanted = max(size * means.a, float(size_ns))
    has, unit = _units(design)
    return Sensitivity(
        detectable_ns=means.detectable(),
        size_ns=wanted,
        unit=unit,
        has=has,
        per_side=_needed(means, has, wanted),
    )


def _needed(means: TwoMeans, has: int, wanted: float) -> int | None:
    return units_to_detect(means, has, difference=wanted)


def _units(design: Design) -> tuple[int, Unit]:
    match design.unit:
        case Unit.START_PAIR:
            return len(design.paired_starts), design.unit
        case Unit.START:
            return min(design.starts), design.unit
        case Unit.REPEAT:
            return design.repeats, design.unit
        case Unit.QUERY_PAIR:
            return len(design.queries), design.unit
        case Unit.QUERY:
            return min(len(design.a), len(design.b)), design.unit
