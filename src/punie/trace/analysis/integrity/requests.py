"""Do the spans of model requests say what they have to, and agree?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from punie.trace import semconv
from punie.trace.analysis.calls.disagreements import (
    cut_timings,
    differing_counts,
    disagreeing_clocks,
    served_by,
    several_accounts,
)
from punie.trace.analysis.calls.requests import ModelRequest
from punie.trace.analysis.calls.usage import is_model_request, is_truncated, lacks_usage
from punie.trace.analysis.integrity.finding import Checked, finding, names
from punie.trace.analysis.queries.roots import query_key
from punie.trace.analysis.queries.surroundings import Below, Inside, Surroundings
from punie.trace.analysis.queries.traces import Traces, span_name
from punie.trace.analysis.trees.roles import Role, ends_at_headers, may_ask_a_model, written_phase
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import Span


def meaning(traces: Traces) -> Checked:
    """Phases that are not known, and HTTP spans that don't show what the model call was."""
    unknown = traces.where(lambda _, span: semconv.PHASE in span.attributes and written_phase(span) is None)
    yield finding("unknown-phase", unknown)
    yield finding("http-ends-at-headers", traces.where(partial(_is_cut_request, traces.around)))
    yield finding("uncovered-model-call", traces.where(lambda key, _: key in traces.around.outlasting))


def _is_cut_request(around: Surroundings, key: SpanKey, span: Span) -> bool:
    """A model request of which nothing else shows the body: no server span, no longer HTTP span in or around it."""
    in_chat = around.role[key] is Role.HTTP and Inside.CHAT in around.inside[key]
    is_outermost = in_chat and Inside.HTTP not in around.inside[key]
    if not (is_outermost and may_ask_a_model(span) and ends_at_headers(span)):
        return False
    return not around.below[key] & (Below.SERVER | Below.REQUEST)


def witnesses(traces: Traces) -> Checked:
    """Client and server that report different things."""
    yield finding("clocks-disagree", names(disagreeing_clocks(traces)))
    yield finding("counts-disagree", tuple(differing_counts(traces)))
    yield finding("timings-too-long", names(cut_timings(traces)))
    yield finding("phase-sources-differ", names(several_accounts(traces)))


def answers(traces: Traces) -> Checked:
    """Answers that were cut, and token counts that nobody reports."""
    requests = partial(is_model_request, traces.around)
    yield finding("truncated-answer", traces.where(lambda key, span: requests(key) and is_truncated(span)))
    served = served_by(traces)
    bare = traces.where(
        lambda key, span: requests(key) and all(map(lacks_usage, (span, *served.get(key, ()))))
    )
    yield finding("missing-usage", bare)


def draft(traces: Traces) -> Checked:
    """A draft model beside the prompt cache."""
    cached = traces.where(
        lambda key, span: (
            traces.around.role[key] is Role.SERVER
            and semconv.text(span.attributes, semconv.SERVER_DRAFT_MODEL) is not None
            and (semconv.integer(span.attributes, semconv.CACHED_TOKENS) or 0) > 0
        )
    )
    yield finding("draft-with-cache", cached)


def cache_arm(traces: Traces, requests: Sequence[ModelRequest]) -> Checked:
    """Cached tokens where the cache was to be off; `requests` have the counts that figures are made from."""
    off = {
        query_key(root)
        for root in traces.queries.roots
        if traces.forest.spans[root].attributes.get(semconv.QUERY_CACHE) == semconv.CACHE_OFF
    }
    cached = [
        span_name((request.trace_id, request.span_id))
        for request in requests
        if request.query_key in off and not request.warmup and request.tokens.cached
    ]
    yield finding("cache-not-off", cached)
