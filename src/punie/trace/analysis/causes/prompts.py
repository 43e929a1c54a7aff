"""What each model request was asked, as far as its span has content: instructions, tools, messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from punie.trace import semconv
from punie.trace.analysis.foreign.messages import (
    input_messages,
    instructions,
    quotes_input,
    tool_arguments,
    tool_definitions,
    tool_name,
    tool_result,
)
from punie.trace.analysis.foreign.operations import operation_of_shape
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.analysis.trees.shapes import shape_of
from punie.trace.model import Span


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool returned, in a prompt: `message` is its message's place (instructions and tools have 0)."""

    message: int
    call_id: str
    tool: str
    text: str


class SpanPrompt(msgspec.Struct, frozen=True):
    """One request with its span, whose content is read when it is asked for: most of it never is."""

    request: ModelRequest
    span: Span

    @property
    def instructions(self) -> str | None:
        """The text of all parts; None where the span has none."""
        return instructions(self.span)

    @property
    def tools(self) -> tuple[str, ...] | None:
        """The tools' definitions, in order; None where the span has none."""
        return tool_definitions(self.span)

    def results(self, least_characters: int) -> Iterator[ToolResult]:
        """What tools returned, in the prompt; nothing of a prompt that is shorter than `least_characters`."""
        value = self.span.attributes.get(semconv.INPUT_MESSAGES)
        if isinstance(value, str) and len(value) < least_characters:
            return
        names: dict[str, str] = {}
        for place, message in enumerate(input_messages(self.span), start=1):
            names |= {call.call_id: call.name for call in message.calls}
            for one in message.results:
                yield ToolResult(place, one.call_id, one.name or names.get(one.call_id, ""), one.text)


class ToolExecution(msgspec.Struct, frozen=True):
    """One execution of a tool, from its span; `arguments` and `result` are empty where there is no content."""

    trace_id: str
    name: str
    start_ns: int
    end_ns: int
    arguments: str
    result: str

    @property
    def duration_ns(self) -> int:
        """How long it ran."""
        return max(0, self.end_ns - self.start_ns)


def read_prompts(requests: Iterable[ModelRequest], spans: Iterable[Span]) -> tuple[SpanPrompt, ...]:
    """Each measured request of which its span, or digests, say what it was asked; by their start."""
    measured = {(one.trace_id, one.span_id): one for one in requests if not one.warmup}
    ids = {span_id for _, span_id in measured}
    prompts = {}
    for span in spans:
        request = measured.get((span.trace_id, span.span_id)) if span.span_id in ids else None
        if request is not None and (request.client_messages.digests or quotes_input((*span.attributes,))):
            prompts[span.trace_id, span.span_id] = SpanPrompt(request, span)
    return tuple(sorted(prompts.values(), key=lambda prompt: prompt.request.start_ns))


def read_tool_calls(spans: Iterable[Span]) -> Mapping[str, tuple[ToolExecution, ...]]:
    """The tools that ran, of each trace, by their start."""
    calls_of: dict[str, dict[str, ToolExecution]] = {}
    for span in spans:
        if operation_of_shape(shape_of(span), span) == semconv.OPERATION_TOOL:
            calls_of.setdefault(span.trace_id, {})[span.span_id] = ToolExecution(
                span.trace_id,
                tool_name(span),
                span.start_ns,
                span.end_ns,
                tool_arguments(span) or "",
                tool_result(span) or "",
            )
    return {
        trace: tuple(sorted(calls.values(), key=lambda call: call.start_ns))
        for trace, calls in calls_of.items()
    }
