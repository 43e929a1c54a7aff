"""Phase and query of spans, without the clocks and the plan that a report reads as well."""

from __future__ import annotations

from collections.abc import Iterable

from punie.trace.analysis.calls.calls import find_calls
from punie.trace.analysis.foreign.agents import with_conventions
from punie.trace.analysis.foreign.servers import with_foreign_phases
from punie.trace.analysis.ledger.phases import PhasedSpan, phased_spans
from punie.trace.analysis.queries.roots import find_candidates, place_spans
from punie.trace.analysis.queries.selection import select
from punie.trace.analysis.trees.tree import grow
from punie.trace.model import Span


def classify(spans: Iterable[Span]) -> tuple[PhasedSpan, ...]:
    """Phase and query of every span that belongs to one."""
    forest = grow(with_foreign_phases(with_conventions(spans)))
    calls = find_calls(forest)
    candidates = find_candidates(forest, calls)
    queries = place_spans(forest, calls, candidates, select(candidates.outlines))
    return phased_spans(forest, queries, calls)
