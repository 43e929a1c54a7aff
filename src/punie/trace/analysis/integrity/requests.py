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
from punie.trace.analysis.integrity.finding import Checked, Effect, flaw, names
from punie.trace.analysis.queries.roots import query_key
from punie.trace.analysis.queries.surroundings import Below, Inside, Surroundings
from punie.trace.analysis.queries.traces import Traces, span_name
from punie.trace.analysis.trees.roles import Role, ends_at_headers, may_ask_a_model, written_phase
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import Span


def meaning(traces: Traces) -> Checked:
    """Phases that are not known, and HTTP spans that don't show what the model call was."""
    unknown = traces.where(lambda _, span: semconv.PHASE in span.attributes and written_phase(span) is None)
    yield flaw("unknown-phase", Effect.DOWNGRADED, unknown, "spans with a phase that is not known here")
    headers = traces.where(partial(_is_cut_request, traces.around))
    yield flaw(
        "ends-at-headers",
        Effect.DOWNGRADED,
        headers,
        "HTTP spans that end before the body: time of the model call is taken from its own span",
    )
    outlasting = traces.where(lambda key, _: key in traces.around.outlasting)
    yield flaw(
        "outlasts-requests",
        Effect.DOWNGRADED,
        outlasting,
        "model calls that go on after the HTTP requests below them, which end at the headers or asked something "
        "else: all of such a call is taken as the model's",
    )


def _is_cut_request(around: Surroundings, key: SpanKey, span: Span) -> bool:
    """A model request of which nothing else shows the body: no server span, no longer HTTP span in or around it."""
    in_chat = around.role[key] is Role.HTTP and Inside.CHAT in around.inside[key]
    is_outermost = in_chat and Inside.HTTP not in around.inside[key]
    if not (is_outermost and may_ask_a_model(span) and ends_at_headers(span)):
        return False
    return not around.below[key] & (Below.SERVER | Below.REQUEST)


def witnesses(traces: Traces) -> Checked:
    """Client and server that tell different things."""
    yield flaw(
        "clocks-disagree",
        Effect.DOWNGRADED,
        names(disagreeing_clocks(traces)),
        "spans of a server that began before the request was sent or still generated after its last byte",
    )
    yield flaw(
        "counts-disagree",
        Effect.DOWNGRADED,
        tuple(differing_counts(traces)),
        "model requests of which client and server tell different token counts: prompt and output count as the "
        "client tells them, cached tokens as the server does",
    )
    yield flaw(
        "timings-too-long",
        Effect.DOWNGRADED,
        names(cut_timings(traces)),
        "phases of which the answer's body tells more time than the request had: cut off",
    )
    yield flaw(
        "several-accounts",
        Effect.SHOWN,
        names(several_accounts(traces)),
        "queries whose prefill or decode is known in more than one way: compare them with care",
    )


def answers(traces: Traces) -> Checked:
    """Answers that were cut, and tokens that nobody tells."""
    requests = partial(is_model_request, traces.around)
    truncated = traces.where(lambda key, span: requests(key) and is_truncated(span))
    yield flaw(
        "truncated-answer", Effect.DOWNGRADED, truncated, "model requests that ended by their token limit"
    )
    served = served_by(traces)
    bare = traces.where(
        lambda key, span: requests(key) and all(map(lacks_usage, (span, *served.get(key, ()))))
    )
    yield flaw("missing-usage", Effect.SHOWN, bare, "model requests without token counts")


def draft(traces: Traces) -> Checked:
    """A draft model beside the prompt cache."""
    cached = traces.where(
        lambda key, span: (
            traces.around.role[key] is Role.SERVER
            and semconv.text(span.attributes, semconv.SERVER_DRAFT_MODEL) is not None
            and (semconv.integer(span.attributes, semconv.CACHED_TOKENS) or 0) > 0
        )
    )
    yield flaw(
        "draft-with-cache",
        Effect.DOWNGRADED,
        cached,
        "requests with a draft model that took tokens from the prompt cache: mlx_lm 0.32 loses a token of the "
        "context then, so answers may be wrong",
    )


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
    yield flaw(
        "cache-arm",
        Effect.DOWNGRADED,
        cached,
        "model requests with cached tokens although the prompt cache was to be off",
    )
