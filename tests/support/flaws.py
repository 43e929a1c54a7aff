"""The integrity findings of traces that were read as a whole."""

from __future__ import annotations

from punie.trace.analysis.integrity.checks import check_traces, findings
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.queries.traces import Traces, missing_planned, planned_keys


def find_flaws(traces: Traces) -> tuple[IntegrityFinding, ...]:
    """Every finding of `traces` and of their source."""
    missing = missing_planned(traces.planned, planned_keys(traces))
    return findings(check_traces(traces), traces.source, traces.planned, missing)
