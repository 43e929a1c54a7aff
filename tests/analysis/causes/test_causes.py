"""What in the user's code costs time: planted in spans made by hand, one cause after the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from small_traces import MS, agent, chat, span, tool

from punie.trace.analysis.causes.find import find_causes
from punie.trace.analysis.causes.model import Cause, CauseKind, PromptChange
from punie.trace.analysis.causes.preamble import changed_text
from punie.trace.analysis.pipeline import read_queries
from punie.trace.model import Span, SpanKind, SpanSet
from punie.trace.report.wording.causes import cause_cases, change_text

TOOLS = [{"name": "search", "description": "Search."}, {"name": "read", "description": "Read."}]


def asked(
    name: str,
    start: float,
    end: float,
    digests: str,
    *,
    cached: int = 0,
    instructions: str | None = "Answer.",
    tools: Sequence[dict[str, str]] = TOOLS,
    results: dict[int, tuple[str, str]] | None = None,
) -> list[Span]:
    """A model request with 100 tokens a message, half of its time prefill; `results` by message: tool and text."""
    messages: list[dict[str, Any]] = [{"role": "user", "parts": []} for _ in digests[1:]]
    for place, (tool_name, text) in (results or {}).items():
        part = {"type": "tool_call_response", "id": f"c{place}", "name": tool_name, "result": text}
        messages[place - 1]["parts"].append(part)
    lengths = [100] * len(digests)
    for place, (_, text) in (results or {}).items():
        lengths[place] = len(text)
    said: dict[str, Any] = {
        "gen_ai.usage.input_tokens": 100 * len(digests),
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.output_tokens": 10,
        "punie.message.digests": list(digests),
        "punie.message.lengths": lengths,
        "gen_ai.input.messages": json.dumps(messages),
        "gen_ai.tool.definitions": json.dumps(tools),
    }
    if instructions is not None:
        said["gen_ai.system_instructions"] = json.dumps([{"type": "text", "content": instructions}])
    prefill = {"punie.phase": "prefill", "punie.phase.provenance": "server"}
    return [
        chat(name, "agent", start, end, said, kind=SpanKind.CLIENT),
        span(f"{name}-prefill", name, start, (start + end) / 2, prefill),
    ]


def ran(name: str, start: float, end: float, what: str, arguments: str, result: str) -> Span:
    said = {
        "gen_ai.tool.name": what,
        "gen_ai.tool.call.arguments": arguments,
        "gen_ai.tool.call.result": result,
    }
    return tool(name, "agent", start, end, said)


def causes(*spans: Span | list[Span], end: float = 1000) -> tuple[Cause, ...]:
    flat = [agent("agent", None, 0, end)]
    for one in spans:
        flat += one if isinstance(one, list) else [one]
    return find_causes(read_queries(SpanSet(tuple(flat))).requests, flat)


def test_an_agent_that_says_the_same_every_time_has_no_cause() -> None:
    assert causes(asked("one", 0, 100, "PU"), asked("two", 200, 300, "PUA", cached=190)) == ()


def test_a_time_of_day_in_the_instructions_is_named_with_what_a_cache_would_spare() -> None:
    (cause,) = causes(
        asked("one", 0, 100, "PU", instructions="It is 2026-11-30 14:05:09. Answer."),
        asked("two", 200, 300, "QUA", instructions="It is 2026-11-30 14:05:11. Answer."),
    )
    assert cause.kind is CauseKind.CHANGING_INSTRUCTIONS
    assert (cause.message, cause.times, cause.of) == (0, 1, 2)
    assert cause.change == PromptChange("2026-11-30 14:05:09.", "2026-11-30 14:05:11.", is_time=True)
    assert cause.digests == ("P", "Q")
    # of 300 tokens, read in 50 ms, the 200 of the first request would have come from the cache
    assert cause.least_ns == cause.most_ns == 33_333_333


def test_without_content_the_message_is_named_by_its_digests() -> None:
    (cause,) = causes(
        asked("one", 0, 100, "PU", instructions=None), asked("two", 200, 300, "QUA", instructions=None)
    )
    assert cause.kind is CauseKind.CHANGING_PREAMBLE
    assert cause.change is None
    assert cause.digests == ("P", "Q")


def test_tools_in_another_order() -> None:
    (cause,) = causes(asked("one", 0, 100, "PU"), asked("two", 200, 300, "QUA", tools=TOOLS[::-1]))
    assert cause.kind is CauseKind.REORDERED_TOOLS
    assert cause.most_ns == 33_333_333


def test_other_tools_are_another_job_and_no_cause() -> None:
    assert causes(asked("one", 0, 100, "PU"), asked("two", 200, 300, "QUA", tools=TOOLS[:1])) == ()


def test_tools_of_one_turn_that_waited_for_each_other() -> None:
    (cause,) = causes(
        asked("one", 0, 100, "PU"),
        ran("a", 100, 160, "search", "{}", ""),
        ran("b", 160, 190, "read", "{}", ""),
        asked("two", 200, 300, "PUA", cached=190),
    )
    assert cause.kind is CauseKind.TOOLS_ONE_AFTER_ANOTHER
    assert cause.tools == ("search", "read")
    assert cause.least_ns == cause.most_ns == 30 * MS


def test_tools_of_one_turn_that_ran_together_are_no_cause() -> None:
    found = causes(
        asked("one", 0, 100, "PU"),
        ran("a", 100, 160, "search", "{}", ""),
        ran("b", 110, 190, "read", "{}", ""),
        asked("two", 200, 300, "PUA", cached=190),
    )
    assert found == ()


def _a_tool_a_turn(second_arguments: str) -> tuple[Cause, ...]:
    return causes(
        asked("one", 0, 100, "PU"),
        ran("a", 100, 160, "search", '{"for": "cart"}', "found in shop/views.py"),
        asked("two", 200, 300, "PUA", cached=190),
        ran("b", 300, 340, "search", second_arguments, "found nothing"),
        asked("three", 400, 500, "PUAB", cached=290),
    )


def test_a_turn_for_a_tool_that_needed_nothing_of_the_one_before() -> None:
    (cause,) = _a_tool_a_turn('{"for": "order"}')
    assert cause.kind is CauseKind.TOOL_PER_TURN
    assert (cause.least_ns, cause.most_ns) == (50 * MS, 140 * MS)


def test_a_tool_that_needs_what_the_one_before_found_is_no_cause() -> None:
    assert _a_tool_a_turn('{"path": "shop/views.py"}') == ()


def test_a_long_result_costs_the_prefill_of_what_is_over_the_limit() -> None:
    (cause,) = causes(
        asked("one", 0, 100, "PU"),
        asked("two", 200, 300, "PUAT", cached=200, results={3: ("search", "x" * 9_700)}),
    )
    assert cause.kind is CauseKind.LONG_TOOL_RESULTS
    assert (cause.tools, cause.message, cause.characters) == (("search",), 3, 9_700)
    # 7,700 of 10,000 characters are 308 of 400 tokens, more than the 200 that weren't cached
    assert cause.most_ns == 50 * MS


def test_the_costliest_cause_comes_first() -> None:
    found = causes(
        asked("one", 0, 100, "PU", instructions="It is 14:05:09."),
        ran("a", 100, 105, "search", "{}", ""),
        ran("b", 105, 110, "read", "{}", ""),
        asked("two", 200, 300, "QUA", instructions="It is 14:05:10."),
    )
    assert [cause.kind for cause in found] == [
        CauseKind.CHANGING_INSTRUCTIONS,
        CauseKind.TOOLS_ONE_AFTER_ANOTHER,
    ]


def test_a_changed_text_is_shown_in_whole_words_with_what_stands_before() -> None:
    assert changed_text("Hello user 17, welcome", "Hello user 18, welcome") == PromptChange(
        "Hello user 17,", "Hello user 18,"
    )
    assert changed_text("same", "same and more").now.endswith("and more")


LONG = "x = 1\n" * 500


def in_openinference(instructions: str, tools: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What OpenInference writes: no digests, no operation, an attribute for each field of each message."""
    message = "llm.input_messages.{}.message".format
    said: dict[str, Any] = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "m",
        "llm.token_count.prompt": 1000,
        "llm.token_count.completion": 10,
        f"{message(0)}.role": "system",
        f"{message(0)}.content": instructions,
        f"{message(1)}.role": "user",
        f"{message(1)}.content": "Which views are there?",
        f"{message(2)}.role": "assistant",
        f"{message(2)}.tool_calls.0.tool_call.id": "c1",
        f"{message(2)}.tool_calls.0.tool_call.function.name": "read",
        f"{message(3)}.role": "tool",
        f"{message(3)}.tool_call_id": "c1",
        f"{message(3)}.content": LONG,
    }
    return said | {f"llm.tools.{at}.tool.json_schema": json.dumps(one) for at, one in enumerate(tools)}


def in_openllmetry(instructions: str, tools: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What OpenLLMetry's older versions write."""
    said: dict[str, Any] = {
        "llm.request.type": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.usage.prompt_tokens": 1000,
        "gen_ai.usage.completion_tokens": 10,
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": instructions,
        "gen_ai.prompt.1.role": "assistant",
        "gen_ai.prompt.1.tool_calls.0.id": "c1",
        "gen_ai.prompt.1.tool_calls.0.name": "read",
        "gen_ai.prompt.2.role": "tool",
        "gen_ai.prompt.2.tool_call_id": "c1",
        "gen_ai.prompt.2.content": LONG,
    }
    for at, one in enumerate(tools):
        said |= {f"llm.request.functions.{at}.{name}": value for name, value in one.items()}
    return said


@pytest.mark.parametrize(
    ("write", "place"), [(in_openinference, 4), (in_openllmetry, 3)], ids=["openinference", "openllmetry"]
)
def test_traces_of_others_have_the_same_causes(write: Any, place: int) -> None:  # noqa: ANN401 - a function
    rules = "You answer questions about a project and never guess."
    found = causes(
        span("one", "agent", 0, 100, write(f"It is 14:05. {rules}", TOOLS)),
        span("two", "agent", 200, 300, write(f"It is 14:06. {rules}", TOOLS)),
        span("three", "agent", 400, 500, write(f"It is 14:06. {rules}", TOOLS[::-1])),
    )
    instructions, tools, long = sorted(found, key=lambda cause: list(CauseKind).index(cause.kind))
    assert instructions.kind is CauseKind.CHANGING_INSTRUCTIONS
    assert instructions.change == PromptChange("It is 14:05.", "It is 14:06.", is_time=True)
    assert (instructions.times, instructions.of, instructions.digests) == (1, 3, None)
    assert tools.kind is CauseKind.REORDERED_TOOLS
    assert cause_cases(tools) == (f"change: {change_text(tools)}",)
    assert long.kind is CauseKind.LONG_TOOL_RESULTS
    assert (long.tools, long.characters, long.message) == (("read",), len(LONG), place)
    assert all(cause.most_ns is None for cause in found)


def test_two_jobs_of_nameless_agents_by_turns_are_no_change() -> None:
    route, answer = "Say which of the departments is asked.", "You write long and friendly letters to people."
    assert (
        causes(
            *(
                span(
                    f"{at}",
                    "agent",
                    100 * at,
                    100 * at + 50,
                    in_openllmetry((route, answer)[at % 2], ()) | {"gen_ai.prompt.2.content": "short"},
                )
                for at in range(4)
            )
        )
        == ()
    )


def test_tools_of_others_that_took_a_turn_each() -> None:
    def ran_in_openinference(name: str, start: float, arguments: str, result: str) -> Span:
        said = {
            "openinference.span.kind": "TOOL",
            "tool.name": "read",
            "input.value": arguments,
            "output.value": result,
        }
        return span(name, "agent", start, start + 50, said)

    found = causes(
        span("one", "agent", 0, 100, in_openinference("", ())),
        ran_in_openinference("a", 100, '{"path": "views.py"}', "nothing"),
        span("two", "agent", 200, 300, in_openinference("", ())),
        ran_in_openinference("b", 300, '{"path": "models.py"}', "nothing"),
        span("three", "agent", 400, 500, in_openinference("", ())),
    )
    assert CauseKind.TOOL_PER_TURN in {cause.kind for cause in found}
