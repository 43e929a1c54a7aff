"""Do the times of the spans fit together?"""

from __future__ import annotations

from typing import Final

from punie.trace.analysis.integrity.finding import Checked, Effect, flaw
from punie.trace.analysis.queries.traces import Traces, span_name
from punie.trace.model import Span
from punie.trace.units import duration_text

_CLIPPED_PERCENT: Final = 1


def times(traces: Traces) -> Checked:
    """Inverted and unended spans, spans outside their query or parent, a coarse clock."""
    inverted = traces.where(lambda _, span: 0 != span.end_ns < span.start_ns)
    yield flaw("inverted-span", Effect.DOWNGRADED, inverted, "spans that end before they start")
    unended = traces.where(lambda _, span: span.end_ns == 0 < span.start_ns)
    yield flaw("unended-span", Effect.DOWNGRADED, unended, "spans without an end")
    yield from _windows(traces)
    resolution_ns = traces.source.resolution_ns
    coarse = [f"{resolution_ns} ns"] if resolution_ns > 1 else []
    yield flaw("coarse-clock", Effect.SHOWN, coarse, "the source keeps no nanoseconds")


def _windows(traces: Traces) -> Checked:
    forest, queries = traces.forest, traces.queries
    slight: list[str] = []
    far: list[str] = []
    parents: list[str] = []
    for key, span in traces.counted():
        root = forest.spans[queries.of[key]]
        parent = forest.parent[key]
        reach_ns = _reach_ns(span, root)
        if reach_ns:
            (far if reach_ns * 100 >= root.duration_ns * _CLIPPED_PERCENT else slight).append(span_name(key))
        elif parent is not None and _reach_ns(span, forest.spans[parent]):
            parents.append(span_name(key))
    effect = Effect.DOWNGRADED if far else Effect.SHOWN
    yield flaw("outside-window", effect, far + slight, "spans that reach out of their query: cut off there")
    yield flaw("outside-parent", Effect.SHOWN, parents, "spans that reach out of their parent")


def _reach_ns(span: Span, around: Span) -> int:
    """Nanoseconds of `span` outside `around`; 0 where one of them has no duration."""
    if span.duration_ns <= 0 or around.duration_ns < 0:
        return 0
    inside_ns = min(span.end_ns, around.end_ns) - max(span.start_ns, around.start_ns)
    return span.duration_ns - max(inside_ns, 0)


def clocks(traces: Traces) -> Checked:
    """Other machines' clocks."""
    skew = traces.skew
    largest_ns = max((abs(shift.shift_ns) for shift in skew.shifts), default=0)
    widest_ns = max((shift.uncertain_ns or 0 for shift in skew.shifts), default=0)
    open_ended = any(shift.uncertain_ns is None for shift in skew.shifts)
    known_to = "at least that" if open_ended else f"known to ±{duration_text(widest_ns)}"
    yield flaw(
        "clock-skew",
        Effect.DOWNGRADED,
        [f"{shift.trace_id}: {shift.machine} by {shift.shift_ns:+,} ns" for shift in skew.shifts],
        f"clocks of other machines, shifted by up to {duration_text(largest_ns)}, {known_to}",
    )
    yield flaw(
        "clock-skew-unclear",
        Effect.DOWNGRADED,
        skew.unclear,
        "machines whose clock is off, and no one shift puts all of their spans where they belong: not shifted",
    )
    yield flaw(
        "host-not-known",
        Effect.SHOWN,
        [span_name(key) for key in skew.unknown],
        "spans of another process outside their parent, and nothing tells whether it has another clock: cut off",
    )
