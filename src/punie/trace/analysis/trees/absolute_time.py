"""Times that no traced program can have: before 2001, or more than a day after the report was asked for.

They come from monotonic clocks, unset fields and broken exporters. How long such a span took it does not tell. It
counts with what its children show, else as an instant:

    1970                               2026
    |------------- call, start 0 -------------|
                                  |- child ---|
                                  |-- call ---|     what counts

A trace in which no time is possible keeps all of them: they may well agree with each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from punie.trace.analysis.trees.tree import Forest, SpanKey, with_times
from punie.trace.model import Span

_SECOND_NS: Final = 10**9
DAY_NS: Final = 86_400 * _SECOND_NS
EARLIEST_NS: Final = 978_307_200 * _SECOND_NS  # 2001-01-01: no tracing is older
LONGEST_NS: Final = 30 * DAY_NS

_Window = tuple[int, int]


def mend_absolute_times(forest: Forest, now_ns: int) -> tuple[Forest, frozenset[SpanKey]]:
    """The forest with times that can be, and the spans whose own can't, or that last more than 30 days."""
    latest_ns = now_ns + DAY_NS
    odd = {key for key, span in forest.spans.items() if not can_be(span, now_ns)}
    if not odd:
        return forest, frozenset()
    impossible = {key for key in odd if not _too_long(forest.spans[key], latest_ns)}
    if not impossible:
        return forest, frozenset(odd)
    ends = _latest_possible(forest.spans, latest_ns)
    spans = dict(forest.spans)
    unknown: set[SpanKey] = set()
    for key in reversed(forest.order):
        if key in impossible and key[0] in ends:
            children = [child for child in forest.children.get(key, ()) if child not in unknown]
            window = _shown(spans[key], [spans[child] for child in children], latest_ns)
            if window is None:
                unknown.add(key)
            start_ns, end_ns = window or (ends[key[0]], ends[key[0]])
            spans[key] = replace(spans[key], start_ns=start_ns, end_ns=end_ns)
    return with_times(forest, spans), frozenset(odd)


def can_be(span: Span, now_ns: int) -> bool:
    """Whether the times of `span` are possible, and no further apart than 30 days."""
    return (
        EARLIEST_NS <= span.start_ns <= now_ns + DAY_NS
        and span.end_ns <= now_ns + DAY_NS
        and span.end_ns - span.start_ns <= LONGEST_NS
    )


def _too_long(span: Span, latest_ns: int) -> bool:
    return _can_be(span.start_ns, latest_ns) and _can_be(span.end_ns, latest_ns)


def _can_be(time_ns: int, latest_ns: int) -> bool:
    return EARLIEST_NS <= time_ns <= latest_ns


def _latest_possible(spans: Mapping[SpanKey, Span], latest_ns: int) -> dict[str, int]:
    """The last possible time of every trace that has any."""
    latest: dict[str, int] = {}
    for (trace_id, _), span in spans.items():
        for time_ns in (span.start_ns, span.end_ns):
            if _can_be(time_ns, latest_ns):
                latest[trace_id] = max(time_ns, latest.get(trace_id, 0))
    return latest


def _shown(span: Span, children: Iterable[Span], latest_ns: int) -> _Window | None:
    """What is known of the window of a span with an impossible time: by its other time and its children."""
    lows, highs = [], []
    for child in children:
        lows.append(child.start_ns)
        highs.append(max(child.start_ns, child.end_ns))
    if _can_be(span.start_ns, latest_ns):
        return span.start_ns, max([span.start_ns, *highs])
    if _can_be(span.end_ns, latest_ns):
        return min([span.end_ns, *lows]), span.end_ns
    return (min(lows), max(highs)) if lows else None
