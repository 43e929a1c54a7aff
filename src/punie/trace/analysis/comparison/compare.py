"""Is B slower than A, where, by how much, and is that more than noise?

End to end is one question and is judged by itself. Groups and phases are judged together (see `permutation`), so that
all of their claims hold at once in 95 of 100 comparisons without any difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.analysis.comparison.change import Change, Claims, Direction, change_of
from punie.trace.analysis.comparison.design import Cells, Design, ObservationUnit, design_of
from punie.trace.analysis.comparison.facts import FactComparison
from punie.trace.analysis.comparison.measures import Measure, MeasureKind, measures
from punie.trace.analysis.comparison.sides import Side, comparable_sides
from punie.trace.analysis.comparison.tokens import TokenChange, token_changes
from punie.trace.analysis.statistics.permutation import PermutationResult, permute
from punie.trace.analysis.statistics.two_means import units_to_detect

DEFAULT_SIZE: Final = 0.05
_END_TO_END: Final = 0  # the place of the first measure


class Obstacle(StrEnum):
    """Why nothing can be decided."""

    INCOMPLETE = "incomplete"
    NO_ANSWER = "no-answer"
    NO_COMMON_QUERY = "no-common-query"
    TOO_FEW_UNITS = "too-few-units"
    NOISE_NOT_KNOWN = "noise-not-known"


class Caveat(StrEnum):
    """What an answer doesn't cover, or rests on beside the permutation test."""

    STARTS_NOT_COVERED = "starts-not-covered"
    TOO_FEW_STARTS_TO_EXCHANGE = "too-few-starts-to-exchange"


@dataclass(frozen=True, slots=True)
class UndecidedReason:
    """An obstacle, and on which side, `A` or `B`; empty where it is about both."""

    obstacle: Obstacle
    side: str = ""


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
    unit: ObservationUnit
    has: int
    per_side: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, compared.

    `changes` has end to end first, then groups and phases. `undecided` says why nothing can be decided, empty if
    it can. `caveats` belong beside every number. `test` is None without a test.
    `identical` is whether both sides are the very same answers; `same_answers` counts those that are on both.
    """

    facts: tuple[FactComparison, ...]
    a: Side
    b: Side
    design: Design | None
    test: PermutationResult | None
    changes: tuple[Change, ...]
    queries: tuple[QueryChange, ...]
    tokens: tuple[TokenChange, ...]
    sensitivity: Sensitivity | None
    undecided: tuple[UndecidedReason, ...]
    caveats: tuple[Caveat, ...]
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
    a, b = comparable_sides(a, b)
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
        caveats=() if identical or design is None else _caveats(design),
        same_answers=len(a.keys & b.keys),
        identical=identical,
    )


def _identical(a: Side, b: Side) -> bool:
    """Whether a side is compared with itself: the same answers, read alike."""
    of_a, of_b = ({r.ledger.query_key: r.ledger for r in side.answers} for side in (a, b))
    return bool(of_a) and of_a == of_b


def _test(design: Design, of: Sequence[Measure]) -> PermutationResult | None:
    strata = design.strata()
    family = [place for place, measure in enumerate(of) if measure.kind is not MeasureKind.END_TO_END]
    return permute(strata, family) if strata else None


def _changes(
    design: Design, test: PermutationResult | None, of: Sequence[Measure], claims: Claims
) -> tuple[Change, ...]:
    p = _p_values(design, test, of) if test else [None] * len(of)
    return tuple(
        change_of(measure, design.mean(place), design.means(place), p[place], claims)
        for place, measure in enumerate(of)
    )


def _p_values(design: Design, test: PermutationResult, of: Sequence[Measure]) -> list[tuple[float, float]]:
    """Each measure's p, its own and its family's.

    A test over repeats knows nothing of what differs between starts. Where these can't be exchanged, Student's p over
    them has to say the same, for a family with Bonferroni's factor.
    """
    both = list(zip(test.p, test.family_p, strict=True))
    if design.exchanged is design.unit:
        return both
    family = sum(measure.kind is not MeasureKind.END_TO_END for measure in of)
    for place, measure in enumerate(of):
        alone = design.t_p(place)
        together = min(1.0, alone * (1 if measure.kind is MeasureKind.END_TO_END else family))
        both[place] = max(both[place][0], alone), max(both[place][1], together)
    return both


def _queries(design: Design) -> tuple[QueryChange, ...]:
    if not design.paired_queries:
        return ()
    a, b = _wall_means(design.a), _wall_means(design.b)
    return tuple(QueryChange(query, a[query], b[query]) for query in design.queries)


def _wall_means(cells: Cells) -> dict[str, float]:
    """Of each query the mean over its starts of the mean over their repeats."""
    walls: dict[str, list[float]] = {}
    for (_, query), rows in cells.items():
        walls.setdefault(query, []).append(sum(row[_END_TO_END] for row in rows) / len(rows))
    return {query: sum(means) / len(means) for query, means in walls.items()}


def _undecided(
    a: Side, b: Side, design: Design | None, test: PermutationResult | None, *, identical: bool
) -> tuple[UndecidedReason, ...]:
    obstacles = [
        UndecidedReason(Obstacle.INCOMPLETE, name) for name, side in (("A", a), ("B", b)) if side.gaps
    ]
    if design is None:
        obstacles.append(_why_no_design(a, b))
    elif identical:
        pass  # between an answer and itself there is no noise
    elif test is not None and not test.can_decide:
        obstacles.append(UndecidedReason(Obstacle.TOO_FEW_UNITS))
    elif design.means(0) is None:
        obstacles.append(UndecidedReason(Obstacle.NOISE_NOT_KNOWN))
    return tuple(obstacles)


def _why_no_design(a: Side, b: Side) -> UndecidedReason:
    for name, side in (("A", a), ("B", b)):
        if not side.answers:
            return UndecidedReason(Obstacle.NO_ANSWER, name)
    return UndecidedReason(Obstacle.NO_COMMON_QUERY)


def _caveats(design: Design) -> tuple[Caveat, ...]:
    few = design.unit is ObservationUnit.START and design.exchanged is ObservationUnit.REPEAT
    caveats = (
        (Caveat.STARTS_NOT_COVERED, not design.covers_starts),
        (Caveat.TOO_FEW_STARTS_TO_EXCHANGE, few),
    )
    return tuple(caveat for caveat, holds in caveats if holds)


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
        per_side=units_to_detect(means, has, difference=wanted),
    )


def _units(design: Design) -> tuple[int, ObservationUnit]:
    match design.unit:
        case ObservationUnit.START_PAIR:
            return len(design.paired_starts), design.unit
        case ObservationUnit.START:
            return min(design.starts), design.unit
        case ObservationUnit.REPEAT:
            return design.repeats, design.unit
        case ObservationUnit.QUERY_PAIR:
            return len(design.queries), design.unit
        case ObservationUnit.QUERY:
            return min(len(design.a), len(design.b)), design.unit
