"""What is one request to a model, whose tokens count, and what a failed one is."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from small_traces import agent, chat, findings, only, phases_ms, post, read, server, span, tool

from punie.trace.model import Attributes, AttributeValue, Event, SpanKind, StatusCode

MODEL_URL = "https://models.example/v1/chat/completions"
GENERATION = {"punie.phase": "decode", "punie.phase.provenance": "server"}


def test_a_call_inside_a_call_is_one_request_with_the_counts_of_either() -> None:
    for outer, inner in (({}, None), (None, {})):
        record = only(
            agent("a", None, 0, 100), chat("outer", "a", 0, 90, outer), chat("inner", "outer", 1, 89, inner)
        )
        assert (record.model_requests, record.input_tokens, record.output_tokens) == (1, 10, 1)
        assert phases_ms(record) == {"model": 88, "framework": 12}
    assert findings(agent("a", None, 0, 100), chat("o", "a", 0, 90), chat("i", "o", 1, 89, {})) == {}


def test_a_wrapper_around_several_requests_lends_them_no_counts() -> None:
    calls = (chat("outer", "a", 0, 90), chat("one", "outer", 1, 40, {}), chat("two", "outer", 41, 89))
    record = only(agent("a", None, 0, 100), *calls)
    assert (record.model_requests, record.input_tokens) == (2, None)


def test_a_wrapper_s_counts_are_the_sum_of_its_requests_where_none_of_them_has_any() -> None:
    counts = {"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 5}
    run = (agent("a", None, 0, 200), chat("alone", "a", 150, 160))
    steps = (chat("one", "outer", 1, 40, {}), chat("two", "outer", 41, 89, {}))
    again = chat("all", "a", 0, 95, {"gen_ai.usage.input_tokens": 31})
    for calls in (
        (chat("outer", "a", 0, 90, counts), *steps),
        (again, chat("outer", "all", 0, 90, counts), *steps),
    ):
        record = only(*run, *calls)
        assert (record.model_requests, record.input_tokens, record.output_tokens) == (3, 40, 6)
        assert findings(*run, *calls) == {"missing-usage": 2}
    untold = only(*run, chat("outer", "a", 0, 90, {"gen_ai.usage.input_tokens": 0}), *steps)
    assert (untold.input_tokens, untold.output_tokens) == (None, None)


def test_a_wrapper_s_prompt_has_its_cached_part_where_another_request_shows_that_it_is_told_apart() -> None:
    counts = {"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 5}
    cached = "gen_ai.usage.cache_read.input_tokens"
    steps = (chat("one", "outer", 1, 40, {}), chat("two", "outer", 41, 89, {}))
    outer = chat("outer", "a", 0, 90, {**counts, cached: 20})
    alone = chat("alone", "a", 150, 160, {**counts, cached: 50})
    record = only(agent("a", None, 0, 200), outer, *steps, alone)
    assert (record.input_tokens, record.cached_tokens) == (30 + 20 + 30 + 50, 70)


def test_a_wrapper_s_counts_are_those_of_the_only_request_that_did_not_fail() -> None:
    failed = chat("one", "outer", 1, 40, {}, status=StatusCode.ERROR)
    record = only(
        agent("a", None, 0, 100), chat("outer", "a", 0, 90), failed, chat("two", "outer", 41, 89, {})
    )
    assert (record.model_requests, record.input_tokens) == (1, 10)
    assert phases_ms(record) == {"retry": 39, "model": 48, "framework": 13}


def test_calls_that_hang_below_the_one_before_are_requests_of_their_own() -> None:
    calls = (chat("one", "a", 0, 30), chat("two", "one", 32, 60), chat("three", "two", 60, 90))
    record = only(agent("a", None, 0, 100), *calls)
    assert (record.model_requests, record.input_tokens) == (3, 30)
    assert phases_ms(record) == {"model": 88, "framework": 12}
    assert not any(record.ledger.contested_ns.values())
    assert record.critical_path is not None
    assert record.critical_path.phases_ns == record.ledger.phases_ns


@pytest.mark.parametrize(("start", "end", "requests"), [(1, 95, 1), (50, 140, 2), (89, 95, 2)])
def test_a_call_that_ends_a_little_after_the_one_around_it_is_inside(
    start: int, end: int, requests: int
) -> None:
    calls = (chat("outer", "a", 0, 90), chat("inner", "outer", start, end))
    assert only(agent("a", None, 0, 150), *calls).model_requests == requests


def test_calls_in_a_chain_inside_one_wrapper_are_its_requests() -> None:
    calls = (chat("outer", "a", 0, 90), chat("one", "outer", 1, 40), chat("two", "one", 41, 89))
    assert only(agent("a", None, 0, 100), *calls).model_requests == 2


def test_a_copy_without_a_length_is_no_request() -> None:
    record = only(agent("a", None, 0, 100), chat("call", "a", 0, 90), chat("pending", "call", 0, 0, {}))
    assert (record.model_requests, record.input_tokens) == (1, 10)
    assert phases_ms(record) == {"model": 90, "framework": 10}


@pytest.mark.parametrize(
    "failure",
    [{"status": StatusCode.ERROR}, {"said": {"error.type": "429"}}, {"said": {"http.status_code": 503}}],
)
def test_a_failed_call_is_retry_and_leaves_the_tokens_of_the_good_ones(failure: dict[str, Any]) -> None:
    failed = chat("one", "a", 0, 30, failure.pop("said", {}), **failure)
    spans = (agent("a", None, 0, 100), failed, chat("two", "a", 50, 90))
    record = only(*spans)
    assert (record.model_requests, record.input_tokens, record.output_tokens) == (1, 10, 1)
    assert phases_ms(record) == {"retry": 30, "model": 40, "framework": 30}
    assert findings(*spans) == {"failed-model-call": 1}


def test_what_hangs_in_a_failed_call_is_retry_unless_the_model_worked() -> None:
    call = chat("one", "a", 0, 30, {}, status=StatusCode.ERROR)
    sent, answered = post("POST", "one", 1, 29), server("server", "POST", 2, 28)
    again = chat("two", "a", 50, 90)
    assert phases_ms(only(agent("a", None, 0, 100), call, sent, answered, again))["retry"] == 30
    worked = span("decode", "server", 10, 20, GENERATION)
    assert phases_ms(only(agent("a", None, 0, 100), call, sent, answered, worked, again))["decode"] == 10


def test_an_answer_that_the_client_could_not_use_is_generation_all_the_same() -> None:
    record = only(agent("a", None, 0, 100), chat("one", "a", 0, 90, status=StatusCode.ERROR))
    assert (record.model_requests, phases_ms(record)["model"]) == (1, 90)


@pytest.mark.parametrize(
    "place",
    [
        {"url.full": "https://user:key@api.example/v1/chat/completions?x=1"},
        {"http.url": "https://api.anthropic.example/v1/messages"},
        {"server.address": "api.example", "server.port": 443, "url.path": "/v1/responses"},
        {"url.full": "https://g.example/v1beta/models/m:streamGenerateContent?alt=sse"},
        {"url.full": "https://bedrock.example/model/some.model/converse-stream"},
        {"url.full": "http://127.0.0.1:11434/api/generate"},
        {"url.full": "http://127.0.0.1:11434/api/chat"},
        {"url.full": "http://127.0.0.1:8080/completion"},
        {"url.full": "https://api.cohere.com/v2/chat"},
        {"url.full": "https://v.example/v1/projects/p/publishers/other/models/m:streamRawPredict"},
        {"server.address": "tgi", "server.port": 8080, "url.path": "/generate_stream"},
        {"url.full": "http://127.0.0.1:30000/generate"},
        {"url.full": "http://localhost:1234/api/v1/chat"},
        {"url.full": "https://us-south.ml.example/ml/v1/text/chat_stream?version=1"},
        {"url.full": "https://api.mistral.ai/v1/agents/completions"},
        {"url.full": "https://x.openai.azure.com/openai/responses?api-version=1"},
    ],
)
def test_a_post_to_a_model_without_its_call_is_the_model_s(place: Attributes) -> None:
    spans = (agent("a", None, 0, 100), chat("one", "a", 0, 30), post("POST", "a", 40, 90, said=place))
    record = only(*spans)
    assert phases_ms(record) == {"model": 80, "framework": 20}
    assert (record.input_tokens, record.network_known) == (10, False)
    assert findings(*spans) == {"request-without-model-call": 1}


@pytest.mark.parametrize(
    "path",
    [
        "shop.example/api/chat",
        "shop.example/pictures/generate",
        "api.example/v1/embeddings",
        "api.example/v1/messages/count_tokens",
    ],
)
def test_a_post_to_where_others_answer_too_is_not_the_model_s(path: str) -> None:
    spans = (agent("a", None, 0, 100), chat("one", "a", 0, 30), post("POST", "a", 40, 90, f"https://{path}"))
    assert phases_ms(only(*spans)) == {"model": 30, "http": 50, "framework": 20}


def test_where_the_calls_go_models_are_asked_whatever_the_path() -> None:
    own = "http://gpu:9000/infer"
    known = (
        chat("one", "a", 0, 30),
        post("known", "one", 1, 29, own),
        post("token", "one", 0, 1, "http://login/t"),
    )
    for url, phase in ((own, "model"), ("http://login/t", "http"), ("http://gpu:9000/health", "http")):
        record = only(agent("a", None, 0, 100), *known, post("POST", "a", 40, 90, url))
        assert phases_ms(record)[phase] >= 50


def test_what_a_tool_asks_of_a_model_is_the_model_s() -> None:
    spans = (
        chat("one", "a", 0, 20),
        tool("delegate", "a", 20, 90),
        post("POST", "delegate", 30, 80, MODEL_URL),
    )
    assert phases_ms(only(agent("a", None, 0, 100), *spans)) == {"model": 70, "tool": 20, "framework": 10}


def test_a_post_for_a_call_counts_as_a_request_where_its_server_tells_the_tokens() -> None:
    answered = server(
        "server", "POST", 31, 79, {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2}
    )
    spans = (
        agent("a", None, 0, 100),
        chat("one", "a", 0, 20),
        post("POST", "a", 30, 80, MODEL_URL),
        answered,
    )
    record = only(*spans)
    assert (record.model_requests, record.input_tokens, record.output_tokens) == (2, 17, 3)
    assert findings(*spans) == {}


def test_a_post_beside_its_call_is_no_other_request() -> None:
    spans = (agent("a", None, 0, 100), chat("one", "a", 10, 90), post("POST", "a", 9, 91, MODEL_URL))
    assert (phases_ms(only(*spans)), findings(*spans)) == ({"model": 82, "framework": 18}, {})


def test_a_post_to_an_agent_that_runs_below_it_is_no_model_s() -> None:
    spans = (post("POST", None, 0, 100, MODEL_URL), server("web", "POST", 1, 99), agent("a", "web", 10, 90))
    assert "model" not in phases_ms(only(*spans))


def test_what_fills_a_tool_s_time_from_beside_it_is_the_tool_s() -> None:
    work = (chat("one", "a", 0, 20), tool("lookup", "a", 20, 80), chat("two", "a", 80, 100))
    sent = post("POST", "a", 21, 79, "http://tools/mcp")
    answered = server("answers", "POST", 22, 78)
    assert phases_ms(only(agent("a", None, 0, 100), *work, sent, answered)) == {"model": 40, "tool": 60}


def test_a_stream_that_is_open_beside_everything_takes_nobody_s_time() -> None:
    work = (chat("one", "a", 0, 20), tool("lookup", "a", 30, 80), chat("two", "a", 80, 95))
    stream = span("GET", "a", 0, 100, {"http.request.method": "GET"})
    found = phases_ms(only(agent("a", None, 0, 100), *work, stream))
    assert found == {"model": 35, "tool": 50, "framework": 15}


def test_any_other_request_of_the_agent_is_http() -> None:
    spans = (chat("one", "a", 0, 20), tool("lookup", "a", 60, 80), post("POST", "a", 25, 55, "http://log/in"))
    assert phases_ms(only(agent("a", None, 0, 100), *spans))["http"] == 30


def test_of_a_server_alone_what_is_nothing_finer_is_serve() -> None:
    said = {"gen_ai.usage.output_tokens": 3}
    decode = span("decode", "llm", 20, 80, GENERATION)
    assert phases_ms(only(server("llm", None, 0, 100, said), decode)) == {"decode": 60, "serve": 40}
    assert phases_ms(only(server("llm", None, 0, 100, said))) == {"model": 100}
    gateway = (
        server("gateway", None, 0, 100),
        span("route", "gateway", 0, 9),
        post("POST", "gateway", 10, 90),
    )
    record = only(*gateway, server("llm", "POST", 12, 88, said), decode)
    assert phases_ms(record) == {"decode": 60, "serve": 40}


def test_more_cached_tokens_than_prompt_mean_a_prompt_without_them() -> None:
    apart: dict[str, AttributeValue] = {"gen_ai.request.model": "m", "gen_ai.usage.output_tokens": 1}
    first: Attributes = {**apart, "gen_ai.usage.input_tokens": 4, "gen_ai.usage.cache_read.input_tokens": 100}
    second: Attributes = {
        **apart,
        "gen_ai.usage.input_tokens": 200,
        "gen_ai.usage.cache_read.input_tokens": 100,
    }
    written: Attributes = {"gen_ai.usage.cache_creation.input_tokens": 6}
    spans = (
        agent("a", None, 0, 100),
        chat("one", "a", 0, 9, {**first, **written}),
        chat("two", "a", 10, 20, second),
    )
    found = read(*spans)
    assert [(request.tokens.input, request.tokens.cached) for request in found.requests] == [
        (110, 100),
        (300, 100),
    ]
    assert findings(*spans) == {"cached-above-prompt": 1}


@pytest.mark.parametrize(
    ("output", "reasoning", "total", "whole"),
    [
        (2, 500, None, 502),  # more reasoning than output
        (20, 5, 35, 25),  # the total has room for both
        (20, 5, 30, 20),
        (20, 5, None, 20),
        (20, 0, 30, 20),
    ],
)
def test_reasoning_that_is_no_part_of_the_output_counts_with_it(
    output: int, reasoning: int, total: int | None, whole: int
) -> None:
    counts: Attributes = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": output,
        "gen_ai.usage.reasoning.output_tokens": reasoning,
        "gen_ai.usage.total_tokens": total,
    }
    spans = (agent("a", None, 0, 100), chat("one", "a", 0, 9, counts))
    assert only(*spans).output_tokens == whole
    assert findings(*spans) == ({} if whole == output else {"reasoning-above-output": 1})


def test_the_server_s_prompt_counts_where_the_client_s_is_shorter_than_what_was_cached() -> None:
    counts: Attributes = {"gen_ai.usage.input_tokens": 60, "gen_ai.usage.cache_read.input_tokens": 50}
    answered = server("server", "one", 1, 8, {**counts, "gen_ai.usage.output_tokens": 1})
    call = chat("one", "a", 0, 9, {"gen_ai.usage.input_tokens": 40, "gen_ai.usage.output_tokens": 1})
    record = only(agent("a", None, 0, 100), call, answered)
    assert (record.input_tokens, record.cached_tokens) == (60, 50)


@pytest.mark.parametrize(
    ("scope", "said", "requests"),
    [
        ("b", {}, 1),
        ("a", {}, 2),
        ("b", {"gen_ai.usage.input_tokens": 11}, 2),
        ("b", {"gen_ai.request.model": "n"}, 2),
    ],
)
def test_two_instrumentations_side_by_side_show_one_request(
    scope: str, said: Attributes, requests: int
) -> None:
    model: Attributes = {
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 1,
    }
    calls = (chat("one", "a", 0, 90, model, scope="a"), chat("two", "a", 1, 89, said, scope=scope))
    assert only(agent("a", None, 0, 100), *calls).model_requests == requests


def test_a_count_of_zero_is_none_where_another_span_counted() -> None:
    nothing: Attributes = {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}
    record = only(agent("a", None, 0, 100), chat("outer", "a", 0, 90), chat("inner", "outer", 1, 89, nothing))
    assert (record.input_tokens, record.output_tokens) == (10, 1)


@pytest.mark.parametrize(
    ("said", "event", "is_refused"),
    [
        ({"gen_ai.response.finish_reasons": ("error",)}, "", True),
        ({"gen_ai.response.finish_reasons": ("error",), "gen_ai.usage.output_tokens": 3}, "", False),
        ({}, "exception", True),
        ({"gen_ai.response.finish_reasons": ("stop",)}, "exception", False),
        ({"gen_ai.usage.output_tokens": 3}, "exception", False),
        ({}, "gen_ai.choice", False),
    ],
)
def test_a_call_may_say_otherwise_than_by_its_status_that_it_failed(
    said: Attributes, event: str, is_refused: bool
) -> None:
    first = chat("one", "a", 0, 30, said, events=(Event(event, 0),) if event else ())
    record = only(agent("a", None, 0, 100), first, chat("two", "a", 40, 90))
    assert record.model_requests == 2 - is_refused
    assert phases_ms(record).get("retry", 0) == 30 * is_refused


@pytest.mark.parametrize(
    ("codes", "is_refused"),
    [((0, 503, 429), True), ((503, 0, 429), True), ((0, 429, 200), False), ((429,), False)],
)
def test_a_call_has_failed_if_all_of_its_requests_have_up_to_its_end(
    codes: tuple[int, ...], is_refused: bool
) -> None:
    said: Attributes = {"gen_ai.request.model": "m"}
    tries = [
        post(f"p{at}", "one", 10 * at, 10 * at + 9, MODEL_URL, said={"http.response.status_code": code})
        for at, code in enumerate(codes)
        if code
    ]
    record = only(agent("a", None, 0, 100), chat("one", "a", 0, 30, said), *tries, chat("two", "a", 40, 90))
    assert record.model_requests == 2 - is_refused


def test_a_servers_request_below_an_agent_whose_calls_nobody_traced_is_one() -> None:
    told: Attributes = {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2}
    record = only(agent("a", None, 0, 100), server("served", "a", 10, 90, told))
    assert (record.model_requests, record.input_tokens, record.output_tokens) == (1, 7, 2)
    assert phases_ms(record) == {"model": 80, "framework": 20}


def test_phases_for_which_a_request_has_no_room_are_told_wrongly() -> None:
    in_ms: Attributes = {
        "gen_ai.latency.time_in_model_prefill": 20.0,
        "gen_ai.latency.time_in_model_decode": 60.0,
    }
    spans = (server("served", None, 0, 100, {**in_ms, "gen_ai.usage.output_tokens": 2}),)
    assert phases_ms(only(*spans)) == {"model": 100}
    assert findings(*spans)["timings-too-long"] == 1


@pytest.mark.parametrize("is_served", [True, False])
def test_durations_that_tgi_prints_are_laid_into_its_request(is_served: bool) -> None:
    durations = {"validation_time": "850.5µs", "queue_time": "10ms", "inference_time": "60.25ms"}
    said: Attributes = {**durations, "time_per_token": "1.2ms", "total_time": "71.1005ms"}
    web = server("web", "POST" if is_served else None, 1, 89, {"http.route": "/v1/chat/completions"})
    above = (agent("a", None, 0, 100), chat("c", "a", 0, 90), post("POST", "c", 0, 90)) if is_served else ()
    record = only(*above, web, span("generate", "web", 2, 80, said))
    assert record.model_requests == 1
    phases = {"queue": 10, "model": 60.25, "serve": 88 - 70.25}
    assert phases_ms(record) == phases | ({"http": 2, "framework": 10} if is_served else {})


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"tokenization_time": "1ms", "queue_time": "1ms", "inference_time": "9ms"}, {}),  # of embeddings
        ({"time_per_token": "1ms", "queue_time": "1ms", "inference_time": "9s"}, {"timings-too-long": 1}),
        ({"time_per_token": "1ms", "queue_time": "1ms", "inference_time": 9}, {}),
    ],
)
def test_other_durations_that_a_server_prints_are_not_laid(said: Attributes, found: dict[str, int]) -> None:
    spans = (server("web", None, 0, 20), span("generate", "web", 2, 18, said))
    assert (phases_ms(only(*spans)), findings(*spans)) == ({"framework": 20}, found)


def test_a_wrapper_that_hands_on_its_stream_and_ends_is_no_request() -> None:
    run, inner = agent("a", None, 0, 100), chat("i", "o", 11, 90)
    for outer, requests, model_ms in (({}, 1, 79), ({"gen_ai.usage.output_tokens": 3}, 2, 80)):
        record = only(run, chat("o", "a", 10, 14, outer), inner)
        assert (record.model_requests, phases_ms(record)["model"]) == (requests, model_ms)
    after = only(run, chat("o", "a", 10, 14, {}), chat("i", "o", 15, 90))
    assert after.model_requests == 2
    failed = replace(chat("o", "a", 10, 14, {}), status=StatusCode.ERROR)
    assert phases_ms(only(run, failed, inner))["retry"] == 1


WRITTEN = "gen_ai.usage.cache_creation.input_tokens"
CACHED = "gen_ai.usage.cache_read.input_tokens"
TOTAL = "gen_ai.usage.total_tokens"
FIRST = "gen_ai.response.time_to_first_chunk"


@pytest.mark.parametrize(
    ("more", "prompt", "found"),
    [
        ({CACHED: 6, WRITTEN: 5}, 21, "cached-above-prompt"),
        ({WRITTEN: 30}, 40, "cached-above-prompt"),
        ({CACHED: 6, WRITTEN: 4}, 10, None),
        ({TOTAL: 10}, 10, "counts-disagree"),
        ({TOTAL: 11}, 10, None),
        ({TOTAL: 90}, 10, None),
        ({FIRST: 0.095}, 10, "timings-too-long"),
        ({FIRST: 0.0905}, 10, None),
        ({FIRST: 0.08}, 10, None),
    ],
)
def test_counts_and_times_of_one_call_that_cannot_all_be_right(
    more: Attributes, prompt: int, found: str | None
) -> None:
    counts = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1}
    spans = (agent("a", None, 0, 100), chat("c", "a", 0, 90, {**counts, **more}))
    assert only(*spans).input_tokens == prompt
    assert [*findings(*spans)] == [found] * (found is not None)


def test_what_lies_wholly_outside_of_a_query_is_none_of_its_requests_and_tools() -> None:
    run, late = agent("a", None, 0, 100), (chat("late", "a", 101, 120), tool("late tool", "a", 100, 130))
    early = chat("early", "a", -30, -1), tool("early tool", "a", -30, -1)
    record = only(run, chat("c", "a", 10, 60), chat("over", "a", 90, 110), *late, *early)
    assert (record.model_requests, record.input_tokens, record.tool_calls) == (2, 20, 0)


def test_a_stream_that_is_open_around_a_tool_is_not_the_tools() -> None:
    spans = (
        agent("a", None, 0, 100),
        span("GET", "a", 1, 99, {"http.request.method": "GET"}, kind=SpanKind.CLIENT),
        chat("c", "a", 0, 30),
        tool("t", "a", 31, 91),
    )
    assert phases_ms(only(*spans)) == {"model": 30, "tool": 60, "framework": 10}


def test_the_server_of_a_request_that_was_tried_again_is_part_of_the_retry() -> None:
    failed: Attributes = {"http.response.status_code": 503}
    spans = (
        agent("a", None, 0, 100),
        chat("c", "a", 0, 100),
        post("one", "c", 0, 20, said=failed),
        server("s", "one", 1, 19, failed),
        post("two", "c", 30, 100),
        server("r", "two", 31, 99),
    )
    assert phases_ms(only(*spans)) == {"retry": 20, "framework": 10, "http": 2, "model": 68}


def test_counts_of_a_server_behind_a_gateway_and_of_a_wrapper_are_compared() -> None:
    run, call = agent("a", None, 0, 100), chat("c", "a", 0, 90)
    gateway = (post("p", "c", 1, 89), server("g", "p", 2, 88, {"gen_ai.usage.output_tokens": 1}))
    behind = server("s", "g", 3, 87, {"gen_ai.usage.output_tokens": 2})
    assert findings(run, call, *gateway) == {}
    assert findings(run, call, *gateway, behind) == {"counts-disagree": 1}
    counts = {"gen_ai.usage.input_tokens": 90, "gen_ai.usage.output_tokens": 1}
    assert findings(run, chat("o", "a", 0, 90, counts), chat("i", "o", 1, 89)) == {}
    more = {**counts, "gen_ai.usage.output_tokens": 3}
    assert findings(run, chat("o", "a", 0, 90, more), chat("i", "o", 1, 89)) == {"counts-disagree": 1}


@pytest.mark.parametrize(("route", "rest"), [("/v1/completions", "serve"), ("/ask", "framework")])
def test_several_answers_to_one_request_of_a_server_alone(route: str, rest: str) -> None:
    counts = {"gen_ai.usage.output_tokens": 1}
    around = server("r", None, 0, 100, {"http.request.method": "POST", "http.route": route})
    record = only(around, *(server(name, "r", 10, 90, counts) for name in ("s", "t")))
    assert (record.model_requests, phases_ms(record)) == (2, {"model": 80, rest: 20})


def test_how_a_call_failed_is_said_with_it_and_with_its_query() -> None:
    run = agent("a", None, 0, 100, status=StatusCode.ERROR)
    for said, more, error in (
        ({"error.type": "Overloaded"}, {}, "Overloaded"),
        ({}, {"events": (Event("exception", 5, {"exception.type": "Timeout"}),)}, "Timeout"),
        ({"http.response.status_code": 429}, {}, "429"),
    ):
        failed = chat("c", "a", 0, 90, said, status=StatusCode.ERROR, **more)
        assert only(run, failed).error == error
        (found,) = (one for one in read(run, failed).findings if one.slug == "failed-model-call")
        assert found.examples == (f"{run.trace_id}/c: {error}",)


def test_a_post_beside_a_call_that_ended_at_the_headers_is_its_own() -> None:
    run, call = agent("a", None, 0, 100), chat("c", "a", 10, 16)
    beside = post("p", "a", 11, 90, MODEL_URL)
    assert phases_ms(only(run, call, beside)) == {"model": 80, "framework": 20}
    assert findings(run, call, beside) == {}
    assert findings(run, call, post("p", "a", 17, 90, MODEL_URL)) == {"request-without-model-call": 1}
