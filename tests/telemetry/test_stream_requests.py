"""Prefill and decode read off real streams: a stub with planted gaps, and the real mlx_lm.server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from statistics import median
from typing import Any

import httpx
import httpx2
import pytest
from served import COMPLETIONS, Client, Served, ServedRequest, question

from punie.trace.telemetry.http.transports import instrument_http, uninstrument_http
from punie.trace.telemetry.provider import Telemetry

# The fixtures' own types live in conftest.py, which test modules can't import.
Spans = Callable[[], list[Any]]
Stub = Any
MakeReply = Any

PAUSE_S = 0.05
# Between a server's write and a client's read; of medians, because a busy machine hands a piece over late now and then.
LATE_NS = 20_000_000
TRIES, MOST_TRIES = 5, 20
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

# What is sent, and with which of them prefill ends and decode does.
STREAMS = {
    "text": ([b": keepalive 1/9\n\n", b": keepalive 5/9\n\n", TEXT, TEXT, DONE], 2, 4),
    "call": ([b": keepalive 1/9\n\n", READ_ALL, b": still alive\n\n", CALL + DONE], 1, 3),
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
    chunks, prefill_ends, decode_ends = STREAMS[name]
    reply = make_reply(chunks=chunks, content_type="text/event-stream", wait_s=PAUSE_S, pause_s=PAUSE_S)
    stub.script = [reply] * 5
    with telemetry.tracer.start_as_current_span("chat"), package.Client() as client:
        for _ in range(5):
            with client.stream("POST", stub.url, json={}) as response:
                assert b"".join(response.iter_raw()) == b"".join(chunks)
    found = by_request(spans())
    assert all(is_sound(one) for one in found)
    for phase, edge, sent in (
        ("prefill", "start_ns", 0),
        ("prefill", "end_ns", 1 + prefill_ends),
        ("decode", "end_ns", 1 + decode_ends),
    ):
        late = [
            getattr(one[phase], edge) - times[sent] for one, times in zip(found, stub.sent_ns, strict=True)
        ]
        assert min(late) >= 0
        assert median(late) < LATE_NS, (phase, edge, late)


SHOW_NOTHING: dict[str, tuple[Sequence[bytes], str, tuple[tuple[str, str], ...]]] = {
    "silence before a call": ([b": keepalive 1/9\n\n", CALL, DONE], "text/event-stream", ()),
    "an answer in one piece": ([READ_ALL + TEXT + DONE], "text/event-stream", ()),
    "an error": ([b'data: {"error": {"message": "no"}}\n\n'], "text/event-stream", ()),
    "nothing": ([], "text/event-stream", ()),
    "another format": ([b"word ", b"word"], "text/plain", ()),
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


@pytest.mark.parametrize("leaves", [False, True])
def test_after_done_the_request_is_complete_whatever_the_connection_does(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply, *, leaves: bool
) -> None:
    """The connection stays open; one caller reads on to its end, the other gives up."""
    chunks = [TEXT + TEXT + DONE, b": still open\n\n"]
    stub.script = [make_reply(chunks=chunks, content_type="text/event-stream", pause_s=0.5)]
    gives_up = pytest.raises(httpx.ReadTimeout) if leaves else nullcontext()
    with telemetry.tracer.start_as_current_span("chat"), gives_up:
        httpx.post(stub.url, timeout=httpx.Timeout(5, read=0.2 if leaves else 5))
    post = next(span for span in spans() if span.name == "POST")
    assert (post.status, post.attributes["punie.http.ends_at"]) == (0, "last_byte")
    assert post.end_ns - stub.sent_ns[0][1] < 150_000_000


def test_a_stream_that_ends_in_the_middle_of_an_answer_failed(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    cut = (
        [TEXT, TEXT],
        [CALL],
        [chunk({"role": "assistant"})],
        [READ_ALL, TEXT],
        [chunk({"content": "a"}, "")],
    )
    whole = (
        [TEXT, chunk({}, "stop")],
        [TEXT, b"data: [DONE]\n\n"],
        [b'data: {"event":"another"}\n\n'],
        [READ_ALL],
    )
    for chunks in (*cut, *whole):
        stub.script.append(make_reply(chunks=chunks, content_type="text/event-stream"))
        with telemetry.tracer.start_as_current_span("chat"):
            httpx.post(stub.url)
    posts = [span for span in spans() if span.name == "POST"]
    assert [(post.status, post.attributes.get("error.type")) for post in posts] == [
        *[(2, "IncompleteStream")] * len(cut),
        *[(0, None)] * len(whole),
    ]


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


@contextmanager
def asking(server: Served) -> Iterator[Callable[..., bytes]]:
    url = server.process.base_url.removesuffix("/v1") + COMPLETIONS

    with httpx2.Client(trust_env=False, timeout=30.0) as client:

        def ask(word: str, **more: object) -> bytes:
            with client.stream("POST", url, json=question(word, stream=True, **more)) as response:
                return b"".join(response.iter_raw())

        yield ask


def long_prompt(number: int, word: str) -> list[dict[str, str]]:
    """Read in several steps; no two begin alike, so none is found in the prompt cache."""
    letters = (" ".join("abc"[number // 3**place % 3] for place in range(4)), *["a b c"] * 4000)
    return [{"role": "user", "content": f"{' '.join(letters)} now {word}"}]


def seen_twice(
    telemetry: Telemetry, spans: Spans, server: Served, ask: Callable[[int], object]
) -> list[tuple[dict[str, Any], ServedRequest]]:
    """Requests as their stream shows them and as the server tells it: those that came in more than one piece.

    Most do; a busy client gets some whole, and asks again.
    """
    found: list[dict[str, Any]] = []
    for number in range(MOST_TRIES):
        with telemetry.tracer.start_as_current_span("chat"):
            ask(number)
        found = [one for one in by_request(spans()) if "decode" in one]
        if number + 1 >= TRIES and len(found) > TRIES / 2:
            break
    assert len(found) > TRIES / 2
    return [(one, server.request(Client(one["POST"].trace_id, one["POST"].span_id))) for one in found]


def check_against_server(both: Sequence[tuple[dict[str, Any], ServedRequest]]) -> None:
    """The phases begin and end when the server's own do, and last longer than the bound for that."""
    assert all(is_sound(stream) for stream, _ in both)
    assert median(duration(served.child("prefill")) for _, served in both) > LATE_NS
    for phase, edge in (("prefill", "start_ns"), ("prefill", "end_ns"), ("decode", "end_ns")):
        off = [
            abs(getattr(stream[phase], edge) - getattr(served.child(phase), edge)) for stream, served in both
        ]
        assert median(off) < LATE_NS, (phase, edge, off)


def test_prefill_and_decode_of_a_text_are_those_of_the_server(
    telemetry: Telemetry, spans: Spans, server: Served
) -> None:
    with asking(server) as ask:
        both = seen_twice(
            telemetry,
            spans,
            server,
            lambda number: ask("", messages=long_prompt(number, "loop"), max_tokens=50),
        )
    check_against_server(both)
    assert median(duration(served.child("decode")) for _, served in both) > LATE_NS
    for stream, served in both:
        assert served.root.parent_id == stream["POST"].span_id


def test_prefill_and_decode_of_a_call_are_told_apart_by_keepalives(
    telemetry: Telemetry, spans: Spans, server: Served
) -> None:
    with asking(server) as ask:
        assert b'"tool_calls"' in ask("call", tools=TOOLS)
        both = seen_twice(
            telemetry,
            spans,
            server,
            lambda number: ask("", messages=long_prompt(number + MOST_TRIES, "call"), tools=TOOLS),
        )
    check_against_server(both)


def test_the_real_server_without_keepalives_leaves_a_call_unknown(
    telemetry: Telemetry, spans: Spans, drafting: Served
) -> None:
    with asking(drafting) as ask, telemetry.tracer.start_as_current_span("chat"):
        body = ask("call", tools=TOOLS)
    assert b'"tool_calls"' in body
    assert b"keepalive" not in body
    assert [span.name for span in spans()] == ["POST", "chat"]


def test_an_untraced_answer_is_the_same(telemetry: Telemetry, server: Served) -> None:
    def texts(body: bytes) -> list[object]:
        events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
        return [json.loads(event)["choices"][0]["delta"] for event in events]

    with asking(server) as ask:
        with telemetry.tracer.start_as_current_span("chat"):
            traced = ask("count")
        assert texts(traced) == texts(ask("count")) != []
