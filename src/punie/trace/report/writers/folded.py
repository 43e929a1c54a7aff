"""The queries of a report as folded stacks, for flame graphs: a line a stack, with the nanoseconds it was waited for.

    view-functions;agent;chat;POST;server request;prefill 36805750

The weights are those of the critical path: of what ran in parallel the one that was waited for. So the lines of a query
sum to its wall time, and a query without anything in parallel has its self times. Warm-up is left out.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from punie.trace.report.inert import one_line

if TYPE_CHECKING:
    from punie.trace.analysis.waterfall.model import Waterfall
    from punie.trace.report.document import Document
    from punie.trace.report.page import Page


def write(document: Document, page: Page) -> str:
    """The stacks of all queries, those of one query name together, in the order in which they were first met."""
    stacks: Counter[tuple[str, ...]] = Counter()
    if document.drawings is not None:
        measured = [record for record in document.drawings.records if not record.warmup]
        for waterfall in document.drawings.draw(measured):
            _add(stacks, waterfall)
    lines = [f"{';'.join(stack)} {ns}" for stack, ns in stacks.items()]
    return "\n".join(lines or ["(no query) 0"]) + "\n"


def _add(stacks: Counter[tuple[str, ...]], waterfall: Waterfall) -> None:
    query = _frame(waterfall.record.query_id)
    frames: list[tuple[str, ...]] = []
    for row in waterfall.rows:
        frames.append((*frames[row.parent], _frame(row.name)) if row.parent >= 0 else (query,))
    for piece in waterfall.path:
        stacks[frames[piece.span]] += piece.end_ns - piece.start_ns


def _frame(name: str) -> str:
    """A name that ends neither its frame nor its line."""
    return one_line(name).replace(";", ",") or "(no name)"
