"""Every check of the traces, and what their source says of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from punie.trace.analysis.calls.requests import ModelRequest
from punie.trace.analysis.integrity.finding import Checked, Effect, IntegrityFinding, flaw
from punie.trace.analysis.integrity.requests import answers, cache_arm, draft, meaning, witnesses
from punie.trace.analysis.integrity.structure import copies, links, plan, roots
from punie.trace.analysis.integrity.times import clocks, times
from punie.trace.analysis.queries.traces import Traces


def find_flaws(traces: Traces, requests: Sequence[ModelRequest] = ()) -> tuple[IntegrityFinding, ...]:
    """Every finding with at least one case, the gravest first, then in the order of the checks.

    `requests` are the traces' model requests, with the token counts that figures are made from.
    """
    checked = (*(finding for check in _CHECKS for finding in check(traces)), *cache_arm(traces, requests))
    findings = [finding for finding in checked if finding.count]
    gravest_first = (Effect.NO_VERDICT, Effect.DOWNGRADED, Effect.SHOWN)
    return tuple(sorted(findings, key=lambda finding: gravest_first.index(finding.effect)))


def _notes(traces: Traces) -> Checked:
    """What the reader says of its source."""
    for slug, (effect, message) in _NOTES.items():
        notes = [note for note in traces.source.notes if note.slug == slug]
        found = flaw(slug, effect, [note.case for note in notes], message)
        yield replace(found, count=sum(note.count for note in notes))


_NOTES: Final = {
    "cut-by-limit": (
        Effect.DOWNGRADED,
        "the source has more traces than were asked for: some are missing here",
    ),
    "server-not-traced": (
        Effect.SHOWN,
        "mlx_lm isn't what we know, so the server ran without spans: its phases are read off the stream",
    ),
    "no-spans-file": (Effect.SHOWN, "files among the run's spans that are in no format of spans: not read"),
    "unread-events": (Effect.SHOWN, "events of spans in a form that isn't known: left out"),
    "spans-lost": (Effect.DOWNGRADED, "the server said that it could not write spans: some are missing here"),
    "text-numbers": (Effect.SHOWN, "numbers and lists that the source keeps as text, read as what they were"),
}


def _unreadable(traces: Traces) -> Checked:
    """Records that are no spans; all are named."""
    cases = [f"{record.file}:{record.line}: {record.reason}" for record in traces.source.unreadable]
    yield flaw(
        "unreadable-record", Effect.DOWNGRADED, cases, "records that could not be read", most=len(cases)
    )


_CHECKS: Final[tuple[Callable[[Traces], Checked], ...]] = (
    plan,
    roots,
    links,
    copies,
    times,
    meaning,
    witnesses,
    clocks,
    answers,
    draft,
    _notes,
    _unreadable,
)
