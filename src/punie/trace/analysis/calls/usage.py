"""What a model request counts: its tokens, its first chunk, whether its answer was cut.

The witnesses of one request are held against each other and never added up. How much was cached the server knows best;
prompt and output count as the client reports them, the innermost span first. A prompt can't be shorter than what of it
was cached: then it was reported without that part (as Anthropic counts it), and the parts are put together, for all
requests that the same instrumentation shows of the same model. Nor can an answer be shorter than its reasoning: then it
was reported without that (as Gemini counts it), and so it was where the request's total has room for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final

import msgspec
from msgspec import structs

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Call
from punie.trace.analysis.calls.finish_reasons import ended_by_limit, failure_in
from punie.trace.analysis.foreign.agents import is_counted_call, with_conventions
from punie.trace.analysis.foreign.operations import is_plain, is_uninformative
from punie.trace.analysis.trees.roles import Role, role_of
from punie.trace.analysis.trees.shapes import shape_of
from punie.trace.analysis.trees.tree import SpanKey
from punie.trace.model import AttributeValue, Span

_NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_MILLISECOND: Final = 1_000_000
_OF_TOKENS: Final = frozenset(
    {
        *semconv.INPUT_TOKENS,
        *semconv.OUTPUT_TOKENS,
        *semconv.CACHED_TOKENS,
        *semconv.CACHE_WRITE_TOKENS,
        *semconv.REASONING_TOKENS,
    }
)
Reporter = tuple[str, str | None]
"""The instrumentation's scope and the model, which report tokens in one way."""


class TokenCounts(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one model request: of its prompt, of those taken from the prompt cache, produced. None: unknown."""

    input: int | None
    cached: int | None
    output: int | None


_NOT_REPORTED: Final = TokenCounts(None, None, None)


class Usage(msgspec.Struct, frozen=True):
    """Sums over the model requests of a query; None where one of them doesn't report it."""

    model_requests: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    time_to_first_chunk_ns: tuple[int, ...]
    truncated: int


def excludes_cached(call: Call) -> bool:
    """Whether a request's client reports more tokens from and into the cache than prompt: that is the rest then."""
    prompt = semconv.integer(call.span.attributes, semconv.INPUT_TOKENS)
    return prompt is not None and _beside_prompt([call.span], [call.span]) > prompt


def prompt_is_short(call: Call) -> bool:
    """Whether more tokens of a prompt came from and went into a cache than it had."""
    prompt = _first_count(call.all_spans, semconv.INPUT_TOKENS)
    return prompt is not None and _beside_prompt(call.servers[::-1], call.client_spans) > prompt


def _beside_prompt(served: Sequence[Span], client: Sequence[Span]) -> int:
    """Tokens that a prompt has at least: what of it came from a cache, and what of the rest went into one."""
    cached = _first_count((*served, *client), semconv.CACHED_TOKENS)
    return (cached or 0) + (_first_count(client, semconv.CACHE_WRITE_TOKENS) or 0)


def output_is_short(call: Call) -> bool:
    """Whether the output of a request was reported without the reasoning that it took."""
    span = _first_reporting(call.client_spans, semconv.OUTPUT_TOKENS)
    return span is not None and _reasoning_beside(span) > 0


def _reasoning_beside(span: Span) -> int:
    """Tokens of reasoning that `span` reports beside its output: more than that has, or both are in the total."""
    reasoning = semconv.integer(span.attributes, semconv.REASONING_TOKENS) or 0
    if not reasoning:
        return 0
    output, prompt, total = (
        semconv.integer(span.attributes, names) or 0
        for names in (semconv.OUTPUT_TOKENS, semconv.INPUT_TOKENS, semconv.TOTAL_TOKENS)
    )
    is_beside = reasoning > output or (prompt > 0 and total == prompt + output + reasoning)
    return reasoning if is_beside else 0


def reporter_of(call: Call) -> Reporter:
    """The reporter of the tokens of a request."""
    return call.span.scope, semconv.text(call.span.attributes, semconv.REQUEST_MODEL)


def token_counts(call: Call, *, cache_arm: str | None, apart: Set[Reporter] = frozenset()) -> TokenCounts:
    """The counts of one request; `apart` are reporters of the prompt without what of it was cached.

    A client that leaves zeros out (PydanticAI does) reports nothing of a request without cached tokens; from a server
    that `run` started, which always reports them, that silence means 0. From an unknown server it stays unknown.
    """
    if not reports_tokens(call):
        return _NOT_REPORTED
    served = tuple(reversed(call.servers))
    cached = _first_count((*served, *call.client_spans), semconv.CACHED_TOKENS)
    prompt = _first_count((*call.client_spans, *served), semconv.INPUT_TOKENS)
    beside = _beside_prompt(served, call.client_spans)
    if prompt is not None and beside and (reporter_of(call) in apart or beside > prompt):
        whole = _first_count(served, semconv.INPUT_TOKENS)
        prompt = whole if whole is not None and whole >= beside else prompt + beside
    output = _first_count((*call.client_spans, *served), semconv.OUTPUT_TOKENS)
    reporting = _first_reporting(call.client_spans, semconv.OUTPUT_TOKENS)
    if output is not None and reporting is not None:
        output += _reasoning_beside(reporting)
    silence_is_zero = cached is None and prompt is not None and cache_arm in semconv.CACHE_ARMS_OF_RUN
    return TokenCounts(prompt, 0 if silence_is_zero else cached, output)


def requested_models(spans: Iterable[Span]) -> tuple[str, ...]:
    """The models that requests name, whoever made their spans; sorted."""
    counted: list[Span] = []  # one of these has all that others have to know of them
    others: list[Span] = []
    for span in spans:
        shape = shape_of(span)
        if not is_uninformative(shape):
            is_known = shape.role is Role.CHAT and is_plain(shape) and is_counted_call(span)
            (counted if is_known and _model_of(span) else others).append(span)
    names = {_model_of(span) for span in counted}
    chats = (span for span in with_conventions([*counted[:1], *others]) if role_of(span) is Role.CHAT)
    names.update(map(_model_of, chats))
    return tuple(sorted(name for name in names if name))


def _model_of(call: Span) -> str | None:
    return semconv.text(call.attributes, (semconv.REQUEST_MODEL, semconv.RESPONSE_MODEL))


def usage_of(calls: Sequence[Call], counts: Sequence[TokenCounts]) -> Usage:
    """The sums over the model requests of one query: their calls and, in any order, their counts."""
    return Usage(
        model_requests=len(calls),
        input_tokens=_total([count.input for count in counts]),
        cached_tokens=_total([count.cached for count in counts]),
        output_tokens=_total([count.output for count in counts]),
        time_to_first_chunk_ns=tuple(first for call in calls if (first := first_chunk_ns(call)) is not None),
        truncated=sum(map(is_truncated, calls)),
    )


def counts_for_sums(
    counts: Mapping[SpanKey, TokenCounts], around: Iterable[tuple[TokenCounts, Set[SpanKey]]]
) -> Sequence[TokenCounts]:
    """The counts of some requests, to be added up alone: what only a call `around` several reports is one request's.

    What of several each request has isn't known. Nothing is added where any of these requests reports its own.
    """
    summed = dict(counts)
    for total, several in around:
        inside = [key for key in several if key in summed]
        for name in TokenCounts.__struct_fields__:
            if not getattr(total, name) or any(getattr(summed[key], name) is not None for key in inside):
                continue
            for key in inside:
                of_one = getattr(total, name) if key == inside[0] else 0
                summed[key] = structs.replace(summed[key], **{name: of_one})
    return tuple(summed.values())


def reports_tokens(call: Call) -> bool:
    """Whether some span has an attribute for tokens."""
    return not all(_OF_TOKENS.isdisjoint(span.attributes) for span in call.all_spans)


def lacks_usage(call: Call) -> bool:
    """Whether nobody reports how many tokens went in or came out."""
    spans = call.all_spans if reports_tokens(call) else ()
    return (
        _first_count(spans, semconv.INPUT_TOKENS) is None
        or _first_count(spans, semconv.OUTPUT_TOKENS) is None
    )


def is_truncated(call: Call) -> bool:
    """Whether a model request ended by its token limit, by the first span that says why it ended."""
    return ended_by_limit(_finish_reasons(call))


def failed_answer(calls: Sequence[Call]) -> str | None:
    """Why the last answer of a query was prevented, if it was; None if it gave one."""
    answered = [call for call in calls if not call.is_refused or _finish_reasons(call)]
    last = max(answered, key=lambda call: call.span.end_ns, default=None)
    reason = failure_in(_finish_reasons(last)) if last else None
    return reason and f"the last answer ended by {reason}"


def _finish_reasons(call: Call) -> AttributeValue:
    for span in call.all_spans:
        if reasons := span.attributes.get(semconv.FINISH_REASONS):
            return reasons
    return None


def _first_count(spans: Iterable[Span], names: tuple[str, ...]) -> int | None:
    first = None
    for span in spans:
        count = semconv.integer(span.attributes, names)
        if count is None or count < 0:
            continue
        if count or names is semconv.CACHED_TOKENS:
            return count
        first = count  # some write 0 for what they don't know
    return first


def _first_reporting(spans: Iterable[Span], names: tuple[str, ...]) -> Span | None:
    """The first span that reports such a count above 0."""
    return next((span for span in spans if (semconv.integer(span.attributes, names) or 0) > 0), None)


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def first_chunk_ns(call: Call) -> int | None:
    """How long a request's first chunk took in nanoseconds, by the first span that reports it."""
    return next((ns for span in call.client_spans if (ns := _first_chunk_of(span)) is not None), None)


def first_chunk_is_late(call: Call) -> bool:
    """Whether the first chunk of an answer is said to have come after the call had ended."""
    first_ns = first_chunk_ns(call)
    return (
        first_ns is not None
        and first_ns > max(span.duration_ns for span in call.client_spans) + _NS_PER_MILLISECOND
    )


def _first_chunk_of(span: Span) -> int | None:
    """The convention's seconds as nanoseconds; a whole number beyond the span's end is meant in milliseconds.

    Strands writes the milliseconds of Bedrock under the convention's name. A call's span may end at the headers.
    """
    written = semconv.first(span.attributes, semconv.TIME_TO_FIRST_CHUNK)
    if isinstance(written, bool) or not isinstance(written, int | float) or not 0 <= written < float("inf"):
        return None
    first_ns = round(written * _NS_PER_SECOND)
    if isinstance(written, float) or first_ns <= span.duration_ns:
        return first_ns
    first_ns = written * _NS_PER_MILLISECOND
    return first_ns if first_ns <= span.duration_ns else None
