"""The conversation of one query: the question, each turn's words and tool calls with their results, the answer.

All of it is content, and where spans were recorded or sent without content it isn't there: then it is None or empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from punie.trace import semconv
from punie.trace.analysis.foreign.messages import (
    RequestedTool,
    input_messages,
    output_messages,
    text_of,
    tool_arguments,
    tool_name,
    tool_result,
)
from punie.trace.analysis.waterfall.model import RowRole, Waterfall
from punie.trace.model import Span


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool's call. `row` is the waterfall's, None if a model asked for it and no span shows that it ran.

    `arguments` and `result` are text, mostly JSON, None where the spans don't show it.
    """

    name: str
    row: int | None
    arguments: str | None
    result: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One model call, the waterfall's `row`, and the tools that ran between it and the next one."""

    row: int
    thinking: str
    text: str
    tools: tuple[ToolUse, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """The conversation of one query, in the order of time. `tools_before` ran before the first turn."""

    question: str | None
    turns: tuple[Turn, ...]
    answer: str | None
    tools_before: tuple[ToolUse, ...] = ()

    @property
    def has_content(self) -> bool:
        """Whether the spans hold any content."""
        tools = (*self.tools_before, *(use for turn in self.turns for use in turn.tools))
        words = (self.question, self.answer, *(turn.text for turn in self.turns))
        return any(words) or any(use.arguments or use.result for use in tools)


def read_transcript(waterfall: Waterfall, spans: Iterable[Span]) -> Transcript:
    """What the spans of one drawn query say; `spans` are its source's."""
    keys = {(row.trace_id, row.span_id): index for index, row in enumerate(waterfall.rows)}
    of_row: dict[int, Span] = {}
    for span in spans:
        row = keys.get((span.trace_id, span.span_id))
        if row is not None and (row not in of_row or span.duration_ns > of_row[row].duration_ns):
            of_row[row] = span
    calls = _rows(waterfall, of_row, RowRole.MODEL_CALL)
    calls = [row for row in calls if waterfall.rows[row].tokens is not None] or calls
    tools = _rows(waterfall, of_row, RowRole.TOOL)
    starts = [waterfall.rows[row].start_ns for row in calls]
    turns = []
    for place, row in enumerate(calls):
        until = starts[place + 1] if place + 1 < len(starts) else waterfall.wall_ns + 1
        ran = [tool for tool in tools if starts[place] <= waterfall.rows[tool].start_ns < until]
        turns.append(_turn(row, ran, of_row))
    return Transcript(
        question=_question(of_row, calls),
        turns=tuple(turns),
        answer=_answer(waterfall, of_row, turns),
        tools_before=tuple(
            _use(tool, of_row[tool])
            for tool in tools
            if not starts or waterfall.rows[tool].start_ns < starts[0]
        ),
    )


def _rows(waterfall: Waterfall, of_row: Mapping[int, Span], role: RowRole) -> list[int]:
    """The rows of `role` whose spans are at hand, by their start."""
    rows = [row for row in of_row if waterfall.rows[row].role is role]
    return sorted(rows, key=lambda row: (waterfall.rows[row].start_ns, row))


def _turn(row: int, ran: Sequence[int], of_row: Mapping[int, Span]) -> Turn:
    messages = output_messages(of_row[row])
    requested = [call for message in messages for call in message.calls]
    return Turn(
        row=row,
        thinking="\n".join(message.thinking for message in messages if message.thinking),
        text="\n".join(message.text for message in messages if message.text),
        tools=tuple(_uses(requested, {tool: of_row[tool] for tool in ran})),
    )


def _uses(requested: Sequence[RequestedTool], ran: Mapping[int, Span]) -> Iterator[ToolUse]:
    """What was asked for with what ran of it, then what ran beside it."""
    left = dict(ran)
    for call in requested:
        row = next((row for row, span in left.items() if _is_of(call, span)), None)
        if row is not None:
            use = _use(row, left.pop(row))
            yield replace(use, arguments=use.arguments or call.arguments or None)
        elif call.name:
            yield ToolUse(call.name, None, call.arguments or None, None)
    for row, span in left.items():
        yield _use(row, span)


def _is_of(call: RequestedTool, span: Span) -> bool:
    """By the call's id where both have it, else by the tool's name."""
    call_id = semconv.text(span.attributes, (semconv.TOOL_CALL_ID, *semconv.FOREIGN_TOOL_CALL))
    return call.call_id == call_id if call.call_id and call_id else call.name == tool_name(span)


def _use(row: int, span: Span) -> ToolUse:
    return ToolUse(tool_name(span), row, tool_arguments(span), tool_result(span))


def _question(of_row: Mapping[int, Span], calls: Sequence[int]) -> str | None:
    """The query's own words, else what a user said in the first model call, else whatever went into the query."""
    root = of_row.get(0)
    written = text_of(root, (semconv.QUERY_TEXT,)) if root is not None else None
    if written is not None:
        return written
    for row in calls[:1]:
        requested = [
            message.text for message in input_messages(of_row[row]) if message.role == "user" and message.text
        ]
        if requested:
            return requested[-1]
    return text_of(root, semconv.FOREIGN_INPUT) if root is not None else None


def _answer(waterfall: Waterfall, of_row: Mapping[int, Span], turns: Sequence[Turn]) -> str | None:
    """The query's own words, else its agent's, else the last turn's, else whatever came out of the query."""
    agents = [0, *_rows(waterfall, of_row, RowRole.AGENT)]
    for row in agents:
        span = of_row.get(row)
        found = text_of(span, (semconv.QUERY_ANSWER, semconv.FINAL_RESULT)) if span is not None else None
        if found is not None:
            return found
    if turns and turns[-1].text:
        return turns[-1].text
    return text_of(of_row[0], semconv.FOREIGN_OUTPUT) if 0 in of_row else None
