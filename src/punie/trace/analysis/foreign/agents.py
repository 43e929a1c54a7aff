"""Spans of other instrumentations, in the words of the GenAI conventions, before anything else reads them.

What a span says in the conventions' own words counts; only what is missing is added, and an operation that is
called otherwise gets its name (`operations`). Token counts are totals, whoever wrote them: of Langfuse's `input`,
from which it has taken the cached ones, the `input_*` beside it are added again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.analysis.foreign import dialects, langfuse, spellings
from punie.trace.analysis.foreign.messages import as_text
from punie.trace.analysis.foreign.operations import (
    are_uninformative,
    is_plain,
    operation_by_name,
    operation_of,
)
from punie.trace.analysis.foreign.spellings import Meaning, holds_an_answer, meaning_of
from punie.trace.analysis.trees.roles import is_server
from punie.trace.analysis.trees.shapes import Shape, shape_of
from punie.trace.model import Attributes, AttributeValue, Phase, Provenance, Span

_NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_MICROSECOND: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_ALIASES: Final = frozenset(
    {
        *semconv.USAGE_OBJECTS,
        semconv.LANGFUSE_FIRST_TOKEN,
        *semconv.FOREIGN_KIND,
        *dialects.MODEL_NAMES[1:],
        *semconv.FOREIGN_TOOL_NAME,
        *semconv.FOREIGN_AGENT_NAME,
        *semconv.FOREIGN_FINISH_REASON,
    }
)

_INPUT: Final = frozenset(semconv.INPUT_TOKENS)
_OUTPUT: Final = frozenset(semconv.OUTPUT_TOKENS)
_USAGE_OBJECTS: Final = frozenset(semconv.USAGE_OBJECTS)
_FINISH_REASON: Final = re.compile(
    r'(?<!\\)"(?:(?:finish|stop|done)_reason|(?:finish|stop)Reason|incomplete_details"\s*:\s*\{\s*"reason)"'
    r'\s*:\s*"([^"\\]+)"'
)
_USAGE: Final = re.compile(r'(?<!\\)"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')
Missing = Iterator[tuple[str, AttributeValue]]


def with_conventions(spans: Iterable[Span]) -> tuple[Span, ...]:
    """`spans`, those of other instrumentations with the conventions' attributes beside their own."""
    found: list[Span] = []
    is_open = False
    for span in spans:
        known = span
        if not is_conventional(shape_of(span)) and not _is_uninformative(span):
            known = translated(span)
            is_open = is_open or semconv.OPERATION not in known.attributes
        found.append(known)
    return tuple(_with_calls_by_counts(found) if is_open else found)


def _is_uninformative(span: Span) -> bool:
    return are_uninformative((*span.attributes,)) and operation_by_name(span) is None


def _with_calls_by_counts(spans: Sequence[Span]) -> Sequence[Span]:
    """`spans`; where no known call counts tokens, spans that do are calls, though only the counts say so (Goose).

    Nothing below them may count or be known: they would be sums.
    """
    if any(map(is_counted_call, spans)):
        return spans
    counting = [span for span in spans if _counts_both(span)]
    if any(span.attributes.get(semconv.OPERATION) in semconv.OPERATION_CHAT for span in counting):
        return spans
    known = [span for span in spans if semconv.OPERATION in span.attributes]
    sums = _all_above(spans, [*counting, *known])
    calls = {
        id(span)
        for span in counting
        if (span.trace_id, span.span_id) not in sums and operation_of(span) is None and not is_server(span)
    }
    return [_as_call(span) if id(span) in calls else span for span in spans]


def _all_above(spans: Sequence[Span], some: Sequence[Span]) -> set[tuple[str, str | None]]:
    """The ids of all that `some` of the spans hang below."""
    parents = {(span.trace_id, span.span_id): (span.trace_id, span.parent_id) for span in spans}
    found: set[tuple[str, str | None]] = set()
    for span in some:
        at: tuple[str, str | None] | None = (span.trace_id, span.parent_id)
        while at is not None and at not in found:
            found.add(at)
            at = parents.get((at[0], at[1] or ""))
    return found


def is_counted_call(span: Span) -> bool:
    """Whether a span is a call that counts both its tokens, all of it in the conventions' words."""
    attributes = span.attributes
    is_call = attributes.get(semconv.OPERATION) in semconv.OPERATION_CHAT
    return is_call and not _INPUT.isdisjoint(attributes) and not _OUTPUT.isdisjoint(attributes)


def _counts_both(span: Span) -> bool:
    if are_uninformative((*span.attributes,)):
        return False
    counts = {name: value for name, value in _counts(span.attributes) if value is not None}
    names = (counts | dict(span.attributes)).keys()
    return not names.isdisjoint(semconv.INPUT_TOKENS) and not names.isdisjoint(semconv.OUTPUT_TOKENS)


def _as_call(span: Span) -> Span:
    named = {semconv.OPERATION: semconv.OPERATION_CHAT[0], **span.attributes}
    return translated(replace(span, attributes=named))


@lru_cache(maxsize=4096)
def is_conventional(shape: Shape) -> bool:
    """Whether spans of a shape are left as they are."""
    if not is_plain(shape):
        return False
    attributes, operation = shape.like.attributes, operation_of(shape.like)
    return not operation or (attributes.get(semconv.OPERATION) == operation and _mean_nothing((*attributes,)))


def translated(span: Span) -> Span:
    """A span with the conventions' attributes beside its own; itself where it lacks none."""
    if (streamed := _rest_of_a_stream(span)) is not None:
        return streamed
    operation = operation_of(span)
    attributes = span.attributes
    is_plain = attributes.get(semconv.OPERATION) == operation
    if operation == dialects.NOTHING_OF_THESE and attributes.get(semconv.OPERATION) in semconv.OPERATION_CHAT:
        return replace(span, attributes={**attributes, semconv.OPERATION: operation})
    if not operation or (is_plain and not span.events and _mean_nothing((*attributes,))):
        return span
    added = {key: value for key, value in _missing(span, operation) if value is not None}
    added = {key: value for key, value in added.items() if attributes.get(key) is None}
    if not is_plain:
        added[semconv.OPERATION] = operation
    return replace(span, attributes={**attributes, **added}) if added else span


@lru_cache(maxsize=4096)
def _mean_nothing(names: tuple[str, ...]) -> bool:
    """Whether attributes of these names say nothing in words that aren't the conventions'."""
    return _ALIASES.isdisjoint(names) and not any(meaning_of(name) or holds_an_answer(name) for name in names)


def _rest_of_a_stream(span: Span) -> Span | None:
    """What Logfire's log at the end of a stream reports: the span of the call itself ended at the headers.

    chat    |--|
    log        |- - duration - -|    an instant that becomes the model's time before it
    """
    template = semconv.text(span.attributes, semconv.MESSAGE_TEMPLATE) or ""
    seconds = span.attributes.get(dialects.STREAM_SECONDS)
    if not template.startswith(dialects.STREAM_ENDED) or not isinstance(seconds, int | float):
        return None
    if span.duration_ns or not 0 < seconds * _NS_PER_SECOND < span.start_ns:
        return None
    phase = {semconv.PHASE: Phase.MODEL.value, semconv.PHASE_PROVENANCE: Provenance.STREAM.value}
    rest = {name: value for name, value in span.attributes.items() if name != semconv.OPERATION}
    start_ns = span.start_ns - round(seconds * _NS_PER_SECOND)
    return replace(span, start_ns=start_ns, attributes={**rest, **phase})


def _missing(span: Span, operation: str) -> Missing:
    if operation in semconv.OPERATION_CHAT:
        yield from _of_request(span)
    elif operation == semconv.OPERATION_TOOL:
        yield semconv.TOOL_NAME, semconv.text(span.attributes, dialects.TOOL_NAMES) or span.name
    elif operation == semconv.OPERATION_AGENT:
        yield semconv.AGENT_NAME[0], semconv.text(span.attributes, dialects.AGENT_NAMES)


def _of_request(span: Span) -> Missing:
    attributes = span.attributes
    yield semconv.REQUEST_MODEL, semconv.text(attributes, dialects.MODEL_NAMES)
    yield from _counts(attributes)
    reason = semconv.first(attributes, dialects.FINISH_REASONS) or spellings.finish_reasons(attributes)
    reason = reason or _finish_reason(span)
    yield semconv.FINISH_REASONS, (reason,) if isinstance(reason, str) else reason
    if semconv.first(attributes, semconv.TIME_TO_FIRST_CHUNK) is None:
        first_ns = _first_token_ns(span)
        if first_ns is not None and span.start_ns <= first_ns <= span.end_ns:
            yield semconv.TIME_TO_FIRST_CHUNK[0], (first_ns - span.start_ns) / _NS_PER_SECOND
        elif first_ns is None:
            yield semconv.TIME_TO_FIRST_CHUNK[0], spellings.first_chunk_s(attributes)


@lru_cache(maxsize=4096)
def _may_count(names: tuple[str, ...]) -> bool:
    """Whether attributes of these names may count tokens in words that aren't the conventions'."""
    return not _USAGE_OBJECTS.isdisjoint(names) or any(map(meaning_of, names))


def _counts(attributes: Attributes) -> Missing:
    if not _may_count((*attributes,)) and semconv.integer(attributes, semconv.OUTPUT_TOKENS) is not None:
        return
    usage = langfuse.usage_of(attributes)
    if not usage and semconv.integer(attributes, semconv.OUTPUT_TOKENS) is None:
        usage = _usage_in_answers(attributes)
    for names, total, meaning in (
        (semconv.INPUT_TOKENS, langfuse.input_tokens, Meaning.INPUT),
        (semconv.OUTPUT_TOKENS, langfuse.output_tokens, Meaning.OUTPUT),
        (semconv.CACHED_TOKENS, langfuse.cached_tokens, Meaning.CACHED),
        (semconv.CACHE_WRITE_TOKENS, langfuse.written_tokens, Meaning.WRITTEN),
    ):
        if semconv.integer(attributes, names) is None:
            own = total(usage) if usage else None
            yield names[0], spellings.count(attributes, meaning) if own is None else own
    if semconv.integer(attributes, semconv.CACHED_TOKENS) is None:
        yield semconv.CACHED_TOKENS[0], spellings.cached_in_details(attributes)


def _usage_in_answers(attributes: Attributes) -> Mapping[str, object]:
    """The first object of counts in an answer that is JSON: Haystack writes them nowhere else."""
    answers = (as_text(value) for name, value in attributes.items() if value and holds_an_answer(name))
    of_json = (answer for answer in answers if answer.lstrip().startswith(("{", "[")))
    found = (found[1] for answer in of_json if (found := _USAGE.search(answer)))
    return langfuse.usage_of({semconv.USAGE_OBJECTS[0]: next(found, None)})


def _finish_reason(span: Span) -> AttributeValue:
    """Why the answer ended, by the event or the message that holds it, where no attribute does."""
    reasons: list[AttributeValue] = [*_reasons_in_answers(span.attributes)]
    for event in span.events:
        if event.name == semconv.CHOICE_EVENT:
            reasons.append(event.attributes.get(semconv.CHOICE_FINISH_REASON))
        reasons += _reasons_in_answers(event.attributes)
        written = event.attributes.get(semconv.FINISH_REASONS)
        reasons += written if isinstance(written, list | tuple) else (written,)
    return tuple(reason for reason in reasons if isinstance(reason, str)) or None


def _reasons_in_answers(attributes: Attributes) -> Sequence[AttributeValue]:
    """Those of the first attribute that holds an answer with them."""
    answers = (value for name, value in attributes.items() if holds_an_answer(name))
    return next((reasons for answer in answers if (reasons := [*_reasons_in(answer)])), ())


def _reasons_in(answer: AttributeValue) -> Iterable[AttributeValue]:
    if isinstance(answer, str | Mapping):
        return _FINISH_REASON.findall(as_text(answer))
    messages = answer if isinstance(answer, Sequence) else ()
    return [one.get(semconv.CHOICE_FINISH_REASON) for one in messages if isinstance(one, Mapping)]


def _first_token_ns(span: Span) -> int | None:
    """When the first chunk came: the earliest event that says so, else Langfuse's attribute, of microseconds."""
    events = [event.time_ns for event in span.events if event.name in semconv.FIRST_TOKEN_EVENTS]
    if events:
        return min(events)
    text = semconv.text(span.attributes, semconv.LANGFUSE_FIRST_TOKEN)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.strip('"')) - _EPOCH
    except (ValueError, TypeError):
        return None
    return ((at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds) * _NS_PER_MICROSECOND
