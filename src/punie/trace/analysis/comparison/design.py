"""What varies and what may be exchanged: the structure that intervals and permutations have to respect.

A query's repeats resemble each other, and so do the answers of one server start. So the unit is the highest level of
which there is more than one: server starts, else the repeats of each query, else the queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from punie.trace.analysis.comparison.measures import Measure, mean_row, row
from punie.trace.analysis.comparison.sides import Side
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.many_units import Row
from punie.trace.analysis.statistics.permutation import ALPHA, Stratum, smallest_p
from punie.trace.analysis.statistics.two_means import TwoMeans, of_pairs, of_separate, of_strata

REPEATS_NEEDED: Final = 3
PAIRS_NEEDED: Final = 6  # fewer pairs can't come below p = 0.0625
STARTS_NEEDED: Final = 4  # a side; 3 + 3 can't come below p = 0.1

Cells = Mapping[tuple[int, str], Sequence[Row]]
"""The rows of every (server start, query)."""


class ObservationUnit(StrEnum):
    """What is taken as one independent observation."""

    START_PAIR = "pair of server starts"
    START = "server start"
    REPEAT = "repeat of a query"
    QUERY_PAIR = "query"
    QUERY = "query, unpaired"


class ExclusionReason(StrEnum):
    """Why a query isn't compared."""

    NOT_ASKED = "not-asked"
    NO_ANSWER = "no-answer"
    NO_ANSWER_IN_A_START = "no-answer-in-a-start"


@dataclass(frozen=True, slots=True)
class ExcludedQuery:
    """Why a query isn't compared, and on which side, `A` or `B`."""

    reason: ExclusionReason
    side: str


@dataclass(frozen=True, slots=True)
class Design:
    """How a comparison is made.

    `queries` are compared, `left_out` are not, each with the reason. `unit` varies; `exchanged` is what the
    permutation test exchanges, which is a lower level where there are too few units of it: `t_p` counts then as well.
    """

    unit: ObservationUnit
    exchanged: ObservationUnit
    queries: tuple[str, ...]
    left_out: Mapping[str, ExcludedQuery]
    a: Cells
    b: Cells
    paired_starts: tuple[tuple[int, int], ...] = ()
    _strata_of: dict[ObservationUnit, list[Stratum]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _mean_rows: list[Row] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def starts(self) -> tuple[int, int]:
        """Server starts on each side."""
        return len(_starts(self.a)), len(_starts(self.b))

    @property
    def paired_queries(self) -> bool:
        """Whether both sides answered the same queries."""
        return self.unit is not ObservationUnit.QUERY

    @property
    def covers_starts(self) -> bool:
        """Whether the interval has what differs from one server start to the next: one start shows nothing of it."""
        return self.unit in (ObservationUnit.START, ObservationUnit.START_PAIR) and min(self.starts) > 1

    @property
    def repeats(self) -> int:
        """The least number of answers that any query has in a server start."""
        return min((len(rows) for cells in (self.a, self.b) for rows in cells.values()), default=0)

    def means(self, measure: int) -> TwoMeans | None:
        """Both means of one measure with their uncertainty; None if too little varies to know it."""
        match self.unit:
            case ObservationUnit.START_PAIR | ObservationUnit.QUERY_PAIR:
                return of_pairs(*self._columns(measure))
            case ObservationUnit.QUERY:
                return of_separate(*self._columns(measure))
            case ObservationUnit.REPEAT:
                return self._over_repeats(measure)
            case ObservationUnit.START:
                return _wider(of_separate(*self._columns(measure)), self._over_repeats(measure))

    def strata(self) -> list[Stratum]:
        """What may be exchanged with what."""
        return self._strata(self.exchanged)

    def _strata(self, unit: ObservationUnit) -> list[Stratum]:
        """Made once: every measure asks for them."""
        if unit not in self._strata_of:
            self._strata_of[unit] = self._made_of(unit)
        return self._strata_of[unit]

    def _made_of(self, unit: ObservationUnit) -> list[Stratum]:
        match unit:
            case ObservationUnit.START_PAIR:
                a, b = _start_rows(self.a), _start_rows(self.b)
                return [Stratum((a[one],), (b[other],)) for one, other in self.paired_starts]
            case ObservationUnit.START:
                return [Stratum(tuple(_start_rows(self.a).values()), tuple(_start_rows(self.b).values()))]
            case ObservationUnit.REPEAT:
                of_a, of_b = _by_query(self.a), _by_query(self.b)
                return [Stratum(tuple(of_a.get(q, ())), tuple(of_b.get(q, ()))) for q in self.queries]
            case ObservationUnit.QUERY_PAIR:
                asked = _query_rows(self.a), _query_rows(self.b)
                return [Stratum((asked[0][q],), (asked[1][q],)) for q in self.queries]
            case ObservationUnit.QUERY:
                return [Stratum(tuple(_query_rows(self.a).values()), tuple(_query_rows(self.b).values()))]

    def t_p(self, measure: int) -> float:
        """Student's p over starts, and not below that over repeats: for starts that are too few to be exchanged."""
        both = (of_separate(*self._columns(measure)), self._over_repeats(measure))
        return max((means.p for means in both if means is not None), default=1.0)

    def _columns(self, measure: int) -> tuple[list[float], list[float]]:
        """One measure of every unit, on A and on B."""
        strata = self._strata(self.unit)
        return (
            [row[measure] for stratum in strata for row in stratum.a],
            [row[measure] for stratum in strata for row in stratum.b],
        )

    def mean(self, measure: int) -> tuple[float, float]:
        """Both sides' means of one measure, without any uncertainty: what `means` is about."""
        if not self._mean_rows:
            self._mean_rows.extend(mean_row(_unit_rows(cells, self)) for cells in (self.a, self.b))
        return self._mean_rows[0][measure], self._mean_rows[1][measure]

    def _over_repeats(self, measure: int) -> TwoMeans | None:
        return of_strata(
            [[r[measure] for r in rows] for rows in self.a.values()],
            [[r[measure] for r in rows] for rows in self.b.values()],
        )


def design_of(a: Side, b: Side, of: Sequence[Measure]) -> Design | None:
    """The design that these answers allow; None if no answers are left to compare."""
    common = a.query_ids & b.query_ids
    if not common:
        if not a.answers or not b.answers:
            return None
        ids = tuple(sorted(a.query_ids | b.query_ids))
        cells = [_cells(side.answers, side.query_ids, of) for side in (a, b)]
        return Design(ObservationUnit.QUERY, ObservationUnit.QUERY, ids, {}, cells[0], cells[1])
    left_out = _left_out(a, b)
    queries = tuple(sorted((a.query_ids | b.query_ids) - left_out.keys()))
    if not queries:
        return None
    of_a, of_b = (_cells(side.answers, frozenset(queries), of) for side in (a, b))
    pairs = _alternating(a.answers, b.answers)
    unit = _unit(of_a, of_b, pairs)
    made = Design(
        unit, unit, queries, left_out, of_a, of_b, pairs if unit is ObservationUnit.START_PAIR else ()
    )
    if unit is ObservationUnit.START and smallest_p(made.strata()) > ALPHA and made.repeats >= REPEATS_NEEDED:
        return Design(unit, ObservationUnit.REPEAT, queries, left_out, of_a, of_b)
    return made


def _unit(a: Cells, b: Cells, pairs: Sequence[tuple[int, int]]) -> ObservationUnit:
    if len(_starts(a)) + len(_starts(b)) > 2:
        return ObservationUnit.START_PAIR if len(pairs) >= PAIRS_NEEDED else ObservationUnit.START
    enough = all(len(rows) >= REPEATS_NEEDED for rows in (*a.values(), *b.values()))
    return ObservationUnit.REPEAT if enough else ObservationUnit.QUERY_PAIR


def _left_out(a: Side, b: Side) -> dict[str, ExcludedQuery]:
    """A query counts only if every start of both sides answered it: else the sides would be of different queries."""
    left_out: dict[str, ExcludedQuery] = {}
    sides = (("A", a), ("B", b))
    asked = {name: {r.query_id for r in side.records} for name, side in sides}
    starts = {name: len(_starts_of(side.answers)) for name, side in sides}
    answers: dict[tuple[str, str], set[int]] = defaultdict(set)
    for name, side in sides:
        for record in side.answers:
            answers[name, record.query_id].add(record.server_start)
    for query in sorted(asked["A"] | asked["B"]):
        for name, _ in sides:
            answered = answers.get((name, query), ())
            if query not in asked[name]:
                left_out[query] = ExcludedQuery(ExclusionReason.NOT_ASKED, name)
            elif not answered:
                left_out[query] = ExcludedQuery(ExclusionReason.NO_ANSWER, name)
            elif len(answered) < starts[name]:
                left_out[query] = ExcludedQuery(ExclusionReason.NO_ANSWER_IN_A_START, name)
    return left_out


def _alternating(a: Sequence[QueryRecord], b: Sequence[QueryRecord]) -> tuple[tuple[int, int], ...]:
    """The starts as pairs of neighbours in time, if they were made in turns; else none.

    The order of time says nothing of the values, so pairing by it is fair, and what the machine did meanwhile
    falls on both of a pair.
    """
    first: dict[tuple[str, int], int] = {}
    for side, records in (("a", a), ("b", b)):
        for record in records:
            key = (side, record.server_start)
            first[key] = min(first.get(key, record.ledger.start_ns), record.ledger.start_ns)
    order = sorted(first, key=lambda key: (first[key], key))
    if len(order) % 2:
        return ()
    couples = [sorted(order[place : place + 2]) for place in range(0, len(order), 2)]
    if any([side for side, _ in couple] != ["a", "b"] for couple in couples):
        return ()
    return tuple((couple[0][1], couple[1][1]) for couple in couples)


def _cells(records: Sequence[QueryRecord], queries: frozenset[str], of: Sequence[Measure]) -> Cells:
    cells: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for record in sorted(records, key=lambda r: (r.server_start, r.query_id, r.ledger.start_ns)):
        if record.query_id in queries:
            cells[record.server_start, record.query_id].append(row(record, of))
    return dict(cells)


def _starts_of(records: Sequence[QueryRecord]) -> frozenset[int]:
    return frozenset(record.server_start for record in records)


def _starts(cells: Cells) -> list[int]:
    return sorted({start for start, _ in cells})


def _start_rows(cells: Cells) -> dict[int, Row]:
    """Per server start the mean over its queries of the mean over their repeats."""
    rows_of: dict[int, list[Row]] = defaultdict(list)
    for (start, _), rows in cells.items():
        rows_of[start].append(mean_row(rows))
    return {start: mean_row(rows) for start, rows in rows_of.items()}


def _query_rows(cells: Cells) -> dict[str, Row]:
    return {query: mean_row(rows) for query, rows in sorted(_by_query(cells).items())}


def _by_query(cells: Cells) -> dict[str, list[Row]]:
    """The rows of each query, by their server start."""
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for key in sorted(cells):
        rows_of[key[1]] += cells[key]
    return rows_of


def _unit_rows(cells: Cells, design: Design) -> list[Row]:
    """Of every server start where queries are paired, else of every query."""
    if design.paired_queries:
        return list(_start_rows(cells).values())
    return list(_query_rows(cells).values())


def _wider(starts: TwoMeans | None, repeats: TwoMeans | None) -> TwoMeans | None:
    if starts is None or repeats is None:
        return starts
    return starts if starts.half_width >= repeats.half_width else repeats
