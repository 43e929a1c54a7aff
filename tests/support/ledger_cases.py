"""Queries that try the ledger, and a slow reference that shares no idea with the sweep but the definition."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from msgspec.structs import replace

from punie.trace.analysis.ledger.phases import PhasedSpan
from punie.trace.model import PHASE_GROUP, PHASES, Group, Phase, Provenance

EPOCH_NS = 1_764_000_000_000_000_000
Referred = tuple[int, dict[Phase, int], dict[Phase, int], dict[Phase, set[Provenance]]]


def reference(spans: Sequence[PhasedSpan]) -> Referred:
    """Wall, ns by phase, contested ns by phase and provenances of one query, instant by instant."""
    (root,) = {span for span in spans if span.is_root}
    alive = _mended(spans, root)
    bounds = sorted({edge for span in alive for edge in (span.start_ns, span.end_ns)})
    totals = dict.fromkeys(PHASES, 0)
    contested = dict.fromkeys(PHASES, 0)
    for i in range(len(bounds) - 1):
        low, high = bounds[i], bounds[i + 1]
        open_now = [span for span in alive if span.start_ns <= low and span.end_ns >= high]
        owner = next(phase for phase in PHASES if any(span.phase is phase for span in open_now))
        totals[owner] += high - low
        if any(group is not PHASE_GROUP[owner] for group in _working(open_now)):
            contested[owner] += high - low
    sources = {
        phase: {span.provenance for span in alive if span.phase is phase} for phase in PHASES if totals[phase]
    }
    return max(root.end_ns - root.start_ns, 0), totals, contested, sources


def _mended(spans: Sequence[PhasedSpan], root: PhasedSpan) -> list[PhasedSpan]:
    """One span an id, cut at the query's window; what has no length left is gone."""
    found = {}
    for span in spans:
        low, high = max(span.start_ns, root.start_ns), min(span.end_ns, root.end_ns)
        if high > low and span.end_ns > span.start_ns:
            found[span.span_id] = replace(span, start_ns=low, end_ns=high)
    return list(found.values())


def _working(open_now: Sequence[PhasedSpan]) -> set[Group]:
    """The groups of the open spans that have no open child."""
    parents = {span.parent_id for span in open_now}
    return {PHASE_GROUP[span.phase] for span in open_now if span.span_id not in parents}


@st.composite
def queries(draw: st.DrawFn) -> list[PhasedSpan]:
    """One query: nested, parallel, orphaned, skewed, zero-length, inverted, unended and repeated spans."""
    length = draw(st.integers(0, 12))
    start = EPOCH_NS + draw(st.integers(0, 5))
    root = PhasedSpan(
        "q", "t", "s0", None, start, start + length, Phase.FRAMEWORK, Provenance.CLIENT, is_root=True
    )
    spans = [root]
    palette = draw(
        st.lists(st.sampled_from(PHASES), min_size=1, max_size=4)
    )  # few, so that groups meet often
    for number in range(1, draw(st.integers(1, 14))):
        low = start + draw(st.integers(-2, 12))
        high = draw(st.one_of(st.sampled_from([low, 0]), st.integers(low - 3, low + 8)))
        parent = draw(st.sampled_from([None, "absent", *(one.span_id for one in spans)]))
        phase, provenance = draw(st.sampled_from(palette)), draw(st.sampled_from(list(Provenance)))
        spans.append(PhasedSpan("q", "t", f"s{number}", parent, low, high, phase, provenance))
    return spans + draw(st.lists(st.sampled_from(spans), max_size=4))


@st.composite
def queries_in_turn(draw: st.DrawFn, *, overlap: bool = False) -> list[PhasedSpan]:
    """One query in which one thing is done after another, each inside what asked for it; some take no time.

    With `overlap` what was asked for together may be done side by side.
    """
    spans = [PhasedSpan("q", "t", "s0", None, 0, 40, Phase.FRAMEWORK, Provenance.CLIENT, is_root=True)]
    free = {0: (0, 40)}  # by span: from where to where a further child may lie
    for number in range(1, draw(st.integers(1, 14))):
        above = draw(st.sampled_from(sorted(free)))
        low = draw(st.integers(free[above][0], free[above][1]))
        high = draw(st.integers(low, free[above][1]))
        phase, provenance = draw(st.sampled_from(PHASES)), draw(st.sampled_from(list(Provenance)))
        spans.append(PhasedSpan("q", "t", f"s{number}", f"s{above}", low, high, phase, provenance))
        free[above], free[number] = (low if overlap else high, free[above][1]), (low, high)
    return spans
