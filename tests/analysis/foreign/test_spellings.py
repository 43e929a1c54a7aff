"""Attributes that nobody listed: what they hold by the words of their names."""

from __future__ import annotations

import json
from typing import Final

import pytest
from small_traces import only, phases_ms, span

from punie.trace.analysis.foreign.spellings import Meaning, count, meaning_of
from punie.trace.model import Attributes, AttributeValue, Span

CHAT: Final = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("acme.span.kind", Meaning.KIND),
        ("span_type", Meaning.KIND),
        ("acme.spanType", Meaning.KIND),
        ("acme.usage.promptTokens", Meaning.INPUT),
        ("gen_ai.response.inputTokenCount", Meaning.INPUT),
        ("gen_ai.client.token.usage.input", Meaning.INPUT),
        ("codex.turn.token_usage.output_tokens", Meaning.OUTPUT),
        ("llm.usage.completion", Meaning.OUTPUT),
        ("acme.cached_tokens", Meaning.CACHED),
        ("usage.cacheReadInputTokens", Meaning.CACHED),
        ("acme.finishReason", Meaning.FINISH),
        ("done_reason", Meaning.FINISH),
        ("openai.response.status", Meaning.FINISH),
        ("gen_ai.usage.input_tokens", None),  # has an entry
        ("gen_ai.usage.input_token_details", Meaning.DETAILS),
        ("ttft_ms", Meaning.FIRST),
        ("ai.response.msToFirstChunk", Meaning.FIRST),
        ("http.response.status", None),
        ("session.usage.input_tokens", None),  # a sum
        ("gen_ai.usage.reasoning.output_tokens", None),
        ("usage.cache_creation_input_tokens", Meaning.WRITTEN),
        ("usage.cache_miss_tokens", None),
        ("gen_ai.usage.prompt_tokens_details.cached_tokens", Meaning.CACHED),
        ("gen_ai.usage.details.input_tokens_cache_read", Meaning.CACHED),
        ("llm.token_count.prompt_details.cache_input", Meaning.CACHED),
        ("usage.candidatesTokenCount", Meaning.OUTPUT),
        ("gen_ai.request.max_tokens", None),
        ("acme.input_cost", None),
        ("prompt", None),
    ],
)
def test_words_of_a_name_say_what_it_holds(name: str, said: Meaning | None) -> None:
    assert meaning_of(name) is said


def test_counts_that_differ_are_not_known() -> None:
    attributes: Attributes = {"acme.input_tokens": 7, "usage.promptTokens": "7", "acme.output_tokens": 3}
    assert count(attributes, Meaning.INPUT) == 7
    assert count({**attributes, "x.input_tokens": 8}, Meaning.INPUT) is None
    assert count({"acme.input_tokens": -1}, Meaning.INPUT) is None


def _run(chat: Attributes, tool: Attributes) -> tuple[Span, ...]:
    return (
        span("run", None, 0, 100),
        span("call", "run", 10, 60, chat),
        span("tool", "run", 60, 90, tool),
    )


@pytest.mark.parametrize(
    ("chat", "tool"),
    [
        (
            {"span.type": "llm_request", "gen_ai.request.model": "m", "input_tokens": 9, "output_tokens": 2},
            {"span.type": "tool", "tool_name": "Bash"},
        ),
        (
            {"sentry.op": "gen_ai.chat", "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 2},
            {"sentry.op": "gen_ai.execute_tool"},
        ),
        (
            {
                "braintrust.span_attributes": '{"type": "llm"}',
                "braintrust.metrics": '{"prompt_tokens": 9, "completion_tokens": 2}',
            },
            {"braintrust.span_attributes": '{"type": "tool"}'},
        ),
        (
            {
                "genkit:metadata:subtype": "model",
                "genkit:output": '{"usage": {"inputTokens": 9, "outputTokens": 2}}',
            },
            {"genkit:metadata:subtype": "tool.v2"},
        ),
        (
            {"acme.span.kind": "LLM", "acme.usage.promptTokens": "9", "acme.usage.completionTokens": 2},
            {"acme.span.kind": "TOOL"},
        ),
    ],
    ids=["claude-code", "sentry", "braintrust", "genkit", "nobody-s"],
)
def test_calls_and_tools_of_who_names_them_otherwise(chat: Attributes, tool: Attributes) -> None:
    record = only(*_run(chat, tool))
    assert phases_ms(record) == {"framework": 20, "model": 50, "tool": 30}
    assert (record.input_tokens, record.output_tokens, record.tool_calls) == (9, 2, 1)


def test_tools_that_their_names_alone_tell() -> None:
    spans = [
        span("run", None, 0, 100, {}),
        span("langchain4j.tools.lookup", "run", 60, 90),
        span("call", "run", 10, 60, CHAT),
    ]
    assert phases_ms(only(*spans)) == {"framework": 20, "model": 50, "tool": 30}


def test_a_step_of_a_tools_call_is_no_other_call() -> None:
    said = {"span.type": "tool", "tool_name": "Bash"}
    steps = [
        span("acme.tool", "run", 60, 90, said),
        span("acme.tool.execution", "acme.tool", 65, 90, {"span.type": "tool.execution"}),
    ]
    assert only(span("run", None, 0, 100), span("call", "run", 0, 50, CHAT), *steps).tool_calls == 1


@pytest.mark.parametrize(
    "said",
    [
        {"output.value": json.dumps({"choices": [{"finish_reason": "length"}]})},
        {"output.value": json.dumps({"stop_reason": "max_tokens"})},
        {"gen_ai.output.messages": json.dumps([{"finishReason": "MAX_TOKENS"}])},
        {"acme.response.finish_reason": "length"},
        {"output.value": json.dumps({"incomplete_details": {"reason": "max_output_tokens"}})},
        {"output.value": json.dumps({"done_reason": "length"})},
        {"mlflow.spanOutputs": json.dumps({"choices": [{"finish_reason": "length"}]})},
        {"braintrust.output_json": json.dumps([{"finish_reason": "length"}])},
        {"gcp.vertex.agent.llm_response": json.dumps({"finish_reason": "MAX_TOKENS"})},
        {"gen_ai.completion": json.dumps({"generations": [{"finish_reason": "length"}]})},
    ],
)
def test_an_answer_that_was_cut_says_so_wherever_it_does(said: Attributes) -> None:
    assert only(span("call", None, 0, 100, {**CHAT, **said})).truncated == 1


@pytest.mark.parametrize(
    "details", ["{'audio': 0, 'cache_read': 8}", '{"cached_tokens": 8}', {"cacheRead": 8}]
)
def test_cached_tokens_stand_in_an_object_of_details(details: AttributeValue) -> None:
    said = {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.input_token_details": details}
    assert only(span("call", None, 0, 100, {**CHAT, **said})).cached_tokens == 8


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ('{"promptTokenCount": 10, "candidatesTokenCount": 2, "cachedContentTokenCount": 4}', (10, 4, 2)),
        (
            "{'prompt_tokens': 10, 'completion_tokens': 2, 'prompt_tokens_details': {'cached_tokens': 4}}",
            (10, 4, 2),
        ),
        (
            '{"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 5}',
            (10, 4, 2),
        ),
        ("{'prompt_tokens': ", (None, None, None)),
    ],
)
@pytest.mark.parametrize(
    "name", ["llm.usage", "metadata.usage_object", "acme.usage_metadata", "acme.tokenUsage"]
)
def test_counts_of_a_providers_own_object(name: str, usage: str, counts: tuple[int | None, ...]) -> None:
    record = only(span("call", None, 0, 100, {**CHAT, name: usage}))
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == counts


@pytest.mark.parametrize(
    ("said", "first_ms"),
    [
        ({"ttft_ms": 40}, 40),
        ({"ai.response.msToFirstChunk": 40.5}, 40.5),
        ({"acme.time_to_first_token": 0.04}, 40),
        ({"acme.ttft": 40}, 40),  # no unit named, and 40 seconds are longer than the call
        ({"gen_ai.server.time_to_first_token": 40}, 40),  # Strands: in fact milliseconds
        ({"gen_ai.server.time_to_first_token": 0.04}, 40),
        ({"gen_ai.server.time_to_first_token": 400}, None),
        ({"gen_ai.server.time_to_first_token": 0.4}, 400),  # its span ended at the headers
    ],
)
def test_the_first_chunk_in_any_unit(said: Attributes, first_ms: float | None) -> None:
    first_ns = only(span("call", None, 0, 100, {**CHAT, **said})).time_to_first_chunk_ns
    assert first_ns == (() if first_ms is None else (round(first_ms * 1e6),))


def test_a_quoted_reason_is_none() -> None:
    quoted = json.dumps({"content": json.dumps({"finish_reason": "length"})})
    assert only(span("call", None, 0, 100, {**CHAT, "output.value": quoted})).truncated == 0


def test_the_log_at_the_end_of_a_stream_is_the_rest_of_its_call() -> None:
    template = "streaming response from {request_data[model]!r} took {duration:.2f}s"
    log: Attributes = {**CHAT, "logfire.msg_template": template, "duration": 0.06}
    record = only(
        span("run", None, 0, 100), span("call", "run", 10, 20, CHAT), span("log", "run", 81, 81, log)
    )
    assert (phases_ms(record), record.model_requests) == ({"framework": 30, "model": 70}, 1)


ANSWER: Final = {
    "replies": [
        {
            "meta": {
                "finish_reason": "length",
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 2,
                    "prompt_tokens_details": {"cached_tokens": 4},
                },
            },
            "content": [{"text": '{"usage": {"prompt_tokens": 7, "completion_tokens": 7}}'}],
        }
    ]
}


def test_counts_of_an_answer_that_is_json_are_read_where_nothing_else_tells() -> None:
    said = {"haystack.component.type": "OpenAIChatGenerator", "haystack.component.output": json.dumps(ANSWER)}
    record = only(span("run", None, 0, 100), span("call", "run", 10, 60, said))
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (9, 4, 2)
    assert record.truncated == 1


def test_calls_that_name_no_model_count_where_no_other_does() -> None:
    counts: Attributes = {"input_tokens": 9, "output_tokens": 2, "model_config": "ModelConfig { .. }"}
    reply, complete = span("reply", None, 0, 100), span("complete", "reply", 10, 60, counts)
    record = only(reply, complete, span("sum", "reply", 60, 70, {"input_tokens": 9}))
    assert (record.model_requests, record.output_tokens, phases_ms(record)["model"]) == (1, 2, 50)
    around = span("reply", None, 0, 100, counts)
    assert only(around, complete).output_tokens == 2
    assert only(reply, complete, span("chat", "reply", 61, 90, {**CHAT, **counts})).output_tokens == 2
