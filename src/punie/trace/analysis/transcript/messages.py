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
from dataclasses import dataclass
from typing import Any, Final

from punie.trace import semconv
from punie.trace.model import Attributes, Span

_LISTS: Final = ("messages", "choices")
_WRAPPERS: Final = ("message", "message_content", "tool_call", "function")
_THINKING: Final = frozenset({"reasoning", "thinking"})
_CALLS: Final = frozenset({"tool_call", "function_call", "tool_use"})


@dataclass(frozen=True, slots=True)
class AskedTool:
    """A tool's call that a model asked for; `call_id` is empty where nobody wrote it."""

    name: str
    arguments: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message: what it says, what was thought before, the tool calls it asks for. `role` may be empty."""

    role: str
    text: str
    thinking: str = ""
    calls: tuple[AskedTool, ...] = ()


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
        found = tuple(_read(value)) if value else ()
        if found:
            return found
    return ()


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
    said = [*_parts(item.get("parts")), *_parts(item.get("content")), *_parts(item.get("contents"))]
    asked = [part for kind, part in said if kind in _CALLS]
    asked += [_unwrapped(one) for one in _items(item.get("tool_calls")) if isinstance(one, Mapping)]
    message = Message(
        role=_text(item.get("role")),
        text="\n".join(_text_of(part) for kind, part in said if kind == "text"),
        thinking="\n".join(_text_of(part) for kind, part in said if kind in _THINKING),
        calls=tuple(map(_asked, asked)),
    )
    if message != Message(message.role, ""):
        yield message


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


def _text_of(part: Mapping[str, Any]) -> str:
    return next((text for name in ("content", "text", "thinking") if (text := _text(part.get(name)))), "")


def _asked(call: Mapping[str, Any]) -> AskedTool:
    arguments = next((call[name] for name in ("arguments", "args", "input") if name in call), "")
    return AskedTool(_text(call.get("name")), as_text(arguments), _text(call.get("id")))


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
    """The object or list that `text` is, None if it is none."""
    if not text.lstrip().startswith(("{", "[")):
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
