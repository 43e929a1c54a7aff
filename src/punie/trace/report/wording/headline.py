"""The first line of a run's report: what a person would repeat of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from punie.trace.model import Phase
from punie.trace.report.inert import one_line
from punie.trace.report.wording.verdicts import gaps_text
from punie.trace.units import count_text, duration_text, percent_text

if TYPE_CHECKING:
    from punie.trace.analysis.summary.summary import RunAnalysis
    from punie.trace.analysis.summary.totals import Totals

_SPENT: Final = {
    Phase.DECODE: "writing answers",
    Phase.PREFILL: "reading prompts",
    Phase.MODEL: "in the model",
    Phase.QUEUE: "waiting for the server",
    Phase.TEMPLATE: "laying out prompts",
    Phase.PARSE: "reading answers",
    Phase.SERVE: "in the server around the model",
    Phase.RETRY: "in failed model calls",
    Phase.HTTP: "on the network",
    Phase.TOOL: "in tools",
    Phase.FRAMEWORK: "in the agent's own code",
}
_MOST_PHASES: Final = 2
_SLOW: Final = 1.1  # times the mean
_NEARLY_ALL: Final = 0.995
_TRACE_ID: Final = re.compile("^[0-9a-f]{32}")
_WORTH_NAMING: Final = 0.2  # of the wall time, for a second phase


def headline(analysis: RunAnalysis) -> str:
    """How long a query takes, on what, which one is the slowest, and what is wrong: one line."""
    parts = "; ".join(_parts(analysis))
    gaps = gaps_text(analysis.verdicts.generation.figures.gaps)
    return f"No verdict ({gaps}). Measured: {parts}" if gaps else parts


def _parts(analysis: RunAnalysis) -> Iterator[str]:
    failed = len(analysis.failed)
    if analysis.totals is not None:
        yield _spent(analysis.totals)
        yield from _slowest(analysis, analysis.totals.wall.mean_ns)
        if failed:
            yield f"{failed} of {count_text(len(analysis.records), 'query', 'queries')} failed"
    elif analysis.failed_totals is not None:
        yield f"no answer counts, {count_text(failed, 'query', 'queries')} failed"
        yield _spent(analysis.failed_totals)
    elif analysis.disturbed:
        yield f"no answer counts, {count_text(len(analysis.disturbed), 'query', 'queries')} disturbed"
    else:
        yield "no query was answered"


def _slowest(analysis: RunAnalysis, mean_ns: int) -> Iterator[str]:
    """Only where it is more than others; by name only if people gave it one."""
    slowest = max(analysis.queries, key=lambda query: query.wall.mean_ns if query.wall else 0)
    if slowest.totals is not None and slowest.totals.wall.mean_ns > _SLOW * mean_ns:
        name = "" if _TRACE_ID.match(slowest.query_id) else f" {one_line(slowest.query_id)},"
        yield f"slowest{name} {duration_text(slowest.totals.wall.mean_ns)}"


def _spent(totals: Totals) -> str:
    largest = sorted((phase for phase in totals.phases if phase.known), key=lambda phase: -phase.share)
    named = [phase for i, phase in enumerate(largest) if not i or phase.share >= _WORTH_NAMING][:_MOST_PHASES]
    shares = ", ".join(f"{_percent(phase.share)} {_SPENT[phase.phase]}" for phase in named)
    return f"{duration_text(totals.wall.mean_ns)} a query: {shares}"


def _percent(share: float) -> str:
    """What is not all is not called all."""
    return "over 99 %" if _NEARLY_ALL <= share < 1 else percent_text(share)
