"""Spans from inside the real mlx_lm.server, with a model whose answers are written down."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from served import Client, Served, ServedRequest, question, serving, started, unmodified, wait_until

from punie.trace.semconv import MESSAGE_TOKENS_NOT_KNOWN
from punie.trace.server.config import ServerConfig

TOOLS = [{"type": "function", "function": {"name": "run_command", "parameters": {}}}]
COUNTED = "one two three four five six seven eight"
PHASES = {"queue", "template", "prefill", "decode", "parse"}


@pytest.fixture(scope="module")
def narrow(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With our hook and batches of one."""
    more = ("--decode-concurrency", "1", "--prompt-concurrency", "1")
    with serving(ServerConfig(model), tmp_path_factory.mktemp("narrow"), more=more) as served:
        yield served


def check_tree(found: ServedRequest, client: Client) -> None:
    """Joined to the client, children inside, in order, and prefill meets decode."""
    assert (found.root.trace_id, found.root.parent_id) == (client.trace_id, client.span_id)
    assert (found.root.kind, found.root.service, found["punie.phase"]) == (2, "mlx_lm", "serve")
    end_ns = found.root.start_ns
    for child in found.children:
        assert child.trace_id == client.trace_id
        assert child.name in PHASES
        assert child.attributes["punie.phase"] == child.name
        assert child.attributes["punie.phase.provenance"] == "server"
        assert found.root.start_ns <= child.start_ns <= child.end_ns <= found.root.end_ns
        if child.name != "parse":  # made by the connection's thread, beside decode
            assert child.start_ns >= end_ns
            end_ns = child.end_ns
    if "decode" in found.names:
        assert found.child("prefill").end_ns == found.child("decode").start_ns


def test_a_whole_answer(server: Served) -> None:
    client, before_ns = Client(), time.time_ns()
    answer = server.ask("count", client).json()
    found = server.request(client)
    check_tree(found, client)
    assert before_ns <= found.root.start_ns
    assert found.names == ["queue", "template", "prefill", "decode", "parse"]
    usage = answer["usage"]
    assert answer["choices"][0]["message"]["content"] == COUNTED
    assert found["gen_ai.usage.input_tokens"] == usage["prompt_tokens"] == 4
    assert found["gen_ai.usage.output_tokens"] == usage["completion_tokens"] == 9
    assert found["gen_ai.usage.cache_read.input_tokens"] == usage["prompt_tokens_details"]["cached_tokens"]
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert found["http.response.status_code"] == 200
    assert found["punie.server.path"] == "batch"
    assert found["punie.server.concurrent_requests"] == 1
    assert found.root.status == 0


def test_the_numbers_follow_from_the_spans(server: Served, model: Path) -> None:
    client = Client()
    server.ask("count", client)
    found = server.request(client)
    seconds = {child.name: (child.end_ns - child.start_ns) / 1e9 for child in found.children}
    first_token_s = (found.child("decode").start_ns - found.root.start_ns) / 1e9
    new_tokens = found["gen_ai.usage.input_tokens"] - found["gen_ai.usage.cache_read.input_tokens"]
    assert found["gen_ai.latency.time_in_queue"] == pytest.approx(seconds["queue"])
    assert found["gen_ai.latency.time_to_first_token"] == pytest.approx(first_token_s)
    assert found["gen_ai.latency.time_in_model_prefill"] == pytest.approx(seconds["prefill"])
    assert found["gen_ai.latency.time_in_model_decode"] == pytest.approx(seconds["decode"])
    assert found["gen_ai.latency.time_in_model_inference"] == pytest.approx(
        seconds["prefill"] + seconds["decode"]
    )
    assert found["gen_ai.latency.e2e"] == pytest.approx((found.root.end_ns - found.root.start_ns) / 1e9)
    assert found["punie.server.time_per_output_token"] == pytest.approx(seconds["decode"] / 8)
    assert found["punie.server.prefill_tokens_per_second"] == pytest.approx(new_tokens / seconds["prefill"])
    assert found["gen_ai.response.model"] == str(model)
    assert 0 < found["punie.server.active_memory_bytes"] <= found["punie.server.peak_memory_bytes"]
    assert found["punie.server.footprint_bytes"] > 10_000_000
    assert "punie.server.drafted_tokens" not in found.root.attributes


def test_the_second_turn_shows_cached_tokens(server: Served) -> None:
    first, second = Client(), Client()
    asked = [{"role": "user", "content": "a b c a b c a b c count"}]
    answered = [*asked, {"role": "assistant", "content": COUNTED}, {"role": "user", "content": "count"}]
    server.post({"messages": asked, "temperature": 0.0}, first)
    server.post({"messages": answered, "temperature": 0.0}, second)
    assert server.request(second)["gen_ai.usage.cache_read.input_tokens"] >= 10  # user and nine letters
    assert server.request(second).child("prefill").attributes["gen_ai.usage.cache_read.input_tokens"] > 0


def test_each_message_is_counted(server: Served) -> None:
    instructions = {"role": "system", "content": "a b c"}
    asked = [instructions, {"role": "user", "content": "count"}]
    answered = [
        *asked,
        {"role": "assistant", "content": COUNTED},
        {"role": "user", "content": "please count"},
    ]
    first, second, bare = Client(), Client(), Client()
    server.post({"messages": asked, "temperature": 0.0}, first)
    server.post({"messages": answered, "temperature": 0.0}, second)
    server.post({"messages": asked[1:], "temperature": 0.0}, bare)
    before, now, alone = (server.request(client) for client in (first, second, bare))
    assert before["punie.message.tokens"] == [4, 2]
    assert now["punie.message.tokens"] == [4, 2, 9, 3]
    assert (
        sum(now["punie.message.tokens"]) == now["gen_ai.usage.input_tokens"]
    )  # its template opens no answer
    assert now["punie.message.digests"][:2] == before["punie.message.digests"]
    assert len(now["punie.message.digests"]) == len(now["punie.message.lengths"]) == 4
    assert alone["punie.message.tokens"] == [-1, 2]  # no preamble to apply the template to
    assert alone["punie.message.digests"][1] == before["punie.message.digests"][1]


def test_a_prompt_that_is_no_chat_has_no_messages(server: Served) -> None:
    client = Client()
    server.post({"prompt": "please now count", "max_tokens": 3}, client, path="/v1/completions")
    found = server.request(client)
    assert found["gen_ai.usage.input_tokens"] == 3
    assert not [name for name in found.root.attributes if name.startswith("punie.message.")]


def test_a_streamed_answer(server: Served) -> None:
    client = Client()
    answer = server.ask("count", client, stream=True)
    assert answer.text.endswith("data: [DONE]\n\n")
    found = server.request(client)
    check_tree(found, client)
    assert found.names == ["queue", "template", "prefill", "decode", "parse"]
    assert found["gen_ai.usage.output_tokens"] == 9


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_is_parsed(server: Served, stream: bool) -> None:
    client = Client()
    answer = server.ask("call", client, tools=TOOLS, stream=stream)
    assert "run_command" in answer.text
    found = server.request(client)
    check_tree(found, client)
    assert set(found.names) == PHASES
    assert found["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert found["punie.server.tool_calls"] == 1


def test_a_tool_call_that_is_no_json_is_parsed_in_vain(server: Served) -> None:
    client = Client()
    message = server.ask("broken", client, tools=TOOLS).json()["choices"][0]["message"]
    assert "tool_calls" not in message
    found = server.request(client)
    check_tree(found, client)
    assert found.names.count("parse") == 1


def test_max_tokens_ends_the_answer(server: Served) -> None:
    client, single = Client(), Client()
    server.ask("count", client, max_tokens=3)
    server.ask("count", single, max_tokens=1)
    found, one_token = server.request(client), server.request(single)
    assert found["gen_ai.response.finish_reasons"] == ["length"]
    assert found["gen_ai.usage.output_tokens"] == 3
    check_tree(one_token, single)
    assert one_token.child("decode").start_ns == one_token.child("decode").end_ns
    assert "punie.server.time_per_output_token" not in one_token.root.attributes


def test_two_at_once_and_a_client_that_hangs_up(server: Served) -> None:
    endless, short, after = Client(), Client(), Client()
    with server.endless(endless):
        assert server.ask("count", short).status_code == httpx.codes.OK
    gone, done = server.request(endless), server.request(short)
    for found, client in ((gone, endless), (done, short)):
        check_tree(found, client)
        assert found.names == [
            "queue",
            "template",
            "prefill",
            "decode",
            *(["parse"] if found is done else []),
        ]
        assert found["punie.server.path"] == "batch"
        assert found["punie.server.concurrent_requests"] == 2
    assert gone.child("decode").start_ns < done.child("prefill").start_ns
    assert done.child("decode").end_ns < gone.child("decode").end_ns
    assert (gone.root.status, gone["error.type"]) in {(2, "BrokenPipeError"), (2, "ConnectionResetError")}
    assert "gen_ai.response.finish_reasons" not in gone.root.attributes
    server.ask("count", after)
    assert server.request(after)["punie.server.concurrent_requests"] == 1


def test_a_request_with_a_seed_waits_for_the_batch_to_end(server: Served) -> None:
    endless, seeded = Client(), Client()
    with ThreadPoolExecutor() as pool:
        with server.endless(endless):
            answer = pool.submit(server.ask, "count", seeded, seed=7)
            time.sleep(
                1.5
            )  # the generation thread looks for requests twice a second: it has put this one aside
            hung_up_ns = time.time_ns()
        assert answer.result().json()["choices"][0]["message"]["content"] == COUNTED
    found = server.request(seeded)
    check_tree(found, seeded)
    assert found.names == ["queue", "template", "prefill", "decode", "parse"]
    assert found["punie.server.path"] == "single"
    assert found.child("queue").end_ns > hung_up_ns


def test_a_client_hangs_up_while_served_alone(server: Served) -> None:
    endless, after = Client(), Client()
    with server.endless(endless, seed=1):
        pass
    assert server.ask("count", after).status_code == httpx.codes.OK
    found = server.request(endless)
    check_tree(found, endless)
    assert found.names == ["queue", "template", "prefill", "decode"]
    assert found.root.status == 2


def test_a_request_that_finds_no_place_in_the_batch_waits_twice(narrow: Served) -> None:
    endless, second = Client(), Client()
    with ThreadPoolExecutor() as pool:
        with narrow.endless(endless):
            answer = pool.submit(narrow.ask, "count", second)
            narrow.wait_for(second, "template")
            hung_up_ns = time.time_ns()
        assert answer.result().status_code == httpx.codes.OK
    found = narrow.request(second)
    check_tree(found, second)
    assert found.names == ["queue", "template", "queue", "prefill", "decode", "parse"]
    assert found.children[2].end_ns > hung_up_ns


def test_a_draft_model_is_counted(drafting: Served) -> None:
    client = Client()
    answer = drafting.ask("count", client).json()
    assert answer["choices"][0]["message"]["content"] == COUNTED
    found = drafting.request(client)
    check_tree(found, client)
    assert found["punie.server.path"] == "single"
    assert found["punie.server.draft_model"].endswith("draft0")
    # one two [tick] three | four five six seven | eight <end> and the rest of the step is not looked at
    assert found["punie.server.draft_steps"] == 3
    assert found["punie.server.drafted_tokens"] == 9
    assert found["punie.server.accepted_tokens"] == 7
    assert found["punie.server.accepted_tokens_by_position"] == [3, 3, 1]
    assert found["gen_ai.usage.output_tokens"] == 9


def test_a_streamed_tool_call_with_a_draft_model(drafting: Served) -> None:
    client = Client()
    drafting.ask("call", client, tools=TOOLS, stream=True)
    found = drafting.request(client)
    check_tree(found, client)
    assert set(found.names) == PHASES


def test_without_a_traceparent_a_trace_begins(server: Served) -> None:
    known = {span.span_id for span in server.spans()}
    server.ask("count")

    def new_root() -> str | None:
        roots = (s for s in server.spans() if s.name == "server request" and s.span_id not in known)
        return next((root.trace_id for root in roots if root.parent_id is None), None)

    trace_id = wait_until(new_root)
    names = sorted(span.name for span in server.spans() if span.trace_id == trace_id)
    assert names == ["decode", "parse", "prefill", "queue", "server request", "template"]


@pytest.mark.parametrize(
    ("body", "path", "status", "error", "children"),
    [
        (b"{no json", "/v1/chat/completions", 400, "400", []),
        (question("count", temperature=-1), "/v1/chat/completions", 400, "400", []),
        (question("count"), "/v1/elsewhere", 404, "404", []),
        (question("count", model="/no/model"), "/v1/chat/completions", 404, "HFValidationError", ["queue"]),
        (
            {"messages": [{"role": "user", "content": [{"type": "sound", "text": "count"}]}]},
            "/v1/chat/completions",
            404,
            "ValueError",
            ["queue", "template"],
        ),
    ],
)
def test_a_failing_request(
    narrow: Served, body: bytes | dict[str, object], path: str, status: int, error: str, children: list[str]
) -> None:
    client = Client()
    assert narrow.post(body, client, path).status_code == status
    found = narrow.request(client)
    check_tree(found, client)
    assert found["http.response.status_code"] == status
    assert found["error.type"] == error
    assert found.root.status == (2 if children else 0)
    assert found.names == children


def test_answers_are_those_of_the_plain_server(server: Served, model: Path, tmp_path: Path) -> None:
    with started(ServerConfig(model), tmp_path, unmodified) as plain:
        for word in ("count", "call", "broken"):
            for more in ({}, {"stream": True}, {"seed": 3}, {"max_tokens": 2}, {"logprobs": True}):
                body = question(word, tools=TOOLS, **more)
                assert _lasting(server.post(body, Client())) == _lasting(plain.post(body, Client())), body
        assert not plain.spans_dir.exists()


def _lasting(answer: httpx.Response) -> list[object]:
    """What an answer says, without what differs between two equal ones."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
    bodies = [json.loads(line) for line in lines if line.startswith("{")]
    for body in bodies:
        for passing in ("id", "created", "usage"):  # usage: what is cached depends on what was asked before
            body.pop(passing, None)
        for choice in body["choices"]:
            for call in choice.get("message", choice.get("delta", {})).get("tool_calls", ()):
                call.pop("id")
    return [answer.status_code, answer.headers["content-type"], *bodies]


def test_a_stopped_server_ends_the_spans_of_open_requests_and_has_those_of_answers(
    model: Path, tmp_path: Path
) -> None:
    client, long = Client(), Client()
    turns = [{"role": role, "content": "count"} for _ in range(400) for role in ("user", "assistant")]
    with ThreadPoolExecutor() as pool, serving(ServerConfig(model), tmp_path) as served:
        answer = pool.submit(served.ask, "loop", client, max_tokens=1_000_000)
        served.wait_for(client, "prefill")
        served.ask("count", long, messages=[*turns, *question("count")["messages"]], max_tokens=1)
    assert isinstance(answer.exception(), httpx.HTTPError)
    of_the_long = served.request(long)  # to count 801 messages takes seconds: that is left out
    assert of_the_long.names[-1] in ("decode", "parse")
    assert of_the_long["punie.message.tokens"][-1] == MESSAGE_TOKENS_NOT_KNOWN
    found = served.request(client)
    check_tree(found, client)
    assert found.names == ["queue", "template", "prefill", "decode"]
    assert (found.root.status, found["error.type"]) == (2, "InterruptedError")


def test_a_killed_server_loses_no_phase_that_had_ended(model: Path, tmp_path: Path) -> None:
    import psutil

    done, cut = Client(), Client()
    with ThreadPoolExecutor() as pool, serving(ServerConfig(model), tmp_path) as served:
        served.ask("count", done)
        check_tree(served.request(done), done)
        answer = pool.submit(served.ask, "loop", cut, max_tokens=1_000_000)
        served.wait_for(cut, "prefill")
        psutil.Process(served.process.pid).kill()
        assert isinstance(answer.exception(), httpx.HTTPError)
    check_tree(served.request(done), done)
    of_the_cut = [span.name for span in served.spans() if span.trace_id == cut.trace_id]
    assert of_the_cut == ["queue", "template", "prefill"]
