"""Rows of training data out of spans: one for each turn of the assistant, ending there, in the chat format of mlx_lm.

What the model was given and what it said is in the `chat` spans, in the parts of the GenAI conventions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from punie.trace import semconv
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.tuning.trajectories import Trajectory
from punie.trace.errors import InputError
from punie.trace.model import Span, SpanKind

Message = dict[str, Any]
_TEXT: Final = "text"


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """Messages up to and with one turn of the assistant, and the tools that it had.

    name: query and turn (from 0). served_ids: the prompt's tokens as the server had them; served_count: how many,
    where it says no more. None: not known.
    """

    name: str
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    served_ids: tuple[int, ...] | None = field(default=None, repr=False)
    served_count: int | None = None


def trajectories(records: Iterable[QueryRecord], cell: str) -> Iterator[Trajectory]:
    """What was asked in one server start, `cell`, as candidates."""
    for record in records:
        if not record.warmup:
            right = record.succeeded and record.ok is True and not record.truncated
            yield Trajectory(record.query_id, f"{cell}/{record.trace_id}", right, record.output_tokens)


def rows_of(query_id: str, spans: Iterable[Span]) -> tuple[TrainingRow, ...]:
    """The rows of one trajectory, whose trace `spans` are; none where content wasn't recorded."""
    spans = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
    chats = [span for span in spans if semconv.text(span.attributes, semconv.OUTPUT_MESSAGES) is not None]
    served = [span for span in spans if span.kind is SpanKind.SERVER]
    paired = served if len(served) == len(chats) else [None] * len(chats)
    rows = (
        _row(f"{query_id}, turn {turn}", chat, server)
        for turn, (chat, server) in enumerate(zip(chats, paired, strict=True))
    )
    return tuple(row for row in rows if row is not None)


def _row(name: str, chat: Span, server: Span | None) -> TrainingRow | None:
    given = [*_instructions(chat), *_messages(_json(chat, semconv.INPUT_MESSAGES))]
    output = list(_messages(_json(chat, semconv.OUTPUT_MESSAGES)))
    if len(output) != 1 or not given:
        return None
    tools = tuple(map(_tool, _json(chat, semconv.TOOL_DEFINITIONS)))
    return TrainingRow(name, (*given, output[0]), tools, *_served(server))


def _served(server: Span | None) -> tuple[tuple[int, ...] | None, int | None]:
    if server is None:
        return None, None
    ids = semconv.text(server.attributes, semconv.SERVER_PROMPT_TOKEN_IDS)
    count = semconv.integer(server.attributes, semconv.INPUT_TOKENS)
    return (tuple(map(int, ids.split(","))) if ids else None), count


def _json(span: Span, name: str) -> list[Any]:
    text = semconv.text(span.attributes, name)
    value = json.loads(text) if text else []
    return value if isinstance(value, list) else []


def _instructions(chat: Span) -> Iterator[Message]:
    texts = [
        part["content"] for part in _json(chat, semconv.SYSTEM_INSTRUCTIONS) if part.get("type") == _TEXT
    ]
    if texts:
        yield {"role": "system", "content": "\n\n".join(texts)}


def _messages(recorded: Iterable[Mapping[str, Any]]) -> Iterator[Message]:
    """Messages of the conventions as messages of the OpenAI API: a tool's result is a message of its own there."""
    for message in recorded:
        parts = message.get("parts", ())
        for part in parts:
            if part.get("type") == "tool_call_response":
                yield {
                    "role": "tool",
                    "tool_call_id": part.get("id"),
                    "content": _as_text(part.get("result")),
                }
        text = "".join(part.get("content") or "" for part in parts if part.get("type") == _TEXT)
        calls = [_call(part) for part in parts if part.get("type") == "tool_call"]
        if calls or text:
            yield {"role": message["role"], "content": text, **({"tool_calls": calls} if calls else {})}


def _call(part: Mapping[str, Any]) -> Message:
    arguments = part.get("arguments")
    if isinstance(arguments, str):
        with suppress(ValueError):  # no JSON: the template gets the text, as the model wrote it
            arguments = json.loads(arguments)
    return {
        "id": part.get("id"),
        "type": "function",
        "function": {"name": part.get("name"), "arguments": arguments},
    }


def _tool(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """As requests of the OpenAI API name a tool: a function in an object of its own."""
    if "function" in definition:
        return definition
    function = {name: value for name, value in definition.items() if name != "type"}
    return {"type": "function", "function": function}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def own_rows(lines: Sequence[str], source: str) -> tuple[TrainingRow, ...]:
    """Rows of a file of the user's, one JSON object a line, each ending with a turn of the assistant.

    Raises InputError that names file and line.
    """
    rows: list[TrainingRow] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            messages = tuple(value["messages"])
            last = messages[-1]["role"]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(
                f'{source}:{number}: not {{"messages": […]}} in JSON: {error}',
                remedy="See docs/method/train.md.",
            ) from None
        if last != "assistant":
            raise InputError(
                f"{source}:{number}: the last message is of {last}, not of the assistant",
                remedy="End the row with the answer that is trained on.",
            )
        rows.append(TrainingRow(f"{source}:{number}", messages, tuple(value.get("tools", ()))))
    return tuple(rows)
