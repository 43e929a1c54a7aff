"""Several runs in one source: which they are, and what of their making differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from punie.trace import semconv
from punie.trace.analysis.comparison import facts
from punie.trace.analysis.integrity.finding import IntegrityFinding, finding
from punie.trace.analysis.queries.traces import Traces
from punie.trace.model import Span
from punie.trace.units import count_text

_MADE_WITH: Final = (facts.MODEL, facts.DRAFT, facts.ADAPTER, facts.SUITE_HASH, facts.CACHE)
_NAMED: Final = 10


class RunFacts(msgspec.Struct):
    """What the spans of a run's queries say that it was made with, when it began, and how many it asked."""

    start_ns: int
    asked: int = 0
    written: facts.Written = msgspec.field(default_factory=dict)

    def add(self, other: RunFacts) -> None:
        """Add what other traces say."""
        self.start_ns = min(self.start_ns, other.start_ns)
        self.asked += other.asked
        facts.merge_written(self.written, other.written)


Runs = dict[str, RunFacts]


def merge_runs(into: Runs, other: Runs) -> None:
    """Add the runs of other traces."""
    for run, one in other.items():
        if run in into:
            into[run].add(one)
        else:
            into[run] = one


def runs_of(traces: Traces) -> Runs:
    """The runs that the queries of some traces name."""
    runs: Runs = {}
    spans: dict[str, list[Span]] = {}
    for root, start in traces.starts.items():
        if start.run_id is not None:
            asked = 0 if traces.is_warmup(root) else 1
            merge_runs(runs, {start.run_id: RunFacts(traces.forest.spans[root].start_ns, asked)})
            spans[start.run_id] = []
    for key, root in traces.queries.of.items() if runs else ():
        run = traces.starts[root].run_id
        if run is not None:
            spans[run].append(traces.forest.spans[key])
    for run, of_run in spans.items():
        runs[run].written = facts.written_in(of_run)
        caches = {semconv.text(span.attributes, semconv.QUERY_CACHE) for span in of_run}
        runs[run].written[facts.CACHE] = {cache for cache in caches if cache}
    return runs


def several_runs(runs: Mapping[str, RunFacts]) -> Iterator[IntegrityFinding]:
    """The runs of a source that holds more than one, by their start."""
    if len(runs) < 2:
        return
    by_start = sorted(runs, key=lambda run: (runs[run].start_ns, run))
    made = {run: _made_with(runs[run]) for run in by_start}
    differing = [name for name in _MADE_WITH if len({of_run.get(name) for of_run in made.values()}) > 1]
    cases = [
        ", ".join(
            (
                f"{run}: {count_text(runs[run].asked, 'query', 'queries')}",
                *(f"{name} {made[run].get(name, 'not known')}" for name in differing),
            )
        )
        for run in by_start
    ]
    yield finding("mixed-runs" if differing else "several-runs", cases, most=_NAMED)


def _made_with(run: RunFacts) -> facts.Facts:
    caches = ", ".join(sorted(run.written.get(facts.CACHE, ())))
    return {**facts.facts_of(run.written, ()), facts.CACHE: caches}
