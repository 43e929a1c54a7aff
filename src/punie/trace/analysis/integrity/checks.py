"""Every check of the traces, and what their source says of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from punie.trace.analysis.integrity.finding import Checked, IntegrityFinding, finding
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.integrity.requests import answers, cache_arm, draft, meaning, witnesses
from punie.trace.analysis.integrity.runs import runs
from punie.trace.analysis.integrity.structure import copies, disturbed, links, plan, roots
from punie.trace.analysis.integrity.times import clocks, times
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.queries.traces import Traces

_GRAVEST_FIRST: Final = tuple(Effect)


def find_flaws(traces: Traces, requests: Sequence[ModelRequest] = ()) -> tuple[IntegrityFinding, ...]:
    """Every finding with at least one case, the gravest first, then in the order of the checks.

    `requests` are the traces' model requests, with the token counts that figures are made from.
    """
    checked = (*(found for check in _CHECKS for found in check(traces)), *cache_arm(traces, requests))
    return tuple(
        sorted(
            (found for found in checked if found.count), key=lambda found: _GRAVEST_FIRST.index(found.effect)
        )
    )


def _source(traces: Traces) -> Checked:
    """What the reader notes about its source, and records that are no spans; of these all are named."""
    notes = traces.source.notes
    for slug in dict.fromkeys(note.slug for note in notes):
        of_kind = [note for note in notes if note.slug == slug]
        yield finding(slug, [note.case for note in of_kind], count=sum(note.count for note in of_kind))
    unreadable = [f"{record.file}:{record.line}: {record.reason}" for record in traces.source.unreadable]
    yield finding("unreadable-record", unreadable, most=len(unreadable))


_CHECKS: Final[tuple[Callable[[Traces], Checked], ...]] = (
    plan,
    runs,
    disturbed,
    roots,
    links,
    copies,
    times,
    meaning,
    witnesses,
    clocks,
    answers,
    draft,
    _source,
)
