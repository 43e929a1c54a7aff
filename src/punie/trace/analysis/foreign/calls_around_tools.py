"""Model calls that stay open while their caller works: what is left of them beside that work is the model's.

A client that streams through a generator (Google's ADK, LangChain's callbacks) leaves the call's span open while it
runs the tools and agents that the answer asked for:

    call_llm          |------------------------------------|
      execute_tool               |------------|
      model           |---------|              |-----------|      the children that are added here

An agent that begins with the call, in its first hundredth, is no such work: no model answered yet, and somebody put
a call's span around the whole run. Only calls that show nothing finer of themselves get such children.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.trees.roles import Role, role_of
from punie.trace.analysis.trees.shapes import Shape
from punie.trace.model import Phase, Provenance, Span

_CALLERS_WORK: Final = {Role.TOOL, Role.AGENT}
_HUNDREDTHS: Final = 100
_MODEL: Final = {
    semconv.PHASE: Phase.MODEL.value,
    semconv.PHASE_PROVENANCE: Provenance.INFERRED.value,
}
Key = tuple[str, str]


def may_be_callers_work(shape: Shape) -> bool:
    """Whether spans of a shape may be what a call's caller does beside it."""
    return shape.role in _CALLERS_WORK or (shape.role is None and semconv.OPERATION in shape.names)


def with_times_beside_tools(spans: Sequence[Span]) -> tuple[Span, ...]:
    """`spans`, with a child for each part of a call in which none of the tools and agents below it was at work."""
    workers = [
        span for span in spans if semconv.OPERATION in span.attributes and role_of(span) in _CALLERS_WORK
    ]
    by_key = {(span.trace_id, span.span_id): span for span in spans} if workers else {}
    work: dict[Key, list[Span]] = {}
    for span in workers:
        call = _call_above(span, by_key)
        if call is not None and is_callers_work(span, by_key[call]):
            work.setdefault(call, []).append(span)
    if not work:
        return tuple(spans)
    finer = set(_show_more(spans, by_key))
    return (*spans, *(child for key in work.keys() - finer for child in _children(by_key[key], work[key])))


def _show_more(spans: Iterable[Span], by_key: Mapping[Key, Span]) -> Iterator[Key]:
    """The calls that show something finer of themselves than what their caller worked."""
    for span in spans:
        role = role_of(span)
        is_finer = role in (Role.CHAT, Role.SERVER, Role.AGENT) or semconv.PHASE in span.attributes
        call = _call_above(span, by_key) if is_finer else None
        if call is not None and not is_callers_work(span, by_key[call]):
            yield call


def is_callers_work(span: Span, call: Span) -> bool:
    """Whether `span`, below an open call, is a tool or an agent that its answer asked for: that comes after it."""
    role = role_of(span)
    if role is not Role.AGENT:
        return role is Role.TOOL
    return (span.start_ns - call.start_ns) * _HUNDREDTHS > call.duration_ns


def _call_above(span: Span, by_key: Mapping[Key, Span]) -> Key | None:
    """The nearest model call above a span, if no tool, agent or server is between them."""
    seen = {span.span_id}
    while span.parent_id is not None and span.parent_id not in seen:
        key = (span.trace_id, span.parent_id)
        seen.add(span.parent_id)
        if key not in by_key:
            return None
        span = by_key[key]
        role = role_of(span)
        if role is Role.CHAT:
            return None if semconv.PHASE in span.attributes else key
        if role in _CALLERS_WORK or role is Role.SERVER:
            return None
    return None


def _children(call: Span, work: Iterable[Span]) -> Iterator[Span]:
    gaps = list(_gaps(call, work))
    if sum(end_ns - start_ns for start_ns, end_ns in gaps) == call.duration_ns:
        return
    for number, (start_ns, end_ns) in enumerate(gaps):
        yield Span(
            trace_id=call.trace_id,
            span_id=f"{call.span_id}.{Phase.MODEL.value}{number or ''}",
            parent_id=call.span_id,
            name=Phase.MODEL.value,
            start_ns=start_ns,
            end_ns=end_ns,
            attributes=_MODEL,
            resource=call.resource,
            scope=call.scope,
        )


def _gaps(call: Span, work: Iterable[Span]) -> Iterator[tuple[int, int]]:
    at_ns = call.start_ns
    for one in sorted(work, key=lambda span: span.start_ns):
        if one.start_ns >= call.end_ns:
            break
        if at_ns < one.start_ns:
            yield at_ns, one.start_ns
        at_ns = max(at_ns, one.end_ns)
    if at_ns < call.end_ns:
        yield at_ns, call.end_ns
