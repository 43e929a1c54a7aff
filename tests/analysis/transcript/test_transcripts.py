"""What was said in a query, whoever recorded it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_traces import agent, chat, span, tool

from punie.trace import semconv
from punie.trace.analysis.foreign.messages import (
    Message,
    RequestedTool,
    ReturnedResult,
    input_messages,
    output_messages,
)
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.transcript.transcript import ToolUse, Transcript, read_transcript
from punie.trace.analysis.waterfall.build import read_waterfalls
from punie.trace.model import Span, SpanSet
from punie.trace.store.sources import read_source

RECORDED = Path(__file__).parents[2] / "data" / "recorded" / "frameworks"
GREP = {"command": "grep -rn cart ."}


def transcript(*spans: Span) -> Transcript:
    source = SpanSet(spans)
    (drawn,) = read_waterfalls(source, read_queries(source).records)
    return read_transcript(drawn, spans)


def said(*parts: dict[str, Any]) -> dict[str, Any]:
    counts = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1}
    return counts | {semconv.OUTPUT_MESSAGES: json.dumps([{"role": "assistant", "parts": list(parts)}])}


def asks(name: str, call_id: str = "", **arguments: str) -> dict[str, Any]:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": json.dumps(arguments)}


def ran(name: str, call_id: str, result: str) -> dict[str, str]:
    return {semconv.TOOL_NAME: name, semconv.TOOL_CALL_ID: call_id, semconv.TOOL_RESULT: result}


def test_turns_have_what_was_said_and_the_tools_with_what_they_returned() -> None:
    found = transcript(
        span(
            "query",
            None,
            0,
            100,
            {
                semconv.QUERY_ID: "q",
                semconv.QUERY_TEXT: "Where is cart?",
                semconv.QUERY_ANSWER: "In views.py.",
            },
        ),
        agent("run", "query", 1, 99),
        chat(
            "one",
            "run",
            2,
            20,
            said(
                {"type": "thinking", "content": "I should search."},
                {"type": "text", "content": "I look."},
                asks("grep", "1", pattern="cart"),
                asks("grep", "2", pattern="Cart"),
                asks("never_ran", "3"),
            ),
        ),
        tool("second", "run", 21, 30, ran("grep", "2", "models.py:1")),
        tool("first", "run", 22, 31, ran("grep", "1", "views.py:3")),
        chat("two", "run", 40, 90, said({"type": "text", "content": "In views.py."})),
    )
    assert (found.question, found.answer) == ("Where is cart?", "In views.py.")
    one, two = found.turns
    assert (one.thinking, one.text) == ("I should search.", "I look.")
    assert one.tools == (
        ToolUse("grep", 4, '{"pattern": "cart"}', "views.py:3"),
        ToolUse("grep", 3, '{"pattern": "Cart"}', "models.py:1"),
        ToolUse("never_ran", None, "{}", None),
    )
    assert (two.text, two.tools) == ("In views.py.", ())
    assert found.has_content


def test_without_content_only_the_shape_is_left() -> None:
    found = transcript(
        span("query", None, 0, 100, {semconv.QUERY_ID: "q"}),
        tool("early", "query", 0, 1, {semconv.TOOL_NAME: "grep"}),
        chat("one", "query", 2, 20),
        tool("late", "query", 21, 30, {semconv.TOOL_NAME: "cat"}),
    )
    assert (found.question, found.answer, found.has_content) == (None, None, False)
    assert [use.name for use in found.tools_before] == ["grep"]
    assert [use.name for turn in found.turns for use in turn.tools] == ["cat"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [
            {"type": "text", "content": "I look."},
            {"type": "tool_call", "id": "1", "name": "grep", "arguments": GREP},
        ]}])},
        {"gen_ai.output.messages": ({"role": "assistant", "parts": (
            {"type": "text", "content": "I look."},
            {"type": "tool_call", "id": "1", "name": "grep", "arguments": GREP},
        )},)},
        {
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.contents.0.message_content.type": "text",
            "llm.output_messages.0.message.contents.0.message_content.text": "I look.",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "grep",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": json.dumps(GREP),
        },
        {
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "I look.",
            "gen_ai.completion.0.tool_calls.0.id": "1",
            "gen_ai.completion.0.tool_calls.0.name": "grep",
            "gen_ai.completion.0.tool_calls.0.arguments": json.dumps(GREP),
        },
        {"langfuse.observation.output": json.dumps({"role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "grep", "arguments": json.dumps(GREP)}}
        ]})},
        {"output.value": json.dumps({"choices": [{"message": {"role": "assistant", "content": "I look.",
            "tool_calls": [{"id": "1", "function": {"name": "grep", "arguments": json.dumps(GREP)}}]}}]})},
        {"gen_ai.output.messages": json.dumps([{"role": "assistant", "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "1", "name": "grep", "input": GREP},
        ]}])},
    ],
    ids=["conventions", "conventions, no text", "openinference", "openllmetry", "langfuse", "a body", "anthropic"],
)  # fmt: skip
def test_a_message_reads_the_same_in_everybodys_words(attributes: dict[str, Any]) -> None:
    call = RequestedTool("grep", json.dumps(GREP), "1")
    assert output_messages(chat("chat", None, 0, 1, attributes)) == (
        Message("assistant", "I look.", "", (call,)),
    )


@pytest.mark.parametrize("text", ["no JSON", "{broken", "[" * 100_000])
def test_what_is_no_message_is_text(text: str) -> None:
    found = output_messages(chat("chat", None, 0, 1, {semconv.OUTPUT_MESSAGES: text}))
    assert found == (Message("", text),)


def test_the_question_is_what_the_user_said_last_in_the_first_call() -> None:
    asked = [{"role": role, "content": role} for role in ("system", "user")]
    attributes: dict[str, Any] = {semconv.INPUT_MESSAGES: json.dumps(asked), "gen_ai.usage.output_tokens": 1}
    assert [message.role for message in input_messages(chat("c", None, 0, 1, attributes))] == [
        "system",
        "user",
    ]
    assert transcript(agent("run", None, 0, 9), chat("c", "run", 1, 8, attributes)).question == "user"


@pytest.mark.parametrize(
    ("name", "answer", "tools"),
    [
        ("httpx2_beside_logfire", "The first match is in ./shop/views.py at line 12.", ["run_command"]),
        ("openinference_openai_agents", "The first match is in ./shop/views.py at line 12.", ["run_command"]),
        ("langfuse_langgraph", "The first match is in ./shop/views.py at line 12.", ["run_command"]),
    ],
)
def test_recordings_of_other_frameworks_tell_what_was_said(name: str, answer: str, tools: list[str]) -> None:
    source = read_source(str(RECORDED / f"{name}.jsonl"))
    drawn = next(iter(read_waterfalls(source, read_queries(source).records)))
    found = read_transcript(drawn, source.spans)
    assert found.answer == answer
    assert [use.name for turn in found.turns for use in turn.tools] == tools
    assert found.turns[0].tools[0].result == "./shop/views.py:12:def cart(request):" or name.startswith(
        "langfuse"
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [
            {"type": "tool_call_response", "id": "1", "name": "grep", "result": "views.py"}]}])},
        {"llm.input_messages.0.message.role": "tool", "llm.input_messages.0.message.tool_call_id": "1",
         "llm.input_messages.0.message.name": "grep", "llm.input_messages.0.message.content": "views.py"},
        {"langfuse.observation.input": json.dumps({"messages": [
            {"role": "tool", "tool_call_id": "1", "name": "grep", "content": "views.py"}]})},
        {"input.value": json.dumps([
            {"type": "function_call_output", "call_id": "1", "name": "grep", "output": "views.py"}])},
        {"gen_ai.input.messages": json.dumps([{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "1", "name": "grep", "content": "views.py"}]}])},
    ],
    ids=["conventions", "openinference", "langfuse", "responses", "anthropic"],
)  # fmt: skip
def test_what_a_tool_returned_reads_the_same_in_everybodys_words(attributes: dict[str, Any]) -> None:
    (message,) = input_messages(chat("chat", None, 0, 1, attributes))
    assert (message.text, message.results) == ("", (ReturnedResult("1", "grep", "views.py"),))
