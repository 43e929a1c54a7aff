"""Durations that servers tell in their answers: each format, where they are placed, and what is not believed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from punie.trace.model import Provenance
from punie.trace.telemetry.http.body.formats import FORMATS, read_timings
from punie.trace.telemetry.http.body.placement import place
from punie.trace.telemetry.http.body.timings import BodyTimings
from punie.trace.telemetry.http.response import (
    LARGEST_BODY,
    DocumentReader,
    EventsReader,
    ResponseReader,
    reader_for,
)
from punie.trace.telemetry.http.timed_phase import TimedPhase
from punie.trace.telemetry.http.transports import instrument_http, uninstrument_http
from punie.trace.telemetry.provider import Telemetry

# The fixtures' own types live in conftest.py, which test modules can't import.
Spans = Callable[[], list[Any]]
Stub = Any
MakeReply = Any

RECORDED = Path(__file__).parent.parent / "data" / "recorded" / "llama_cpp"
MS = 1_000_000
END = 20_000 * MS


def read_in_pieces(reader: ResponseReader, body: bytes, size: int) -> tuple[TimedPhase, ...]:
    """The phases that timings told, of a body whose piece n arrives at n milliseconds."""
    for number, start in enumerate(range(0, len(body), size), start=1):
        reader.feed(body[start : start + size], number * MS)
    return tuple(one for one in reader.phases(0, END) if one.provenance is Provenance.BODY)


def durations(phases: tuple[TimedPhase, ...]) -> list[tuple[str, object, object]]:
    return [
        (one.phase.value, one.attributes["punie.body.told_ns"], one.attributes["punie.body.source"])
        for one in phases
    ]


def shown(body: bytes) -> dict[str, Any]:
    """The timings in a recording, read by other means: the last of them."""
    start = body.rindex(b'"timings":') + len(b'"timings":')
    return dict(json.JSONDecoder().raw_decode(body[start:].decode())[0])


WHOLE = ["whole.json", "call.json", "drafted.json"]
STREAMED = ["streamed.txt", "streamed_per_token.txt", "call_streamed.txt", "drafted_streamed.txt"]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("name", WHOLE + STREAMED)
def test_answers_recorded_from_llama_cpp(name: str, size: int) -> None:
    body = (RECORDED / name).read_bytes()
    kind = "application/json; charset=utf-8" if name in WHOLE else "text/event-stream"
    phases = read_in_pieces(reader_for(200, {"content-type": kind}, 0), body, size)
    told = shown(body)
    assert durations(phases) == [
        ("prefill", round(told["prompt_ms"] * MS), "llama.cpp"),
        ("decode", round(told["predicted_ms"] * MS), "llama.cpp"),
    ]
    prefill, decode = phases
    assert prefill.attributes["gen_ai.usage.input_tokens"] == told["prompt_n"] + told["cache_n"]
    assert prefill.attributes["gen_ai.usage.cache_read.input_tokens"] == told["cache_n"]
    assert decode.attributes["gen_ai.usage.output_tokens"] == told["predicted_n"]
    assert decode.attributes.get("punie.server.drafted_tokens") == told.get("draft_n")
    assert decode.attributes.get("punie.server.accepted_tokens") == told.get("draft_n_accepted")
    assert ("draft_n" in told) == name.startswith("drafted")


@pytest.mark.parametrize("name", STREAMED)
def test_in_a_recorded_stream_decode_ends_with_the_finish(name: str) -> None:
    body = (RECORDED / name).read_bytes()
    reader = EventsReader(0)
    prefill, decode = read_in_pieces(reader, body, 50)
    assert decode.end_ns == reader.stream.marks.finish_ns
    assert decode.start_ns == prefill.end_ns


def test_a_recorded_call_that_comes_in_parts_is_no_stream_of_text() -> None:
    reader = EventsReader(0)
    body = (RECORDED / "call_streamed.txt").read_bytes()
    read_in_pieces(reader, body, 50)
    assert reader.stream.marks.first_text_ns is None  # llama.cpp holds the beginning of a call back, too
    assert [one for one in reader.phases(0, END) if one.provenance is Provenance.STREAM] == []


MLX_VLM = {
    "prompt_n": 4,
    "cache_n": 2,
    "predicted_n": 3,
    "prompt_ms": 20.5,
    "predicted_ms": 30.0,
    "predicted_per_second": 100.0,
    "peak_memory": 1.5,
    "draft_kind": "mtp",
    "draft_n": 8,
    "draft_n_accepted": 5,
}


def test_mlx_vlm_as_known_from_its_source_alone() -> None:
    rate = {"choices": [{"delta": {"content": "a"}}], "timings": {"predicted_per_second": 99.0}}
    last = {"choices": [], "usage": {}, "timings": MLX_VLM}
    body = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in (rate, rate, last))
    prefill, decode = read_in_pieces(EventsReader(0), body, 30)
    assert durations((prefill, decode)) == [
        ("prefill", 20_500_000, "mlx-vlm"),
        ("decode", 30 * MS, "mlx-vlm"),
    ]
    assert prefill.attributes["gen_ai.usage.input_tokens"] == 6
    assert decode.attributes["punie.server.drafted_tokens"] == 8
    assert decode.attributes["punie.server.accepted_tokens"] == 5


OLLAMA: dict[str, Any] = {
    "model": "m",
    "message": {"role": "assistant", "content": ""},
    "done": True,
    "total_duration": 60 * MS,
    "load_duration": 10 * MS,
    "prompt_eval_count": 11,
    "prompt_eval_duration": 13 * MS,
    "eval_count": 18,
    "eval_duration": 30 * MS,
}
OLLAMA_PART = {"model": "m", "message": {"role": "assistant", "content": "eval_duration"}, "done": False}


@pytest.mark.parametrize("size", [1, 10, 10_000])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_ollama_as_known_from_its_documentation_alone(end: bytes, size: int) -> None:
    lines = b"\n".join(json.dumps(one).encode() for one in (OLLAMA_PART, OLLAMA_PART, OLLAMA)) + end
    for reader, body in (
        (reader_for(200, {"content-type": "application/x-ndjson"}, 0), lines),
        (reader_for(200, {"content-type": "application/json"}, 0), json.dumps(OLLAMA).encode()),
    ):
        phases = read_in_pieces(reader, body, size)
        assert durations(phases) == [
            ("serve", 10 * MS, "ollama"),
            ("prefill", 13 * MS, "ollama"),
            ("decode", 30 * MS, "ollama"),
        ]
        assert [(one.start_ns, one.end_ns) for one in phases] == [
            (END - 53 * MS, END - 43 * MS),
            (END - 43 * MS, END - 30 * MS),
            (END - 30 * MS, END),
        ]


def test_ollama_says_no_prefill_where_all_was_cached_and_nothing_before_it_is_done() -> None:
    cached = {**OLLAMA, "load_duration": 0}
    del cached["prompt_eval_duration"]
    timings = read_timings(json.dumps(cached).encode())
    assert timings is not None
    assert [one.phase.value for one in place(timings, 0, END)] == ["decode"]
    assert read_timings(json.dumps({**OLLAMA, "done": False}).encode()) is None


LM_STUDIO: dict[str, Any] = {
    "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 24, "completion_tokens": 53, "total_tokens": 77},
    "stats": {
        "tokens_per_second": 51.4,
        "time_to_first_token": 0.111,
        "generation_time": 0.954,
        "total_draft_tokens_count": 40,
        "accepted_draft_tokens_count": 30,
    },
}
LM_STUDIO_CHAT: dict[str, Any] = {
    "output": [{"type": "message", "content": "a"}],
    "stats": {
        "input_tokens": 646,
        "total_output_tokens": 50,
        "tokens_per_second": 25.0,
        "time_to_first_token_seconds": 1.437,
        "model_load_time_seconds": 0.5,
    },
}


def test_lm_studio_as_known_from_its_documentation_alone() -> None:
    prefill, decode = read_in_pieces(DocumentReader(by_line=False), json.dumps(LM_STUDIO).encode(), 10_000)
    assert durations((prefill, decode)) == [
        ("prefill", 111 * MS, "lm-studio"),
        ("decode", 954 * MS, "lm-studio"),
    ]
    assert prefill.attributes["gen_ai.usage.input_tokens"] == 24
    assert decode.attributes["gen_ai.usage.output_tokens"] == 53
    assert decode.attributes["punie.server.accepted_tokens"] == 30


def test_lm_studio_chat_gives_a_rate_in_place_of_the_decoding_time() -> None:
    event = {"type": "chat.end", "result": LM_STUDIO_CHAT}
    streamed = b"event: chat.end\ndata: " + json.dumps(event).encode() + b"\n\n"
    for reader, body in (
        (DocumentReader(by_line=False), json.dumps(LM_STUDIO_CHAT).encode()),
        (EventsReader(0), streamed),
    ):
        phases = read_in_pieces(reader, body, 50)
        assert durations(phases) == [
            ("serve", 500 * MS, "lm-studio"),
            ("prefill", 1_437 * MS, "lm-studio"),
            ("decode", 2_000 * MS, "lm-studio"),
        ]
        assert phases[-1].attributes["gen_ai.usage.output_tokens"] == 50


VLLM: dict[str, Any] = {
    "choices": [],
    "usage": {"prompt_tokens": 42, "completion_tokens": 128, "prompt_tokens_details": {"cached_tokens": 16}},
    "metrics": {
        "time_to_first_token_ms": 85.2,
        "generation_time_ms": 1240.5,
        "queue_time_ms": 12.3,
        "speculative_decoding": {"num_draft_tokens": 90, "num_accepted_draft_tokens": 60},
    },
}


def test_vllm_as_known_from_its_documentation_alone() -> None:
    body = b"data: " + json.dumps(VLLM).encode() + b"\n\ndata: [DONE]\n\n"
    phases = read_in_pieces(EventsReader(0), body, 40)
    assert durations(phases) == [
        ("queue", 12_300_000, "vllm"),
        ("prefill", 85_200_000, "vllm"),
        ("decode", 1_240_500_000, "vllm"),
    ]
    assert phases[1].attributes["gen_ai.usage.cache_read.input_tokens"] == 16
    assert phases[2].attributes["punie.server.drafted_tokens"] == 90
    assert phases[2].attributes["punie.server.accepted_tokens"] == 60


DRAFTS = {"num_draft_tokens": 90, "num_accepted_draft_tokens": 60}
DRAFTS_ALONE: dict[str, dict[str, Any]] = {
    "vllm": {"metrics": {"speculative_decoding": DRAFTS}},
    "llama.cpp": {"timings": {"draft_n": 90, "draft_n_accepted": 60}},
    "mlx-vlm": {"timings": {"peak_memory": 1.5, "draft_n": 90, "draft_n_accepted": 60}},
}


@pytest.mark.parametrize("source", DRAFTS_ALONE)
def test_drafts_without_durations_stand_on_the_request(source: str) -> None:
    document = DRAFTS_ALONE[source]
    streamed = b"data: " + json.dumps(document).encode() + b"\n\ndata: [DONE]\n\n"
    for kind, body in (("text/event-stream", streamed), ("application/json", json.dumps(document).encode())):
        reader = reader_for(200, {"content-type": kind}, 0)
        assert read_in_pieces(reader, body, 40) == ()
        assert reader.without_phase() == {
            "punie.server.drafted_tokens": 90,
            "punie.server.accepted_tokens": 60,
        }
    found = read_timings(json.dumps(document).encode())
    assert found == BodyTimings(source, drafted_tokens=90, accepted_tokens=60)


@pytest.mark.parametrize("drafts_last", [True, False])
def test_an_event_that_tells_drafts_alone_takes_no_durations_away(drafts_last: bool) -> None:
    events = [VLLM, DRAFTS_ALONE["vllm"]][:: 1 if drafts_last else -1]
    reader = EventsReader(0)
    phases = read_in_pieces(
        reader, b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events), 40
    )
    assert [one.phase.value for one in phases] == ["queue", "prefill", "decode"]
    assert reader.without_phase() == {}


@pytest.mark.parametrize(
    "document",
    [
        VLLM | {"metrics": {"speculative_decoding": {"num_draft_tokens": None}}},
        LM_STUDIO | {"stats": None},
        LM_STUDIO | {"stats": {"time_to_first_token": -1, "generation_time": 1}},
        LM_STUDIO_CHAT | {"stats": LM_STUDIO_CHAT["stats"] | {"tokens_per_second": 0}},
        LM_STUDIO_CHAT | {"stats": LM_STUDIO_CHAT["stats"] | {"tokens_per_second": 1e-300}},
        VLLM | {"metrics": None},
        VLLM | {"metrics": {"generation_time_ms": 3, "time_to_first_token_ms": "85"}},
    ],
)
def test_what_no_server_reports_is_not_read(document: dict[str, Any]) -> None:
    assert read_timings(json.dumps(document).encode()) is None


def timings(**changed: object) -> bytes:
    return json.dumps({"timings": {"prompt_ms": 1.0, "predicted_ms": 2.0} | changed}).encode()


@pytest.mark.parametrize(
    "body",
    [
        timings(prompt_ms=-1.0),
        timings(predicted_ms="2"),
        timings(predicted_ms=True),
        timings(predicted_ms=None),
        timings(prompt_ms=1e300),
        timings(prompt_ms=10**400),
        b'{"timings": {"prompt_ms": NaN, "predicted_ms": 1}}',
        b'{"timings": {"prompt_ms": Infinity, "predicted_ms": 1}}',
        b'{"timings": 3}',
        b'["timings"]',
        b'"timings"',
        b'{"timings": {"prompt_ms": 1.0, "predicted_ms": 2.0}',
        b'{"other": 1}',
        b"",
    ],
)
def test_what_is_no_duration_is_not_believed(body: bytes) -> None:
    assert read_timings(body) is None


def test_odd_counts_are_left_out() -> None:
    found = read_timings(timings(prompt_n=-1, cache_n=1.5, predicted_n=10**30))
    assert found == BodyTimings("llama.cpp", prefill_ns=MS, decode_ns=2 * MS)


def test_a_marker_in_the_text_is_no_format() -> None:
    for one in FORMATS:
        assert read_timings(b'{"content": ' + json.dumps(one.marker.decode()).encode() + b"}") is None


def test_a_large_body_is_not_held_and_a_large_line_does_not_hide_the_next() -> None:
    large = b'{"x": "' + b"x" * LARGEST_BODY + b'"}'
    reader = DocumentReader(by_line=False)
    assert (
        read_in_pieces(reader, large[:-1] + b', "timings": {"prompt_ms": 1, "predicted_ms": 1}}', 1 << 16)
        == ()
    )
    lines = large + b"\n" + json.dumps(OLLAMA).encode()
    assert len(read_in_pieces(DocumentReader(by_line=True), lines, 1 << 16)) == 3


def test_what_has_no_room_is_cut_and_what_was_told_is_kept() -> None:
    told = BodyTimings("x", prefill_ns=50, decode_ns=80, load_ns=10)
    phases = place(told, 1000, 1100)
    assert [(one.phase.value, one.start_ns, one.end_ns) for one in phases] == [
        ("serve", 1000, 1000),
        ("prefill", 1000, 1020),
        ("decode", 1020, 1100),
    ]
    assert [one.attributes["punie.body.told_ns"] for one in phases] == [10, 50, 80]


@pytest.fixture
def instrumented(telemetry: Telemetry) -> Iterator[None]:
    instrument_http(telemetry)
    yield
    uninstrument_http(telemetry)


@pytest.mark.usefixtures("instrumented")
def test_drafts_without_durations_over_real_http(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    body = json.dumps(DRAFTS_ALONE["vllm"]).encode()
    stub.script = [make_reply(chunks=[body], content_type="application/json")]
    with telemetry.tracer.start_as_current_span("chat"), httpx2.Client() as client:
        assert client.post(stub.url, json={}).content == body
    post, _ = spans()
    assert post.attributes["punie.server.drafted_tokens"] == 90
    assert post.attributes["punie.server.accepted_tokens"] == 60


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("name", WHOLE + STREAMED)
def test_a_recorded_answer_over_real_http(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply, name: str
) -> None:
    body = (RECORDED / name).read_bytes()
    kind = "application/json; charset=utf-8" if name in WHOLE else "text/event-stream"
    stub.script = [make_reply(chunks=[body], content_type=kind)]
    with telemetry.tracer.start_as_current_span("chat"), httpx2.Client() as client:
        assert client.post(stub.url, json={}).content == body
    prefill, decode, post, _ = spans()
    assert [(one.name, one.parent_id) for one in (prefill, decode)] == [
        ("prefill", post.span_id),
        ("decode", post.span_id),
    ]
    # The stub answers faster than the model did: cut to the request, with what was told beside it.
    assert (
        post.start_ns <= prefill.start_ns <= prefill.end_ns == decode.start_ns <= decode.end_ns <= post.end_ns
    )
    assert decode.attributes["punie.body.told_ns"] == round(shown(body)["predicted_ms"] * MS)
    assert {one.attributes["punie.phase.provenance"] for one in (prefill, decode)} == {"body"}
