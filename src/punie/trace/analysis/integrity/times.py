"""Do the times of the spans fit together?"""

from __future__ import annotations

from typing import Final

from punie.trace.analysis.integrity.finding import Checked, finding, names
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.queries.traces import Traces, span_name
from punie.trace.model import Span
from punie.trace.units import duration_text

_CLIPPED_PERCENT: Final = 1


def times(traces: Traces) -> Checked:
    """Inverted and unended spans, spans outside their query or parent, a coarse clock."""
    counted = [key for key, _ in traces.counted() if key in traces.impossible] if traces.impossible else []
    others = names(traces.impossible.difference(counted))
    yield finding("impossible-time", names(counted) + others, effect=None if counted else Effect.SHOWN)
    inverted = [(key, span) for key, span in traces.counted() if span.end_ns < span.start_ns]
    yield finding("inverted-span", names(key for key, span in inverted if span.end_ns))
    yield finding("unended-span", names(key for key, span in inverted if not span.end_ns))
    yield from _windows(traces)
    resolution_ns = traces.source.resolution_ns
    yield finding("coarse-clock", [f"{resolution_ns} ns"] if resolution_ns > 1 else [])


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
    yield finding("outside-window", far + slight, effect=None if far else Effect.SHOWN)
    yield finding("outside-parent", parents)


def _reach_ns(span: Span, around: Span) -> int:
    """Nanoseconds of `span` outside `around`; 0 where one of them has no duration."""
    if around.start_ns <= span.start_ns and span.end_ns <= around.end_ns:
        return 0
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
    yield finding(
        "clock-skew",
        [f"{shift.trace_id}: {shift.machine} by {shift.shift_ns:+,} ns" for shift in skew.shifts],
        figures=f"by up to {duration_text(largest_ns)}, {known_to}",
    )
    yield finding("clock-skew-unclear", skew.unclear)
    yield finding("host-not-known", [span_name(key) for key in skew.unknown])
