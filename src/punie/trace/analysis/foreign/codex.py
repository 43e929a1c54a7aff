"""Codex CLI's calls of a model: a span of a stream, which says nothing, and below it one for each event of the stream.

    receiving_stream        |-----------------------------------|    open until the tools that were asked for have ended
      handle_responses      |--||--||--||-----|                      the last one of the answer has its token counts
      the call              |-----------------|

Known from its source (`codex-rs/core/src/session/turn.rs`), not from runs: a stream of whose events none has counts (it
was cut, or an older version's) is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.trees.shapes import Shape
from punie.trace.model import Span

STREAM: Final = "receiving_stream"
_MODEL: Final = "model"
_COUNTS: Final = (
    *semconv.INPUT_TOKENS,
    *semconv.OUTPUT_TOKENS,
    *semconv.CACHED_TOKENS,
    *semconv.CACHE_WRITE_TOKENS,
)
Key = tuple[str, str]


def may_be_a_stream(shape: Shape) -> bool:
    """Whether spans of a shape are streams."""
    return shape.like.name == STREAM


def with_calls_of_streams(spans: Sequence[Span]) -> Sequence[Span]:
    """`spans`, each stream with an event that has token counts as a call that ends with it and has these counts."""
    streams = {(span.trace_id, span.span_id): span for span in spans if span.name == STREAM}
    if not streams:
        return spans
    answers = {
        (span.trace_id, span.parent_id or ""): span
        for span in sorted(spans, key=lambda span: span.end_ns)
        if (span.trace_id, span.parent_id) in streams
        and semconv.integer(span.attributes, semconv.OUTPUT_TOKENS) is not None
    }
    above = {(span.trace_id, span.span_id): span for span in spans}
    counted = {(answer.trace_id, answer.span_id) for answer in answers.values()}
    return [
        _call(span, answers[key], above.get((span.trace_id, span.parent_id or "")))
        if (key := (span.trace_id, span.span_id)) in answers
        else _without_counts(span)
        if key in counted
        else span
        for span in spans
    ]


def _call(stream: Span, answer: Span, request: Span | None) -> Span:
    counts = {name: answer.attributes[name] for name in _COUNTS if name in answer.attributes}
    model = None if request is None else request.attributes.get(_MODEL)
    added = {
        semconv.OPERATION: semconv.OPERATION_CHAT[0],
        **({} if model is None else {semconv.REQUEST_MODEL: model}),
    }
    return replace(stream, end_ns=answer.end_ns, attributes={**stream.attributes, **added, **counts})


def _without_counts(span: Span) -> Span:
    return replace(
        span, attributes={key: value for key, value in span.attributes.items() if key not in _COUNTS}
    )
