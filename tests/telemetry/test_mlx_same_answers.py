"""What clients get under our launcher, with spans, is what mlx_lm's own server gives; of a model that computes.

Both servers are asked the same in the same order, so what their prompt caches hold, and with it `usage`, is the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import Client, Served, ServedRequest, serving, started, unmodified

from punie.trace.demo.paths import draft_model_path, target_model_path
from punie.trace.server.config import ServerConfig
from punie.trace.workload.agent import INSTRUCTIONS
from training.tokenizer import TOOLS

Json = dict[str, Any]

LONG = "What is dependency injection in Django?"
DIRECT = "What's the difference between Django ORM and raw SQL?"
SEARCH = "Show me the implementation of UserSerializer"
FOUND = "./accounts/serializers.py:12:class UserSerializer(serializers.ModelSerializer):"


@dataclass(frozen=True)
class Pair:
    """Two servers of one configuration: mlx_lm's own, and ours with spans."""

    own: Served
    ours: Served

    def ask(self, body: Json) -> tuple[list[Json], ServedRequest]:
        """What both said, once it is known to be the same, and our spans of it."""
        client = Client()
        said = lasting(whole(self.own.post(body, client)))
        assert lasting(whole(self.ours.post(body, client))) == said
        return said, self.ours.request(client)


@contextmanager
def pair(config: ServerConfig, folder: Path) -> Iterator[Pair]:
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        own = pool.submit(stack.enter_context, started(config, folder / "own", unmodified))
        ours = pool.submit(stack.enter_context, serving(config, folder / "ours"))
        yield Pair(own.result(), ours.result())
    assert not (folder / "own" / "spans").exists()


@pytest.fixture(scope="module")
def batching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The demo model, with the prompt cache."""
    with pair(ServerConfig(target_model_path()), tmp_path_factory.mktemp("batching")) as servers:
        yield servers


@pytest.fixture(scope="module")
def drafting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The demo model with its draft, without the prompt cache."""
    config = ServerConfig(target_model_path(), draft_model=draft_model_path(), prompt_cache_size=0)
    with pair(config, tmp_path_factory.mktemp("drafting")) as servers:
        yield servers


def whole(answer: httpx.Response) -> list[str]:
    assert answer.status_code == httpx.codes.OK
    return answer.text.splitlines()


def lasting(lines: Iterable[str]) -> list[Json]:
    """All that an answer says but what is drawn anew each time: ids and the time."""
    texts = [line.removeprefix("data: ") for line in lines]
    bodies = [json.loads(text) for text in texts if text.startswith("{")]
    for body in bodies:
        del body["id"], body["created"]
        for choice in body["choices"]:
            for call in choice.get("message", choice.get("delta", {})).get("tool_calls") or ():
                del call["id"]
    return bodies


def body(question: str, *later: Json, **more: object) -> Json:
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": question}, *later]
    return {"messages": messages, "tools": TOOLS, "temperature": 0.0, "max_tokens": 200} | more


def streamed(question: str, *later: Json, **more: object) -> Json:
    return body(question, *later, stream=True, stream_options={"include_usage": True}, **more)


def asked_for() -> tuple[Json, Json]:
    """The second turn: the model's call as a client sends it back, and what the tool found."""
    function = {"name": "run_command", "arguments": '{"command": "grep -rn \\"class UserSerializer\\" ."}'}
    call = {"id": "call-1", "type": "function", "function": function}
    return (
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call-1", "content": FOUND},
    )


@pytest.fixture(params=["batching", "drafting"])
def servers(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.getfixturevalue(request.param)
    return found


def test_a_whole_answer_to_the_last_bit_of_its_logits(servers: Pair) -> None:
    (answer,), spans = servers.ask(body(DIRECT, logprobs=True, top_logprobs=5))
    assert answer["choices"][0]["finish_reason"] == "stop"
    logprobs = answer["choices"][0]["logprobs"]["content"]
    assert len({entry["logprob"] for entry in logprobs}) > 20  # of a model whose logits are no table
    assert spans["gen_ai.usage.output_tokens"] == answer["usage"]["completion_tokens"] > 20
    assert spans["gen_ai.usage.input_tokens"] == answer["usage"]["prompt_tokens"]


def test_a_streamed_answer(servers: Pair) -> None:
    events, spans = servers.ask(streamed(DIRECT))
    assert len(events) > 20
    assert events[-1]["usage"]["completion_tokens"] == spans["gen_ai.usage.output_tokens"]


@pytest.mark.parametrize("ask", [body, streamed], ids=["whole", "streamed"])
def test_a_tool_call_and_the_answer_to_what_it_found(servers: Pair, ask: Callable[..., Json]) -> None:
    calls, spans = servers.ask(ask(SEARCH))
    assert "UserSerializer" in json.dumps(calls)
    assert spans["gen_ai.response.finish_reasons"] == ["tool_calls"]
    answers, spans = servers.ask(ask(SEARCH, *asked_for()))
    assert spans["gen_ai.response.finish_reasons"] == ["stop"]
    assert answers[-1]["usage"]["prompt_tokens"] > calls[-1]["usage"]["prompt_tokens"]


def test_an_answer_that_is_cut_short(servers: Pair) -> None:
    (answer,), _ = servers.ask(body(DIRECT, max_tokens=7))
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 7


def test_the_prompt_cache_is_used_alike(batching: Pair, drafting: Pair) -> None:
    (with_cache,), _ = batching.ask(body("What is a context manager?"))
    (without,), spans = drafting.ask(body("What is a context manager?"))
    assert with_cache["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
    assert without["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert spans["punie.server.path"] == "single"
    assert spans["punie.server.accepted_tokens"] > 0


def test_two_at_once(batching: Pair) -> None:
    first, second = Client(), Client()
    long, short = together(batching.own, first, second)
    assert together(batching.ours, first, second) == (long, short)
    assert (long[-1]["usage"]["completion_tokens"], short[0]["choices"][0]["finish_reason"]) == (300, "stop")
    for client in (first, second):
        spans = batching.ours.request(client)
        assert (spans["punie.server.path"], spans["punie.server.concurrent_requests"]) == ("batch", 2)


def together(server: Served, first: Client, second: Client) -> tuple[list[Json], list[Json]]:
    """A long streamed answer, and a short one that is asked for while the long one goes on."""
    goes_on = streamed(LONG, max_tokens=300, logit_bias={str(end_of_turn()): -100.0})
    with (
        ThreadPoolExecutor() as pool,
        httpx.Client(base_url=server.process.base_url, trust_env=False, timeout=30) as http,
        http.stream("POST", "/chat/completions", json=goes_on, headers=first.headers) as answer,
    ):
        lines = answer.iter_lines()
        begun = next(line for line in lines if line.startswith("data: "))
        short = pool.submit(server.post, body(DIRECT), second)
        return lasting([begun, *lines]), lasting(whole(short.result()))


def end_of_turn() -> int:
    config = json.loads((target_model_path() / "config.json").read_text(encoding="utf-8"))
    return int(config["eos_token_id"])
