"""Several runs in one source: which they are, and what of their making differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.comparison import facts
from punie.trace.analysis.integrity.finding import Checked, finding
from punie.trace.analysis.queries.traces import Traces
from punie.trace.model import Span
from punie.trace.units import count_text

_MADE_WITH: Final = (facts.MODEL, facts.DRAFT, facts.ADAPTER, facts.SUITE_HASH, facts.CACHE)
_NAMED: Final = 10


def runs(traces: Traces) -> Checked:
    """The runs of a source that holds more than one."""
    made = {run: _facts(spans) for run, spans in _spans_by_run(traces).items()}
    if len(made) < 2:
        return
    differing = [name for name in _MADE_WITH if len({of_run.get(name) for of_run in made.values()}) > 1]
    asked = [start.run_id for root, start in traces.starts.items() if not traces.is_warmup(root)]
    cases = [
        ", ".join(
            (
                f"{run}: {count_text(asked.count(run), 'query', 'queries')}",
                *(f"{name} {made[run].get(name, 'not known')}" for name in differing),
            )
        )
        for run in made
    ]
    yield finding("mixed-runs" if differing else "several-runs", cases, most=_NAMED)


def _spans_by_run(traces: Traces) -> Mapping[str, list[Span]]:
    """The spans of the queries of every named run, runs by their start."""
    found: dict[str, list[Span]] = {}
    for key, root in traces.queries.of.items():
        run = traces.starts[root].run_id
        if run is not None:
            found.setdefault(run, []).append(traces.forest.spans[key])
    return found


def _facts(spans: list[Span]) -> facts.Facts:
    caches = {cache for span in spans if (cache := semconv.text(span.attributes, semconv.QUERY_CACHE))}
    return {**facts.span_facts(spans, ()), facts.CACHE: ", ".join(sorted(caches))}
