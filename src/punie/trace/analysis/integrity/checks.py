"""Every check of the traces, and what their source says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

import msgspec

from punie.trace.analysis.integrity.finding import (
    Checked,
    Flaws,
    IntegrityFinding,
    finding,
    finding_of,
    merge_flaws,
    tally,
)
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.integrity.requests import answers, cache_not_off, draft, meaning, witnesses
from punie.trace.analysis.integrity.runs import Runs, merge_runs, runs_of, several_runs
from punie.trace.analysis.integrity.structure import (
    copies,
    disturbed,
    links,
    missing_queries,
    perhaps_parts,
    roots,
)
from punie.trace.analysis.integrity.times import clocks, coarse_clock, shifted_clocks, times
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.queries.traces import Traces
from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.trees.clock_skew import Shift
from punie.trace.model import SpanSet
from punie.trace.units import count_text

_GRAVEST_FIRST: Final = tuple(Effect)


class Checks(msgspec.Struct):
    """What the checks of some traces found. Those of others add up with it, in any order."""

    flaws: Flaws = msgspec.field(default_factory=dict)
    shifts: list[Shift] = msgspec.field(default_factory=list)
    runs: Runs = msgspec.field(default_factory=dict)

    def add(self, other: Checks) -> None:
        """Add what the checks of other traces found."""
        merge_flaws(self.flaws, other.flaws)
        self.shifts += other.shifts
        merge_runs(self.runs, other.runs)


def check_traces(traces: Traces) -> Checks:
    """Everything that can be wrong with traces, each taken for itself."""
    flaws = tally(chain.from_iterable([check(traces) for check in _CHECKS]))
    return Checks(flaws, list(traces.skew.shifts), runs_of(traces))


def findings(
    checks: Checks,
    source: SpanSet,
    planned: Sequence[PlannedQuery] = (),
    missing: Sequence[PlannedQuery] = (),
    records: Sequence[QueryRecord] = (),
    requests: Sequence[ModelRequest] = (),
) -> tuple[IntegrityFinding, ...]:
    """Every finding with at least one case, the gravest first, then in the order of the checks.

    `checks` are of all traces of `source`, `missing` those of the `planned` queries that nobody asked. `requests` have
    the token counts that figures are made from.
    """
    every = (
        missing_queries(missing, len(planned)),
        *several_runs(checks.runs),
        *(finding_of(slug, checks.flaws, figures=_figures(slug, checks)) for slug in _slugs(checks)),
        coarse_clock(source.resolution_ns),
        shifted_clocks(sorted(checks.shifts, key=lambda shift: (shift.trace_id, shift.machine))),
        *_notes_of(source),
        cache_not_off(records, requests),
        perhaps_parts(records),
    )
    return tuple(sorted((one for one in every if one.count), key=_place))


def _slugs(checks: Checks) -> Iterator[str]:
    return iter(dict.fromkeys(slug for slug, _ in checks.flaws))


def _figures(slug: str, checks: Checks) -> str:
    if slug != "missing-parent":
        return ""
    return count_text(checks.flaws[slug, None].different, "missing parent")


def _place(one: IntegrityFinding) -> tuple[int, int]:
    last = len(_ORDER)
    return _GRAVEST_FIRST.index(one.effect), _ORDER.get(one.slug, last)


def _notes_of(source: SpanSet) -> Iterator[IntegrityFinding]:
    """What the reader notes about its source, and records that are no spans; of these all are named."""
    for slug in dict.fromkeys(note.slug for note in source.notes):
        of_kind = [note for note in source.notes if note.slug == slug]
        yield finding(slug, [note.case for note in of_kind], count=sum(note.count for note in of_kind))
    unreadable = [f"{record.file}:{record.line}: {record.reason}" for record in source.unreadable]
    yield finding("unreadable-record", unreadable, most=len(unreadable))


_CHECKS: Final[tuple[Callable[[Traces], Checked], ...]] = (
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
)
_ORDER: Final = {
    slug: place
    for place, slug in enumerate(
        (
            *("missing-query", "mixed-runs", "several-runs", "disturbed-query"),
            *("broken-root", "several-roots", "outside-query", "other-trace"),
            *("trace-without-model-call", "part-of-other-trace", "perhaps-part-of-other-trace"),
            *("cycle", "missing-parent", "follows-from", "ambiguous-query"),
            *("duplicate-span", "conflicting-duplicate", "shared-id"),
            *(
                "impossible-time",
                "inverted-span",
                "unended-span",
                "handed-on",
                "outside-window",
                "outside-parent",
            ),
            *("coarse-clock", "unknown-phase", "unrecognised-model-call", "request-without-model-call"),
            *("http-ends-at-headers", "uncovered-model-call"),
            *("clocks-disagree", "counts-disagree", "timings-too-long", "phase-sources-differ"),
            *("clock-skew", "clock-skew-unclear", "host-not-known"),
            *(
                "failed-model-call",
                "cached-above-prompt",
                "reasoning-above-output",
                "truncated-answer",
                "missing-usage",
            ),
            "draft-with-cache",
        )
    )
}
"""As the checks come; what sources say of themselves follows."""
