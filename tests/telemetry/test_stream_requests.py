"""Prefill and decode read off real streams: a stub with planted gaps, and the real mlx_lm.server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import httpx2
import pytest
from scripted_model import write_scripted_model
from served import COMPLETIONS, Client, Served, question, serving

from punie.trace.server import ServerConfig
from punie.trace.telemetry.http import instrument_http, uninstrument_http
from punie.trace.telemetry.provider import Telemetry

# The fixtures' own types live in conftest.py, which test modules can't import.
Spans = Callable[[], list[Any]]
Stub = Any
MakeReply = Any

PAUSE_S = 0.05
PAUSE_NS = 50_000_000
TRIES = 20
TOOLS = [{"type": "function", "function": {"name": "run_command", "parameters": {}}}]


@pytest.fixture(autouse=True)
def instrumented(telemetry: Telemetry) -> Iterator[None]:
    instrument_http(telemetry)
    yield
    uninstrument_http(telemetry)


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


TEXT = chunk({"content": "word "})
CALL = chunk({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}]})
READ_ALL = b": keepalive 9/9\n\n"
DONE = chunk({}, "stop") + b"data: [DONE]\n\n"

STREAMS = {
    "text": ([b": keepalive 1/9\n\n", b": keepalive 5/9\n\n", TEXT, TEXT, DONE], 2, 2),
    "call": ([b": keepalive 1/9\n\n", READ_ALL, b": still alive\n\n", CALL + DONE], 1, 2),
}


def by_request(spans: list[Any]) -> list[dict[str, Any]]:
    """For each POST its children by name, and itself."""
    return [
        {"POST": post, **{span.name: span for span in spans if span.parent_id == post.span_id}}
        for post in spans
        if post.name == "POST"
    ]


def duration(span: Any) -> int:  # noqa: ANN401 # a span as the fixture reads it
    return int(span.end_ns - span.start_ns)


def is_sound(found: dict[str, Any]) -> bool:
    """Whether the phases lie in their request, meet, and say how they are known."""
    post, prefill, decode = found["POST"], found["prefill"], found["decode"]
    known = {
        (span.attributes["punie.phase"], span.attributes["punie.phase.provenance"])
        for span in (prefill, decode)
    }
    in_order = (
        post.start_ns <= prefill.start_ns < prefill.end_ns == decode.start_ns < decode.end_ns <= post.end_ns
    )
    return in_order and known == {("prefill", "stream"), ("decode", "stream")}


@pytest.mark.parametrize("package", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize("name", STREAMS)
def test_planted_gaps_come_out_and_no_byte_changes(
    telemetry: Telemetry,
    spans: Spans,
    stub: Stub,
    make_reply: MakeReply,
    name: str,
    package: Any,  # noqa: ANN401 # httpx or httpx2
) -> None:
    chunks, prefill_pauses, decode_pauses = STREAMS[name]
    stub.script = [
        make_reply(chunks=chunks, content_type="text/event-stream", pause_s=PAUSE_S) for _ in range(5)
    ]
    with telemetry.tracer.start_as_current_span("chat"), package.Client() as client:
        for _ in range(5):
            with client.stream("POST", stub.url, json={}) as response:
                assert b"".join(response.iter_raw()) == b"".join(chunks)
    found = by_request(spans())
    assert all(is_sound(one) for one in found)
    # Medians, because a busy machine hands a piece over late now and then.
    assert median(duration(one["prefill"]) for one in found) > (prefill_pauses - 0.5) * PAUSE_NS
    assert median(duration(one["decode"]) for one in found) > (decode_pauses - 0.5) * PAUSE_NS


SHOW_NOTHING: dict[str, tuple[Sequence[bytes], str, tuple[tuple[str, str], ...]]] = {
    "silence before a call": ([b": keepalive 1/9\n\n", CALL, DONE], "text/event-stream", ()),
    "an answer in one piece": ([READ_ALL + TEXT + DONE], "text/event-stream", ()),
    "an error": ([b'data: {"error": {"message": "no"}}\n\n'], "text/event-stream", ()),
    "nothing": ([], "text/event-stream", ()),
    "another format": ([TEXT, DONE], "text/plain", ()),
    "an encoding that isn't undone": (
        [TEXT, DONE],
        "text/event-stream",
        (("content-encoding", "x-unknown"),),
    ),
    "a whole answer": ([b'{"choices": [{"message": {"content": "a"}}]}'], "application/json", ()),
}


@pytest.mark.parametrize("name", SHOW_NOTHING)
def test_what_shows_no_phase_makes_no_span(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply, name: str
) -> None:
    chunks, content_type, headers = SHOW_NOTHING[name]
    stub.script = [make_reply(chunks=chunks, content_type=content_type, pause_s=0.02, headers=headers)]
    with (
        telemetry.tracer.start_as_current_span("chat"),
        httpx2.Client() as client,
        client.stream("POST", stub.url, json={}) as response,
    ):
        assert b"".join(response.iter_raw()) == b"".join(chunks)
    assert [span.name for span in spans()] == ["POST", "chat"]


def test_a_caller_that_leaves_early_still_has_what_it_saw(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [make_reply(chunks=[TEXT] * 6 + [DONE], content_type="text/event-stream", pause_s=PAUSE_S)]
    with (
        telemetry.tracer.start_as_current_span("chat"),
        httpx2.Client() as client,
        client.stream("POST", stub.url, json={}) as response,
    ):
        seen = 0
        for piece in response.iter_raw():
            seen += piece.count(TEXT)
            if seen >= 3:
                break
    (found,) = by_request(spans())
    assert found["POST"].attributes["punie.http.ends_at"] == "close"
    assert found["decode"].end_ns <= found["POST"].end_ns


# --- the real server ---


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scripted_model(tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def plain(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(ServerConfig(model), tmp_path_factory.mktemp("plain"), hook=None) as served:
        yield served


@pytest.fixture(scope="module")
def drafting(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With a draft model, and so without keepalives."""
    draft = write_scripted_model(tmp_path_factory.mktemp("draft"))
    config = ServerConfig(model, draft_model=draft, num_draft_tokens=3, prompt_cache_size=0)
    with serving(config, tmp_path_factory.mktemp("drafting"), hook=None) as served:
        yield served


@contextmanager
def asking(server: Served) -> Iterator[Callable[..., bytes]]:
    url = server.process.base_url.removesuffix("/v1") + COMPLETIONS

    with httpx2.Client(trust_env=False, timeout=30.0) as client:

        def ask(word: str, **more: object) -> bytes:
            with client.stream("POST", url, json=question(word, stream=True, **more)) as response:
                return b"".join(response.iter_raw())

        yield ask


def until_seen(telemetry: Telemetry, spans: Spans, ask: Callable[[], bytes]) -> dict[str, Any]:
    """The first request whose stream arrived in more than one piece: a busy client gets some whole."""
    for _ in range(TRIES):
        with telemetry.tracer.start_as_current_span("chat"):
            ask()
        found = by_request(spans())[-1]
        if "decode" in found:
            return found
    raise AssertionError(f"none of {TRIES} streams showed its phases")


def test_the_real_server_shows_prefill_and_decode(telemetry: Telemetry, spans: Spans, plain: Served) -> None:
    with asking(plain) as ask:
        found = until_seen(telemetry, spans, lambda: ask("loop", max_tokens=300))
    assert is_sound(found)
    assert duration(found["decode"]) > duration(found["prefill"])  # 300 tokens against 3


def test_the_real_server_shows_them_for_a_call_by_its_keepalives(
    telemetry: Telemetry, spans: Spans, plain: Served
) -> None:
    with asking(plain) as ask:
        assert b'"tool_calls"' in ask("call", tools=TOOLS)
        found = until_seen(telemetry, spans, lambda: ask("call", tools=TOOLS))
    assert is_sound(found)


def test_the_real_server_without_keepalives_leaves_a_call_unknown(
    telemetry: Telemetry, spans: Spans, drafting: Served
) -> None:
    with asking(drafting) as ask, telemetry.tracer.start_as_current_span("chat"):
        body = ask("call", tools=TOOLS)
    assert b'"tool_calls"' in body
    assert b"keepalive" not in body
    assert [span.name for span in spans()] == ["POST", "chat"]


def test_an_untraced_answer_is_the_same(telemetry: Telemetry, plain: Served) -> None:
    def texts(body: bytes) -> list[object]:
        events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
        return [json.loads(event)["choices"][0]["delta"] for event in events]

    with asking(plain) as ask:
        with telemetry.tracer.start_as_current_span("chat"):
            traced = ask("count")
        assert texts(traced) == texts(ask("count")) != []


def test_served_spans_and_stream_spans_are_both_in_the_journals(
    telemetry: Telemetry, spans: Spans, model: Path, tmp_path: Path
) -> None:
    with serving(ServerConfig(model), tmp_path) as server, asking(server) as ask:
        found = until_seen(telemetry, spans, lambda: ask("loop", max_tokens=300))
        served = server.request(Client(found["POST"].trace_id, found["POST"].span_id))
    assert served.root.parent_id == found["POST"].span_id
    assert {"prefill", "decode"} <= set(served.names)
    assert is_sound(found)
