"""Do the spans of model requests say what they have to, and agree?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.below import Below
from punie.trace.analysis.calls.calls import Call
from punie.trace.analysis.calls.usage import (
    is_truncated,
    lacks_usage,
    output_is_short,
    prompt_is_short,
    reports_tokens,
)
from punie.trace.analysis.foreign.operations import looks_like_a_call, may_look_like_a_call
from punie.trace.analysis.integrity.disagreements import (
    cut_timings,
    differing_counts,
    differing_sources,
    disagreeing_clocks,
)
from punie.trace.analysis.integrity.finding import Cases, Checked, IntegrityFinding, finding, names
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.queries.traces import Traces, span_name
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.trees.roles import Role, can_be_model_request, ends_at_headers, error_type, written
from punie.trace.analysis.trees.shapes import Shape, some
from punie.trace.model import Span


def meaning(traces: Traces) -> Checked:
    """Phases that are not known, and HTTP spans that don't show what the model call was."""
    shapes = traces.forest.shapes
    if some(_has_unknown_phase, shapes):
        yield Cases("unknown-phase", [span_name(key) for key, span in traces.counted if _is_unknown(span)])
    if some(may_look_like_a_call, shapes):
        yield Cases("unrecognised-model-call", [*_unrecognised(traces)])
    calls, unreported = traces.counted_calls, traces.calls.unreported
    if unreported:
        missing = names([call.key for call in calls if call.key in unreported])
        yield Cases("request-without-model-call", missing)
    if cut := [span for call in calls if call.attempts for span in _cut_requests(call, traces)]:
        yield Cases("http-ends-at-headers", names([(span.trace_id, span.span_id) for span in cut]))
    if uncovered := [call.key for call in calls if not call.is_covered]:
        yield Cases("uncovered-model-call", names(uncovered))


def _has_unknown_phase(shape: Shape) -> bool:
    return shape.known is None and semconv.PHASE in shape.names


def _is_unknown(span: Span) -> bool:
    return semconv.PHASE in span.attributes and written(span) is None


def _unrecognised(traces: Traces) -> Iterator[str]:
    """What looks like a call and is neither one, nor in one or around one."""
    role, within, below = traces.calls.role, traces.calls.contexts.call, traces.calls.below
    for key, span in traces.counted:
        if (
            role[key] in _UNRECOGNISED
            and key not in within
            and not below[key] & Below.CHAT
            and looks_like_a_call(span)
        ):
            yield span_name(key)


def _cut_requests(call: Call, traces: Traces) -> Iterator[Span]:
    """Requests of which nothing else shows the body: no server's span, no longer HTTP span in or around them."""
    requests, below = traces.calls.contexts.request, traces.calls.below
    for span in call.attempts:
        key = (span.trace_id, span.span_id)
        is_outermost = traces.forest.parent[key] not in requests
        is_cut = is_outermost and can_be_model_request(span) and ends_at_headers(span)
        if is_cut and not below[key] & (Below.SERVER | Below.REQUEST):
            yield span


_UNRECOGNISED: Final = {Role.OTHER, Role.WORKFLOW, Role.AGENT}


def witnesses(traces: Traces) -> Checked:
    """Client and server that report different things."""
    yield Cases("clocks-disagree", names(disagreeing_clocks(traces)))
    yield Cases("counts-disagree", tuple(differing_counts(traces)))
    yield Cases("timings-too-long", names(cut_timings(traces)))
    yield Cases("phase-sources-differ", names(differing_sources(traces)))


def answers(traces: Traces) -> Checked:
    """Answers that were cut, and token counts that are missing."""
    requests = [call for call in traces.counted_calls if call.key in traces.calls.requests]
    if refused := traces.calls.refused:
        failed = [call for call in traces.counted_calls if call.key in refused]
        yield Cases("failed-model-call", sorted(map(_failure, failed)))
    reporting = [*filter(reports_tokens, requests)]
    if reporting:
        yield Cases("cached-above-prompt", names([call.key for call in reporting if prompt_is_short(call)]))
        yield Cases(
            "reasoning-above-output", names([call.key for call in reporting if output_is_short(call)])
        )
    if truncated := [call.key for call in requests if is_truncated(call)]:
        yield Cases("truncated-answer", names(truncated))
    if silent := [call.key for call in requests if lacks_usage(call)]:
        yield Cases("missing-usage", names(silent))


def _failure(call: Call) -> str:
    """A failed call and, where its span or a request of it says so, how it failed."""
    types = (error for span in (call.span, *call.attempts[::-1]) if (error := error_type(span)))
    return ": ".join([span_name(call.key), *islice(types, 1)])


def draft(traces: Traces) -> Checked:
    """A draft model beside the prompt cache."""
    if not some(_names_a_draft, traces.forest.shapes):
        return
    cached = [
        span_name(key)
        for key, span in traces.counted
        if traces.calls.role[key] is Role.SERVER
        and semconv.text(span.attributes, semconv.SERVER_DRAFT_MODEL) is not None
        and (semconv.integer(span.attributes, semconv.CACHED_TOKENS) or 0) > 0
    ]
    yield Cases("draft-with-cache", cached)


def _names_a_draft(shape: Shape) -> bool:
    return semconv.SERVER_DRAFT_MODEL in shape.names


def cache_not_off(records: Sequence[QueryRecord], requests: Sequence[ModelRequest]) -> IntegrityFinding:
    """Cached tokens where the cache was to be off; `requests` have the counts that figures are made from."""
    off = {record.ledger.query_key for record in records if record.cache == semconv.CACHE_OFF}
    cached = [
        span_name((request.trace_id, request.span_id))
        for request in requests
        if request.query_key in off and not request.warmup and request.tokens.cached
    ]
    return finding("cache-not-off", cached)
