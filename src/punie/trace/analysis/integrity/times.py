"""Do the times of the spans fit together?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from punie.trace.analysis.integrity.finding import Cases, Checked, IntegrityFinding, finding, names
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.queries.traces import Traces, span_name
from punie.trace.analysis.trees.clock_skew import Shift
from punie.trace.model import Span
from punie.trace.units import duration_text

_CLIPPED_PERCENT: Final = 1


def times(traces: Traces) -> Checked:
    """Inverted and unended spans, spans outside their query or parent."""
    if traces.impossible:
        counted = [key for key, _ in traces.counted if key in traces.impossible]
        yield Cases("impossible-time", names(counted))
        yield Cases("impossible-time", names(traces.impossible.difference(counted)), Effect.SHOWN)
    if traces.is_one_nested_tree:  # then no time below can be wrong
        return
    inverted = [(key, span) for key, span in traces.counted if span.end_ns < span.start_ns]
    yield Cases("inverted-span", names(key for key, span in inverted if span.end_ns))
    yield Cases("unended-span", names(key for key, span in inverted if not span.end_ns))
    yield Cases("handed-on", names([key for key, _ in traces.counted if key in traces.handed_on]))
    yield from _windows(traces)


def _windows(traces: Traces) -> Checked:
    forest, queries = traces.forest, traces.queries
    slight: list[str] = []
    far: list[str] = []
    parents: list[str] = []
    for key, span in traces.counted:
        root = forest.spans[queries.of[key]]
        parent = forest.parent[key]
        if (reach_ns := _reach_ns(span, root)) > 0:
            (far if reach_ns * 100 >= root.duration_ns * _CLIPPED_PERCENT else slight).append(span_name(key))
        elif parent is not None and _reach_ns(span, forest.spans[parent]):
            parents.append(span_name(key))
    yield Cases("outside-window", far)
    yield Cases("outside-window", slight, Effect.SHOWN)
    yield Cases("outside-parent", parents)


def _reach_ns(span: Span, around: Span) -> int:
    """Nanoseconds of `span` outside `around`; 0 where one of them has no duration."""
    if around.start_ns <= span.start_ns and span.end_ns <= around.end_ns:
        return 0
    if span.duration_ns <= 0 or around.duration_ns < 0:
        return 0
    inside_ns = min(span.end_ns, around.end_ns) - max(span.start_ns, around.start_ns)
    return span.duration_ns - max(inside_ns, 0)


def clocks(traces: Traces) -> Checked:
    """Other machines' clocks that can't be brought together."""
    if not (traces.skew.unclear or traces.skew.unknown):
        return
    yield Cases("clock-skew-unclear", traces.skew.unclear)
    yield Cases("host-not-known", [span_name(key) for key in traces.skew.unknown])


def shifted_clocks(shifts: Sequence[Shift]) -> IntegrityFinding:
    """Other machines' clocks that were shifted."""
    largest_ns = max((abs(shift.shift_ns) for shift in shifts), default=0)
    widest_ns = max((shift.uncertain_ns or 0 for shift in shifts), default=0)
    open_ended = any(shift.uncertain_ns is None for shift in shifts)
    known_to = "at least that" if open_ended else f"known to ±{duration_text(widest_ns)}"
    return finding(
        "clock-skew",
        [f"{shift.trace_id}: {shift.machine} by {_signed(shift.shift_ns)}" for shift in shifts],
        figures=f"by up to {duration_text(largest_ns)}, {known_to}",
    )


def _signed(ns: int) -> str:
    return f"{'-' if ns < 0 else '+'}{duration_text(abs(ns))}"


def coarse_clock(resolution_ns: int) -> IntegrityFinding:
    """A source whose format counts in more than nanoseconds."""
    return finding("coarse-clock", [f"{resolution_ns} ns"] if resolution_ns > 1 else [])
