"""vLLM's and SGLang's own spans, said in our words: which phase each is, and the phases that are reported as durations.

vLLM makes one SERVER span a request, `llm_request`, with its durations as attributes (seconds). They are laid
into it around the first token:

    |------------------- llm_request -------------------|
        |- queue -||--- prefill ---||---- decode ----|
                       first token ^ start + time_to_first_token

What is not reported (tokenising, detokenising, the way between its processes) stays `serve`. Where only the first token
and the end are reported (vLLM 0, TensorRT-LLM), prefill is what lies between the queue and the one, decode between the
one and the other. Durations for which the
request has no room (milliseconds in place of seconds) are not laid into it, and it is marked so. SGLang makes a
span for each step of a request, below one for the request and one for each thread, none of them of kind SERVER; the
same attributes stand on its request's span too, and count only where the steps are missing (a low trace level).

TGI's span of a request has durations as Rust prints them (`12.5ms`): validation, the queue, and inference, which is
all of the model's work. Triton has a span for what a model computes, below one with an event when its queue began.
Dynamo's frontend writes method and path of a request in words of its own, on a span without a kind.

Known from their source, not from servers that ran: vLLM `vllm/v1/engine/output_processor.py` (`do_tracing`),
SGLang `python/sglang/srt/observability/{trace,req_time_stats}.py`, TGI `router/src/server.rs`, Triton `src/tracer.cc`,
Dynamo `lib/runtime/src/logging.rs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.trees.roles import is_server, written
from punie.trace.analysis.trees.shapes import Shape
from punie.trace.model import (
    PHASE_GROUP,
    Attributes,
    AttributeValue,
    Group,
    Phase,
    Provenance,
    Span,
    SpanKind,
)

_NS_PER_SECOND: Final = 1_000_000_000
_LONGEST_S: Final = 1e7  # what says more is no duration of a request
_MOST: Final = (
    2  # times the request's own duration: phases that take longer in sum are reported wrongly, and not laid
)

# A decode server's own queue and the transfer of the prompt's cache to it are no work of the model.
_SGLANG_PHASES: Final[Mapping[str, Phase]] = {
    "tokenize": Phase.TEMPLATE,
    "prefill_waiting": Phase.QUEUE,
    "prefill_forward": Phase.PREFILL,
    "chunked_prefill": Phase.PREFILL,
    "decode_waiting": Phase.QUEUE,
    "decode_forward": Phase.DECODE,
    "decode_loop": Phase.DECODE,
}

TRITON: Final = "triton-server"  # the scope of its spans
_COMPUTE: Final = "compute"  # a span of Triton's, and an event on the one around it
_QUEUED: Final = "QUEUE_START"
_TRITON_PHASES: Final[Mapping[str, Phase]] = {_COMPUTE: Phase.MODEL}
DYNAMO: Final = "http-request"  # its frontend's span
_WITHOUT_KIND: Final = (SpanKind.UNSPECIFIED, SpanKind.INTERNAL)
_DYNAMOS_WORDS: Final = ("method", "uri")
TGI: Final = "time_per_token"  # embeddings' servers have the others too
_RUST: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ns|µs|ms|s)")
_RUST_UNITS: Final = {"ns": 1, "µs": 1_000, "ms": 1_000_000, "s": _NS_PER_SECOND}
DURATIONS: Final = frozenset({semconv.LATENCY_PREFILL, semconv.LATENCY_DECODE, semconv.LATENCY_E2E})
"""Attributes without any of which a server's span reports no phases."""
Key = tuple[str, str]


def may_report_phases(shape: Shape) -> bool:
    """Whether a server may report its phases by spans of a shape in words of its own."""
    names = shape.names
    is_reported = not DURATIONS.isdisjoint(names) or TGI in names
    return (is_reported and semconv.PHASE not in names) or _may_be_named(shape.like)


def with_foreign_phases(spans: Iterable[Span]) -> tuple[Span, ...]:
    """`spans` with SGLang's steps named, and with a child for each phase that a server reported as a duration.

    Our own server writes the same attributes and its phases: a span that names a phase is left as it is.
    """
    named = tuple([_named(span) if _may_be_named(span) else span for span in spans])
    named = (*named, *_queues_of_triton(named))
    reporting = {
        (span.trace_id, span.span_id): span
        for span in named
        if not DURATIONS.isdisjoint(span.attributes) and _reports_phases(span)
    }
    printed = {
        (span.trace_id, span.span_id): span
        for span in named
        if TGI in span.attributes and semconv.PHASE not in span.attributes
    }
    if not reporting and not printed:
        return named
    for key in _above_generation(named):
        reporting.pop(key, None)
    impossible = {
        key: reported_ns for key, span in (reporting | printed).items() if (reported_ns := _too_long_ns(span))
    }
    if impossible:
        named = tuple([_marked(span, impossible.get((span.trace_id, span.span_id))) for span in named])
    return (
        *named,
        *(
            child
            for key, span in reporting.items()
            if key not in impossible
            for child in _reported_phases(span)
        ),
        *(child for key, span in printed.items() if key not in impossible for child in _printed(span)),
    )


def _too_long_ns(span: Span) -> int:
    """What a request's phases took by its report, if it has no room for that (they aren't in seconds); else 0."""
    printed = _printed_times(span) if TGI in span.attributes else ()
    reported_ns = sum(ns or 0 for ns in (*_durations_ns(span.attributes), *printed))
    return reported_ns if reported_ns > _MOST * span.duration_ns else 0


def _marked(span: Span, reported_ns: int | None) -> Span:
    if reported_ns is None:
        return span
    return replace(span, attributes={**span.attributes, semconv.BODY_REPORTED_NS: reported_ns})


def _may_be_named(span: Span) -> bool:
    return span.name == DYNAMO or span.scope.startswith((semconv.SGLANG_SCOPE, TRITON))


def _named(span: Span) -> Span:
    attributes = span.attributes
    if semconv.PHASE in attributes:
        return span
    if span.name == DYNAMO and span.kind in _WITHOUT_KIND:
        method, path = (attributes.get(name) for name in _DYNAMOS_WORDS)
        request = {semconv.HTTP_METHOD[0]: method, semconv.URL_PATH: path}
        is_request = None not in (method, path)
        return (
            replace(span, kind=SpanKind.SERVER, attributes={**request, **attributes}) if is_request else span
        )
    is_triton = span.scope.startswith(TRITON)
    phase = _TRITON_PHASES.get(span.name) if is_triton else _SGLANG_PHASES.get(span.name)
    # Triton's are all of kind SERVER, the one for what a model computes among them
    kind = SpanKind.INTERNAL if is_triton else span.kind
    return (
        span
        if phase is None
        else replace(span, kind=kind, attributes={**attributes, **_phase_attributes(phase)})
    )


def _queues_of_triton(spans: Iterable[Span]) -> Iterator[Span]:
    """A child for the time between a request's event and what a model computes for it."""
    of_triton = [span for span in spans if span.scope.startswith(TRITON)]
    began_ns: dict[tuple[str, str | None], int] = {}
    for one in of_triton:
        if one.name == _COMPUTE:
            above = (one.trace_id, one.parent_id)
            began_ns[above] = min(one.start_ns, began_ns.get(above, one.start_ns))
    for span in of_triton:
        until_ns = began_ns.get((span.trace_id, span.span_id), 0)
        for event in span.events:
            if event.name == _QUEUED:
                yield from _child(span, Phase.QUEUE, event.time_ns, until_ns)


def _phase_attributes(phase: Phase) -> Attributes:
    return {semconv.PHASE: phase.value, semconv.PHASE_PROVENANCE: Provenance.SERVER.value}


def _reports_phases(span: Span) -> bool:
    return (
        semconv.PHASE not in span.attributes and is_server(span) and any(_durations_ns(span.attributes)[1:])
    )


def _above_generation(spans: Sequence[Span]) -> Iterator[Key]:
    """The ancestors of spans that name a phase of generation."""
    parents = {(span.trace_id, span.span_id): span.parent_id for span in spans}
    seen: set[Key] = set()
    for span in spans:
        known = written(span)
        if known is None or PHASE_GROUP[known[0]] is not Group.GENERATION:
            continue
        at = span.parent_id
        while at is not None and (span.trace_id, at) not in seen:
            key = (span.trace_id, at)
            seen.add(key)
            yield key
            at = parents.get(key)


def _durations_ns(attributes: Attributes) -> tuple[int, int, int]:
    """Queue, prefill and decode; 0 for what isn't reported."""
    names = (semconv.LATENCY_QUEUE, semconv.LATENCY_PREFILL, semconv.LATENCY_DECODE)
    queue_ns, prefill_ns, decode_ns = (_seconds_ns(attributes, name) for name in names)
    first_ns, all_ns = (
        _seconds_ns(attributes, name) for name in (semconv.LATENCY_FIRST_TOKEN, semconv.LATENCY_E2E)
    )
    if prefill_ns is decode_ns is None and first_ns is not None and all_ns is not None:
        prefill_ns, decode_ns = max(first_ns - (queue_ns or 0), 0), max(all_ns - first_ns, 0)
    return queue_ns or 0, prefill_ns or 0, decode_ns or 0


def _reported_phases(span: Span) -> Iterator[Span]:
    queue_ns, prefill_ns, decode_ns = _durations_ns(span.attributes)
    first_token_ns = _seconds_ns(span.attributes, semconv.LATENCY_FIRST_TOKEN)
    first_ns = span.start_ns + (queue_ns + prefill_ns if first_token_ns is None else first_token_ns)
    began_ns = first_ns - prefill_ns
    yield from _child(span, Phase.QUEUE, began_ns - queue_ns, began_ns)
    yield from _child(span, Phase.PREFILL, began_ns, first_ns)
    yield from _child(span, Phase.DECODE, first_ns, first_ns + decode_ns)


def _printed(span: Span) -> Iterator[Span]:
    """What a span of TGI's reports: a child for the time in the queue, and one for that of the model."""
    checked_ns, queue_ns, model_ns = _printed_times(span)
    queued_ns = span.start_ns + (checked_ns or 0)
    began_ns = queued_ns + (queue_ns or 0)
    if model_ns is not None:
        yield from _child(span, Phase.QUEUE, queued_ns, began_ns)
        yield from _child(span, Phase.MODEL, began_ns, began_ns + model_ns)


def _printed_times(span: Span) -> Sequence[int | None]:
    """Before the queue, in it, and the model's."""
    names = ("validation_time", "queue_time", "inference_time")
    return [_printed_ns(span.attributes.get(name)) for name in names]


def _printed_ns(value: AttributeValue) -> int | None:
    found = _RUST.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else round(float(found[1]) * _RUST_UNITS[found[2]])


def _child(span: Span, phase: Phase, start_ns: int, end_ns: int) -> Iterator[Span]:
    start_ns, end_ns = max(start_ns, span.start_ns), min(end_ns, span.end_ns)
    if start_ns < end_ns:
        yield Span(
            trace_id=span.trace_id,
            span_id=f"{span.span_id}.{phase.value}",
            parent_id=span.span_id,
            name=phase.value,
            start_ns=start_ns,
            end_ns=end_ns,
            attributes=_phase_attributes(phase),
            resource=span.resource,
            scope=span.scope,
        )


def _seconds_ns(attributes: Attributes, name: str) -> int | None:
    value = attributes.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value * _NS_PER_SECOND) if 0 <= value < _LONGEST_S else None
