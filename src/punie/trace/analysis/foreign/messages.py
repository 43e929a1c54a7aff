"""What a model was asked and what it said, in whatever words an instrumentation wrote it.

| where | form |
| --- | --- |
| `gen_ai.input.messages`, `gen_ai.output.messages` | the conventions': messages of parts, mostly as JSON text |
| `llm.output_messages.0.message.content`, `gen_ai.completion.0.content` | an attribute for each field of each message |
| `output.value`, `langfuse.observation.output`, … | text, or a body of OpenAI's form as JSON text |
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from punie.trace import semconv
from punie.trace.model import Attributes, Span

_LISTS: Final = ("messages", "choices")
_WRAPPERS: Final = ("message", "message_content", "tool_call", "function")
_THINKING: Final = frozenset({"reasoning", "thinking"})
_CALLS: Final = frozenset({"tool_call", "function_call", "tool_use"})
_RESULTS: Final = frozenset({"tool_call_response", "tool_result", "function_call_output"})
_SYSTEM: Final = frozenset({"system", "developer"})
_OF_A_TOOL: Final = frozenset({"tool", "function"})
_CALL_IDS: Final = ("tool_call_id", "tool_use_id", "call_id", "id")
_INPUT: Final = frozenset(
    {
        semconv.SYSTEM_INSTRUCTIONS,
        semconv.INPUT_MESSAGES,
        semconv.TOOL_DEFINITIONS,
        *semconv.FOREIGN_INPUT,
    }
)
_LARGEST_JSON: Final = 10_000_000


class RequestedTool(msgspec.Struct, frozen=True):
    """A tool's call that a model asked for; `call_id` is empty where nobody wrote it."""

    name: str
    arguments: str
    call_id: str


class ReturnedResult(msgspec.Struct, frozen=True):
    """What a tool returned to a model; `call_id` and `name` are empty where nobody wrote them."""

    call_id: str
    name: str
    text: str


class Message(msgspec.Struct, frozen=True):
    """One message: what it says, what was thought before, the tool calls it asks for, what tools returned.

    `role` may be empty.
    """

    role: str
    text: str
    thinking: str = ""
    calls: tuple[RequestedTool, ...] = ()
    results: tuple[ReturnedResult, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing that is known here, like an image alone."""
        return self == Message(self.role, "")


@lru_cache(maxsize=4096)
def quotes_input(names: tuple[str, ...]) -> bool:
    """Whether attributes of these names may hold what a model was asked, or the tools that it could call."""
    flat = tuple(f"{prefix}." for prefix in (*semconv.FLAT_INPUT_MESSAGES, *semconv.FLAT_TOOL_DEFINITIONS))
    return not _INPUT.isdisjoint(names) or any(name.startswith(flat) for name in names)


def input_messages(span: Span) -> tuple[Message, ...]:
    """What a model's call was asked; empty where its span doesn't say."""
    return _messages(
        span.attributes, semconv.INPUT_MESSAGES, semconv.FLAT_INPUT_MESSAGES, semconv.FOREIGN_INPUT
    )


def output_messages(span: Span) -> tuple[Message, ...]:
    """What the model said; empty where its span doesn't say."""
    return _messages(
        span.attributes, semconv.OUTPUT_MESSAGES, semconv.FLAT_OUTPUT_MESSAGES, semconv.FOREIGN_OUTPUT
    )


def instructions(span: Span) -> str | None:
    """What a model was told beside the conversation, or in its system messages; None where its span has no content."""
    value = span.attributes.get(semconv.SYSTEM_INSTRUCTIONS)
    if value:
        decoded = from_json(value) if isinstance(value, str) else value
        return (
            as_text(value) if decoded is None else "\n".join(_part_text(part) for _, part in _parts(decoded))
        )
    messages = input_messages(span)
    return "\n".join(one.text for one in messages if one.role in _SYSTEM) if messages else None


def tool_definitions(span: Span) -> tuple[str, ...] | None:
    """The tools that a model could call, in order, each as JSON with sorted names; None where its span has none."""
    attributes = span.attributes
    flat = (_unflattened(attributes, prefix) for prefix in semconv.FLAT_TOOL_DEFINITIONS)
    for value in (attributes.get(semconv.TOOL_DEFINITIONS), *flat, _tools_in_body(attributes)):
        tools = from_json(value) if isinstance(value, str) else value
        if tools and isinstance(tools, Sequence):
            return tuple(json.dumps(one, sort_keys=True, ensure_ascii=False, default=_plain) for one in tools)
    return None


def tool_name(span: Span) -> str:
    """The tool that ran in this span."""
    return semconv.text(span.attributes, (semconv.TOOL_NAME, *semconv.FOREIGN_TOOL_NAME)) or span.name


def tool_arguments(span: Span) -> str | None:
    """What it was called with, as text; None where its span doesn't say."""
    return text_of(span, (semconv.TOOL_ARGUMENTS, *semconv.FOREIGN_TOOL_ARGUMENTS, *semconv.FOREIGN_INPUT))


def tool_result(span: Span) -> str | None:
    """What it returned, as text; None where its span doesn't say."""
    return text_of(span, (semconv.TOOL_RESULT, *semconv.FOREIGN_TOOL_RESULT, *semconv.FOREIGN_OUTPUT))


def text_of(span: Span, names: Sequence[str]) -> str | None:
    """The first of these attributes that is there, as text."""
    value = semconv.first(span.attributes, names)
    return None if value is None else as_text(value)


def as_text(value: object) -> str:
    """A value of an attribute as people read it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_plain)


def _messages(
    attributes: Attributes, name: str, prefixes: Sequence[str], others: Sequence[str]
) -> tuple[Message, ...]:
    for value in (
        attributes.get(name),
        *(_unflattened(attributes, prefix) for prefix in prefixes),
        semconv.first(attributes, others),
    ):
        messages = tuple(_read(value)) if value else ()
        if not all(message.is_empty for message in messages):
            return messages
    return ()


def _tools_in_body(attributes: Attributes) -> object:
    """The tools in a body of OpenAI's form."""
    value = semconv.first(attributes, semconv.FOREIGN_INPUT)
    body = from_json(value) if isinstance(value, str) and '"tools"' in value else value
    return body.get("tools") if isinstance(body, Mapping) else None


def _read(value: object) -> Iterator[Message]:
    if isinstance(value, str):
        decoded = from_json(value)
        yield from (Message("", value),) if decoded is None else _read(decoded)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _read_item(item)
    elif isinstance(value, Mapping):
        inside = next((value[name] for name in _LISTS if isinstance(value.get(name), Sequence)), None)
        yield from _read_item(value) if inside is None else _read(inside)


def _read_item(item: object) -> Iterator[Message]:
    if not isinstance(item, Mapping):
        return
    item = _unwrapped(item)
    parts = [*_parts(item.get("parts")), *_parts(item.get("content")), *_parts(item.get("contents"))]
    parts += [(kind, item)] if (kind := _text(item.get("type"))) in _CALLS | _RESULTS else []
    requested = [part for kind, part in parts if kind in _CALLS]
    requested += [_unwrapped(one) for one in _items(item.get("tool_calls")) if isinstance(one, Mapping)]
    role, text = (
        _text(item.get("role")),
        "\n".join(_part_text(part) for kind, part in parts if kind == "text"),
    )
    results = [_returned(part) for kind, part in parts if kind in _RESULTS]
    if role in _OF_A_TOOL and not results:
        results, text = [_returned({**item, "result": text})], ""
    yield Message(
        role=role,
        text=text,
        thinking="\n".join(_part_text(part) for kind, part in parts if kind in _THINKING),
        calls=tuple(map(_requested_tool, requested)),
        results=tuple(results),
    )


def _parts(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parts of a message with their kinds."""
    if isinstance(value, str):
        yield "text", {"content": value}
    for part in _items(value):
        if isinstance(part, str):
            yield "text", {"content": part}
        elif isinstance(part, Mapping):
            inner = _unwrapped(part)
            yield _text(inner.get("type")) or "text", inner


def _part_text(part: Mapping[str, Any]) -> str:
    return next((text for name in ("content", "text", "thinking") if (text := _text(part.get(name)))), "")


def _requested_tool(call: Mapping[str, Any]) -> RequestedTool:
    arguments = next((call[name] for name in ("arguments", "args", "input") if name in call), "")
    return RequestedTool(_text(call.get("name")), as_text(arguments), _text(call.get("id")))


def _returned(part: Mapping[str, Any]) -> ReturnedResult:
    result = next((part[name] for name in ("result", "response", "output", "content") if name in part), "")
    call_id = next(filter(None, (_text(part.get(name)) for name in _CALL_IDS)), "")
    return ReturnedResult(call_id, _text(part.get("name")), as_text(result))


def _unwrapped(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object inside one that only names its kind, with the fields beside it."""
    for name in _WRAPPERS:
        inner = item.get(name)
        if isinstance(inner, Mapping):
            return _unwrapped({**item, name: None, **inner})
    return item


def _unflattened(attributes: Attributes, prefix: str) -> list[Any]:
    """`prefix.0.message.role` and its like as a list of objects."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if name.startswith(f"{prefix}."):
            at = found
            *steps, last = name[len(prefix) + 1 :].split(".")
            for step in steps:
                inner = at.setdefault(step, {})
                if not isinstance(inner, dict):
                    break
                at = inner
            else:
                at.setdefault(last, value)
    return _listed(found) if found else []


def _listed(found: dict[str, Any]) -> Any:  # noqa: ANN401 - a JSON value
    inside = {name: _listed(value) if isinstance(value, dict) else value for name, value in found.items()}
    if all(name.isdecimal() for name in inside):
        return [inside[name] for name in sorted(inside, key=int)]
    return inside


def from_json(text: str) -> Any:  # noqa: ANN401 - a JSON value
    """The object or list that `text` is, None if it is none or larger than what anybody is asked."""
    if len(text) > _LARGEST_JSON or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)
