"""Which operation a span stands for: by its own word for it, else by what only such an operation has.

A word that is known decides: `gen_ai.operation.name`, else what an instrumentation calls the span's kind. Where none
does, attributes that only one kind of span has do: a tool's name with the call's id or arguments; a model's name with
output tokens or a finish reason (the name alone stands on database and guardrail spans too); an agent's name with the
sums or the result of its run.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from punie.trace import semconv
from punie.trace.analysis.foreign import dialects
from punie.trace.analysis.foreign.langfuse import usage_of
from punie.trace.analysis.foreign.spellings import Meaning, has_meaning, meaning_of
from punie.trace.analysis.trees.roles import is_server
from punie.trace.analysis.trees.shapes import Shape
from punie.trace.model import Attributes, Span

_PLAIN: Final = {*semconv.OPERATION_CHAT, dialects.TOOL, dialects.AGENT, dialects.WORKFLOW}
_DESCRIBED: Final = frozenset({semconv.REQUEST_MODEL, semconv.TOOL_NAME, *semconv.AGENT_NAME})
_DECIDED_BY_VALUES: Final = frozenset({semconv.MESSAGE_TEMPLATE, semconv.SGLANG_MODULE})
INFORMATIVE: Final = frozenset(
    {
        semconv.OPERATION,
        *semconv.USAGE_OBJECTS,
        *semconv.FOREIGN_KIND,
        *semconv.OUTPUT_TOKENS,
        *dialects.FINISH_REASONS,
        *dialects.TOOL_CALL_MARKS,
        *dialects.AGENT_RUN_MARKS,
    }
)
"""The attributes that show what a span stands for, where it has no operation of the conventions."""


@lru_cache(maxsize=4096)
def are_uninformative(names: tuple[str, ...]) -> bool:
    """Whether attributes of these names say nothing of what their span stands for; a source has a few such sets."""
    return (
        semconv.MESSAGE_TEMPLATE not in names
        and INFORMATIVE.isdisjoint(names)
        and not any(map(meaning_of, names))
    )


@lru_cache(maxsize=4096)
def is_plain(shape: Shape) -> bool:
    """Whether spans of a shape stand for what `shape.like` does: nothing else in them matters."""
    names = (*shape.like.attributes,)
    if shape.has_events or not _DECIDED_BY_VALUES.isdisjoint(names):
        return False
    return are_uninformative(names) or (
        shape.like.attributes.get(semconv.OPERATION) in _PLAIN and not _kinds(names)
    )


@lru_cache(maxsize=4096)
def is_uninformative(shape: Shape) -> bool:
    """Whether spans of a shape stand for nothing that is known, whatever they hold."""
    return is_plain(shape) and operation_of(shape.like) is None


def operation_of_shape(shape: Shape, span: Span) -> str | None:
    """As `operation_of`, for a span of a shape."""
    return _operation(shape) if is_plain(shape) else operation_of(span)


@lru_cache(maxsize=4096)
def _operation(shape: Shape) -> str | None:
    return operation_of(shape.like)


def operation_of(span: Span) -> str | None:
    """The operation in the conventions' words, `NOTHING_OF_THESE`, or None where nothing shows it."""
    attributes = span.attributes
    if are_uninformative((*attributes,)):
        return operation_by_name(span)
    if INFORMATIVE.isdisjoint(attributes) and not any(map(meaning_of, attributes)):
        return dialects.operation_of_name(span.scope, span.name, attributes.get(semconv.MESSAGE_TEMPLATE))
    written = attributes.get(semconv.OPERATION)
    if isinstance(written, str) and written in _PLAIN:
        return dialects.NOTHING_OF_THESE if _is_other_by_kind(written, attributes) else written
    words = [written, *[attributes[name] for name in _kinds((*attributes,))]]
    named = (dialects.operation_named(word) for word in words if isinstance(word, str))
    found = next((operation for operation in named if operation is not None), None)
    if found == dialects.CHAT and _fills_a_template(attributes):
        return dialects.NOTHING_OF_THESE
    if found == dialects.TOOL and span.parent_id is None and dialects.is_any_function(words):
        return _by_what_it_has(span)
    return _by_what_it_has(span) or operation_by_name(span) if found is None else found


def operation_by_name(span: Span) -> str | None:
    """What a span's name or its events say it is: with a few instrumentations, or as the conventions name it."""
    if any(event.name in dialects.CALL_EVENTS for event in span.events):
        return dialects.CHAT
    found = dialects.operation_of_beginning(span.scope, span.name)
    if found is not None or not _is_of_conventions((*span.attributes,)) or is_server(span):
        return found
    return dialects.operation_of_first_word(span.name)


@lru_cache(maxsize=4096)
def _is_of_conventions(names: tuple[str, ...]) -> bool:
    """Whether attributes of these names describe a model's call, a tool's or an agent's run."""
    return not _DESCRIBED.isdisjoint(names) and semconv.PHASE not in names


def _fills_a_template(attributes: Attributes) -> bool:
    """Whether a span has a prompt's template and nothing of a model: Haystack calls its prompt builders LLM."""
    has_template = any(name.startswith(semconv.PROMPT_TEMPLATE) for name in attributes)
    return has_template and not _has(attributes, dialects.MODEL_NAMES) and not shows_an_answer(attributes)


@lru_cache(maxsize=4096)
def _kinds(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a span's attributes that may name its kind, those first that are known to."""
    known = [name for name in semconv.FOREIGN_KIND if name in names]
    return (*known, *[name for name in names if meaning_of(name) is Meaning.KIND])


def _is_other_by_kind(written: str, attributes: Attributes) -> bool:
    """Whether what is called a chat is something else by its kind: LangSmith calls the filling of a prompt so."""
    if written not in semconv.OPERATION_CHAT:
        return False
    kinds = [attributes[name] for name in _kinds((*attributes,))]
    return any(dialects.operation_named(kind) in dialects.OTHERS for kind in kinds if isinstance(kind, str))


def _by_what_it_has(span: Span) -> str | None:
    attributes = span.attributes
    if is_server(span) or semconv.PHASE in attributes:
        return None
    if _has(attributes, dialects.TOOL_NAMES) and _has(attributes, dialects.TOOL_CALL_MARKS):
        return dialects.TOOL
    if _has(attributes, dialects.MODEL_NAMES) and shows_an_answer(attributes):
        return dialects.CHAT
    is_run = _has(attributes, dialects.AGENT_RUN_MARKS) or _has(attributes, semconv.OUTPUT_TOKENS)
    return dialects.AGENT if is_run and _has(attributes, dialects.AGENT_NAMES) else None


def looks_like_a_call(span: Span) -> bool:
    """Whether a span shows an answer, or names a model and an operation that isn't known."""
    attributes = span.attributes
    if semconv.PHASE in attributes:
        return False
    operation = operation_of(span)
    if operation in dialects.OTHERS:
        return False
    is_unknown = operation is None and attributes.get(semconv.OPERATION) not in (None, "framework")
    return shows_an_answer(attributes) or (is_unknown and _has(attributes, dialects.MODEL_NAMES))


@lru_cache(maxsize=4096)
def may_look_like_a_call(shape: Shape) -> bool:
    """Whether spans of a shape may look like a call."""
    return semconv.PHASE not in shape.names and not are_uninformative((*shape.like.attributes,))


def shows_an_answer(attributes: Attributes) -> bool:
    """Whether output tokens or finish reasons say that a model answered."""
    usage: Mapping[str, Any] = usage_of(attributes)
    return (
        _has(attributes, semconv.OUTPUT_TOKENS)
        or _has(attributes, dialects.FINISH_REASONS)
        or has_meaning(attributes, Meaning.OUTPUT)
        or has_meaning(attributes, Meaning.FINISH)
        or any(name.startswith(("output", "completion")) for name in usage)
    )


def _has(attributes: Attributes, names: tuple[str, ...]) -> bool:
    return any(attributes.get(name) is not None for name in names)
