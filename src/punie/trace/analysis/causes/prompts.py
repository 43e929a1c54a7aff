"""What each model request was asked, as far as its span has content: instructions, tools, messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from punie.trace import semconv
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.model import Span

_LARGEST_JSON = 10_000_000


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned, in a prompt: `message` is its message's place (instructions and tools have 0)."""

    message: int
    call_id: str
    tool: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request with its span, whose content is read when it is asked for: most of it never is."""

    request: ModelRequest
    span: Span

    @property
    def instructions(self) -> str | None:
        """The text of all parts, text that is no JSON as it is; None where the span has none."""
        value = self.span.attributes.get(semconv.SYSTEM_INSTRUCTIONS)
        if not isinstance(value, str):
            return None
        parts = _json(value)
        if not isinstance(parts, list):
            return value
        return "\n".join(
            str(part.get("content", "")) if isinstance(part, dict) else str(part) for part in parts
        )

    @property
    def tools(self) -> tuple[str, ...] | None:
        """The tools' definitions, in order; None where the span has none."""
        tools = _json(self.span.attributes.get(semconv.TOOL_DEFINITIONS))
        return tuple(_canonical(tool) for tool in tools) if isinstance(tools, list) else None

    def results(self, least_characters: int) -> tuple[ToolResult, ...]:
        """What tools returned, in the prompt; nothing of a prompt that is shorter than `least_characters`."""
        value = self.span.attributes.get(semconv.INPUT_MESSAGES)
        if not isinstance(value, str) or len(value) < least_characters:
            return ()
        messages = _json(value)
        return tuple(_results(messages)) if isinstance(messages, list) else ()


@dataclass(frozen=True, slots=True)
class ToolCall:
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


def read_prompts(requests: Iterable[ModelRequest], spans: Iterable[Span]) -> tuple[Prompt, ...]:
    """Each request of an asked query with what its span says; by their start."""
    asked = {(one.trace_id, one.span_id): one for one in requests if not one.warmup}
    found = {}
    for span in spans:
        request = asked.get((span.trace_id, span.span_id))
        if request is not None:
            found[span.trace_id, span.span_id] = Prompt(request, span)
    return tuple(sorted(found.values(), key=lambda prompt: prompt.request.start_ns))


def read_tool_calls(spans: Iterable[Span]) -> Mapping[str, tuple[ToolCall, ...]]:
    """The tools that ran, of each trace, by their start."""
    found: dict[str, dict[str, ToolCall]] = {}
    for span in spans:
        if span.attributes.get(semconv.OPERATION) == semconv.OPERATION_TOOL:
            found.setdefault(span.trace_id, {})[span.span_id] = ToolCall(
                span.trace_id,
                semconv.text(span.attributes, semconv.TOOL_NAME) or "",
                span.start_ns,
                span.end_ns,
                _text(span.attributes.get(semconv.TOOL_ARGUMENTS)),
                _text(span.attributes.get(semconv.TOOL_RESULT)),
            )
    return {
        trace: tuple(sorted(calls.values(), key=lambda call: call.start_ns)) for trace, calls in found.items()
    }


def _results(messages: Sequence[Any]) -> Iterator[ToolResult]:
    for place, message in enumerate(messages, start=1):
        parts = message.get("parts") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and part.get("type") == "tool_call_response":
                result = part.get("result", part.get("response", ""))
                yield ToolResult(place, str(part.get("id", "")), str(part.get("name", "")), _text(result))


def _json(value: object) -> Any:  # noqa: ANN401 # whatever JSON holds
    if not isinstance(value, str) or len(value) > _LARGEST_JSON:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _canonical(value)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
