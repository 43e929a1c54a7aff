"""Names that other instrumentations use, those of older versions too: what no recording has."""

from __future__ import annotations

import json
from typing import Final

import pytest

from punie.trace import semconv
from punie.trace.analysis.calls.calls import Call, find_calls
from punie.trace.analysis.calls.usage import TokenCounts, is_truncated, token_counts
from punie.trace.analysis.foreign.agents import with_conventions
from punie.trace.analysis.trees.roles import Role, role_of
from punie.trace.analysis.trees.tree import grow
from punie.trace.model import Attributes, Event, Span

T: Final = "a" * 32


COUNTED: Final = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


def translated(attributes: Attributes, *events: Event) -> Span:
    (span,) = with_conventions(
        [Span(T, "s", None, "call", 1_000, 9_000, attributes=attributes, events=events)]
    )
    return span


@pytest.mark.parametrize(
    ("attributes", "role"),
    [
        ({"openinference.span.kind": "LLM"}, Role.CHAT),
        ({"openinference.span.kind": "TOOL"}, Role.TOOL),
        ({"openinference.span.kind": "AGENT"}, Role.AGENT),
        ({"openinference.span.kind": "CHAIN"}, Role.WORKFLOW),
        ({"langfuse.observation.type": "generation"}, Role.CHAT),
        ({"langfuse.observation.type": "tool"}, Role.TOOL),
        ({"langfuse.observation.type": "agent"}, Role.AGENT),
        ({"langfuse.observation.type": "span"}, Role.OTHER),
        ({"traceloop.span.kind": "tool"}, Role.TOOL),
        ({"traceloop.span.kind": "agent"}, Role.AGENT),
        ({"traceloop.span.kind": "workflow"}, Role.WORKFLOW),
        ({"llm.request.type": "chat"}, Role.CHAT),
        ({"llm.request.type": "completion"}, Role.CHAT),
        ({"llm.request.type": "embedding"}, Role.OTHER),
        ({"gen_ai.operation.name": "execute_tool", "openinference.span.kind": "LLM"}, Role.TOOL),
        ({"gen_ai.operation.name": "invoke_workflow", "traceloop.span.kind": "agent"}, Role.WORKFLOW),
    ],
)
def test_the_part_that_a_span_plays(attributes: Attributes, role: Role) -> None:
    assert role_of(translated(attributes)) is role


LANGFUSE: Final = "langfuse.observation.usage_details"
GENERATION: Final[Attributes] = {"langfuse.observation.type": "generation"}


@pytest.mark.parametrize(
    ("attributes", "counts"),
    [
        ({"gen_ai.usage.prompt_tokens": 5, "gen_ai.usage.completion_tokens": 2}, (5, None, 2)),
        ({"llm.usage.prompt_tokens": 5, "gen_ai.usage.cache_read_input_tokens": 4}, (5, 4, None)),
        ({"gen_ai.usage.input_tokens": 7, "llm.token_count.prompt": 5}, (7, None, None)),
        ({LANGFUSE: '{"input": 3, "output": 2, "total": 5}'}, (3, None, 2)),
        (
            {LANGFUSE: '{"input": 1, "input_cached_tokens": 9, "output": 2, "output_reasoning": 4}'},
            (10, 9, 6),
        ),
        ({LANGFUSE: '{"input": 1, "input_cache_read": 9, "input_priority_tokens": 5}'}, (10, 9, None)),
        ({LANGFUSE: '{"input_tokens": 12, "output_tokens": 3, "cache_read_input_tokens": 4}'}, (12, 4, 3)),
        ({LANGFUSE: '{"input": "many", "output": -1, "total": true}'}, (None, None, None)),
        ({LANGFUSE: "{"}, (None, None, None)),
        ({LANGFUSE: "[1]"}, (None, None, None)),
        ({LANGFUSE: (1,)}, (None, None, None)),
        ({LANGFUSE: {"input": 1, "input_cached_tokens": 9, "output": 2}}, (10, 9, 2)),
        (
            {
                LANGFUSE: {
                    "input_tokens": 12,
                    "input_tokens_details": {"cached_tokens": 4},
                    "output_tokens": 3,
                }
            },
            (12, 4, 3),
        ),
    ],
)
def test_token_counts_are_totals_whoever_counts(
    attributes: Attributes, counts: tuple[int | None, int | None, int | None]
) -> None:
    span = translated({**GENERATION, **attributes})
    assert token_counts(Call((T, "s"), span), cache_arm=None) == TokenCounts(*counts)


@pytest.mark.parametrize(
    "attributes",
    [
        {"llm.finish_reason": "length"},
        {"gen_ai.completion.0.finish_reason": "length"},
        {"langfuse.observation.metadata.finish_reason": '"length"'},
        {"gen_ai.output.messages": '[{"role": "assistant", "parts": [], "finish_reason": "length"}]'},
        {"gen_ai.output.messages": ({"role": "assistant", "finish_reason": "length"},)},
    ],
)
def test_a_cut_answer_is_told_in_any_words(attributes: Attributes) -> None:
    assert is_truncated(Call((T, "s"), translated({**GENERATION, **attributes})))


@pytest.mark.parametrize("at_ns", [999, 9_001])
def test_a_first_token_outside_its_span_is_none(at_ns: int) -> None:
    key = "gen_ai.response.time_to_first_chunk"
    assert key not in translated(GENERATION, Event("First Token Stream Event", at_ns)).attributes
    assert translated(GENERATION, Event("First Token Stream Event", 1_500)).attributes[key] == 500e-9


@pytest.mark.parametrize("text", ["", "yesterday", '"2026-13-01T00:00:00Z"', "2026-01-01T00:00:00"])
def test_a_first_token_that_is_no_time_is_none(text: str) -> None:
    key = "langfuse.observation.completion_start_time"
    assert "gen_ai.response.time_to_first_chunk" not in translated({**GENERATION, key: text}).attributes


def test_spans_in_the_conventions_own_words_are_left_as_they_are() -> None:
    span = Span(T, "s", None, "chat", 0, 1, attributes={"gen_ai.operation.name": "chat"})
    assert with_conventions([span])[0] is span


def test_of_a_request_known_twice_the_inner_one_is_the_request() -> None:
    spans = with_conventions(
        [
            Span(T, "outer", None, "ChatOpenAI", 0, 9, attributes=GENERATION),
            Span(T, "inner", "outer", "OpenAI-generation", 1, 8, attributes=GENERATION),
        ]
    )
    forest = grow(spans)
    assert [key[1] for key in find_calls(forest).requests] == ["inner"]


def test_a_cut_answer_is_told_by_its_event_and_never_by_what_it_says() -> None:
    choice = Event("gen_ai.choice", 5, {"finish_reason": "max_tokens", "index": 0})
    assert is_truncated(Call((T, "s"), translated(GENERATION, choice)))
    quoted = json.dumps([{"content": json.dumps({"finish_reason": "length"}), "finish_reason": "stop"}])
    whole = translated({**GENERATION, "gen_ai.output.messages": quoted})
    assert not is_truncated(Call((T, "s"), whole))


@pytest.mark.parametrize(("before", "tokens"), [("", 3), ("Its answer has ", None)])
def test_counts_are_read_out_of_an_answer_that_is_json_and_out_of_no_other(
    before: str, tokens: int | None
) -> None:
    answer = json.dumps({"usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    call = translated({"gen_ai.operation.name": "chat", "output.value": f"{before}{answer}"})
    assert semconv.integer(call.attributes, semconv.OUTPUT_TOKENS) == tokens


@pytest.mark.parametrize("known", [{"gen_ai.operation.name": "execute_tool"}, COUNTED])
def test_a_sum_is_no_call_however_deep_below_it_something_is_known(known: Attributes) -> None:
    def made(span_id: str, parent: str | None, attributes: Attributes) -> Span:
        return Span("a" * 32, span_id, parent, span_id, 0, 10, attributes=attributes)

    spans = made("job", None, COUNTED), made("step", "job", {}), made("leaf", "step", known)
    job, _, leaf = map(role_of, with_conventions(spans))
    assert job is Role.OTHER
    assert leaf is (Role.CHAT if known is COUNTED else Role.TOOL)


def test_counts_of_mlflow_are_read() -> None:
    span = translated(
        {"mlflow.spanType": '"LLM"', "mlflow.chat.tokenUsage": '{"input_tokens":4,"output_tokens":2}'}
    )
    assert token_counts(Call((T, "s"), span), cache_arm=None) == TokenCounts(4, None, 2)
