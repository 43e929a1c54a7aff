"""Where two witnesses of one request contradict each other: the client's clock, the server's, the answer's body.

    client   |------------------ POST ------------------|
    server        |--------- request ----------------------|
    server           |- prefill -||-- decode --|

The server can't begin before the request was sent, nor produce a token after its last byte has arrived. (Its own
span may end later: it tidies up.) If its span is longer than the request's, no clock explains that: then the request's
ends at the headers, unless it says that it doesn't. Nothing is shifted: what reaches out is clipped where it is
counted, and said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Call
from punie.trace.analysis.calls.usage import first_chunk_is_late
from punie.trace.analysis.queries.traces import Traces, span_name
from punie.trace.analysis.queries.windows import is_inside
from punie.trace.analysis.trees.roles import Role, waited_for_last_byte, written, written_provenance
from punie.trace.analysis.trees.shapes import Shape, some
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import PHASE_GROUP, Group, Provenance, Span

TOLERANCE_NS: Final = 1_000_000
"""Processes on one host read one clock. But servers compute their times from a monotonic clock and keep them in
floating-point seconds, which costs microseconds, and a clock that is being slewed by 500 ppm moves a millisecond in
a request of two seconds. More than that changes what a report says of the way between the two processes."""


_COUNTS: Final = (
    ("input", semconv.INPUT_TOKENS),
    ("cached", semconv.CACHED_TOKENS),
    ("output", semconv.OUTPUT_TOKENS),
)


_Counts = Sequence[tuple[str, tuple[str, ...]]]
_COUNTS_OF_CLIENTS: Final = _COUNTS[-1:]
"""Prompts differ where an instrumentation counts cached tokens apart."""
_TOTAL_AND_PARTS: Final = (semconv.TOTAL_TOKENS, semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS)


def disagreeing_clocks(traces: Traces) -> Iterator[SpanKey]:
    """The spans of servers that lie outside the request that they answer."""
    for key, span in () if traces.is_one_nested_tree else traces.counted:
        answered = _answered(traces, key)
        if answered is not None and _contradicts(traces.calls.role[key], span, *answered):
            yield key


def cut_timings(traces: Traces) -> Iterator[SpanKey]:
    """The phases and calls that report more time, of a phase or up to the first chunk, than they have room for."""
    is_reported = some(_has_body_timings, traces.forest.shapes)
    for key, span in traces.counted if is_reported else ():
        reported_ns = semconv.integer(span.attributes, semconv.BODY_REPORTED_NS)
        if reported_ns is not None and reported_ns - span.duration_ns > TOLERANCE_NS:
            yield key
    yield from (call.key for call in traces.counted_calls if first_chunk_is_late(call))


def _has_body_timings(shape: Shape) -> bool:
    return semconv.BODY_REPORTED_NS in shape.names


def differing_counts(traces: Traces) -> Iterator[str]:
    """The model calls of which two witnesses report other token counts: which, and both.

    They are the server that answered, another instrumentation around the call, and the total beside the parts.
    """
    for call in traces.counted_calls:
        attributes, name = call.span.attributes, span_name(call.key)
        total, *parts = (semconv.integer(attributes, names) for names in _TOTAL_AND_PARTS)
        if total and total < sum(part or 0 for part in parts):
            yield f"{name}: total {total}, input {parts[0]}, output {parts[1]}"
        others = ((call.client_spans, _who_answered(call)), ((call.span,), call.wrappers))
        for counts, spans in zip((_COUNTS, _COUNTS_OF_CLIENTS), others, strict=True):
            if differ := [*_differing(counts, *spans)]:
                yield f"{name}: {', '.join(differ)}"


def _differing(counts: _Counts, some: Sequence[Span], others: Sequence[Span]) -> Iterator[str]:
    for name, names in counts if others else ():
        one, other = _count(some, names), _count(others, names)
        if one is not None and other is not None and one != other:
            yield f"{name} {one} and {other}"


def _who_answered(call: Call) -> Sequence[Span]:
    """The servers of a call, who answered first, if each lies in the one before: of retries each has its own."""
    if call.servers[:1] == (call.span,) or not all(map(is_inside, call.servers[1:], call.servers)):
        return ()
    return call.servers[::-1]


def _count(spans: Sequence[Span], names: tuple[str, ...]) -> int | None:
    counts = (semconv.integer(span.attributes, names) for span in spans)
    return next((count for count in counts if count is not None), None)


def differing_sources(traces: Traces) -> Iterator[SpanKey]:
    """The queries of which some request's generation is known in one way and another's in another."""
    for root, calls in traces.requests.items():
        if len({one.provenance for call in calls for one in call.phases}) < 2 or traces.is_warmup(root):
            continue
        phases = (one for call in calls for one in call.phases if PHASE_GROUP[one.phase] is Group.GENERATION)
        if len({one.provenance for one in phases}) > 1:
            yield root


def _answered(traces: Traces, key: SpanKey) -> tuple[Span, Span] | None:
    """The request around a server's span, and right below it what the server made for it; None without one."""
    span = traces.forest.spans[key]
    if traces.calls.role[key] is not Role.SERVER and written_provenance(span) is not Provenance.SERVER:
        return None
    served = key
    for above in traces.forest.above(key):
        if traces.calls.role[above] is Role.HTTP:
            request = traces.forest.spans[above]
            return None if request.duration_ns < 0 else (request, traces.forest.spans[served])
        served = above
    return None


def _contradicts(role: Role, span: Span, request: Span, served: Span) -> bool:
    if span.start_ns < request.start_ns - TOLERANCE_NS:
        return True
    known = written(span)
    is_generation = (
        role is not Role.SERVER and known is not None and PHASE_GROUP[known[0]] is Group.GENERATION
    )
    if not (is_generation and waited_for_last_byte(request)):
        return False
    fits = served.duration_ns <= request.duration_ns + TOLERANCE_NS
    return (
        fits or semconv.HTTP_ENDS_AT in request.attributes
    ) and span.end_ns > request.end_ns + TOLERANCE_NS
