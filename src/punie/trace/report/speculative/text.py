"""The report of a benchmark for a terminal, 80 columns wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.report.sections import as_text
from punie.trace.report.speculative.sections import document

if TYPE_CHECKING:
    from punie.trace.report.speculative.content import BenchReport


def render(report: BenchReport, *, color: bool = False) -> str:
    """The report as text, with terminal colours if `color`."""
    return as_text(document(report), color=color)
