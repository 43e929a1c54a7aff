"""What the wire shows of a streamed answer, and what it doesn't."""

from __future__ import annotations

import gzip
import json
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie.trace.model import Phase, Provenance
from punie.trace.telemetry.http.response import reader_for
from punie.trace.telemetry.http.sse import LONGEST_EVENT
from punie.trace.telemetry.http.stream.chunk import StreamUsage
from punie.trace.telemetry.http.stream.phases import StreamMarks, stream_phases
from punie.trace.telemetry.http.stream.reader import StreamReader

Told = list[tuple[str, int, int]]
HEADERS = 100


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


ROLE = event({"role": "assistant", "content": ""})
TEXT = event({"content": "word "})
THOUGHT = event({"reasoning_content": "hm"})
CALL = event({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]})
STOP = event(finish="stop")
CALLED = event(finish="tool_calls")
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 9}}\n\n'
COUNTED = b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}\n\n'
DONE = b"data: [DONE]\n\n"


def keepalive(done: int, total: int) -> bytes:
    return f": keepalive {done}/{total}\n\n".encode()


def read(*pieces: tuple[int, bytes]) -> Told:
    reader = StreamReader(HEADERS)
    for now_ns, piece in pieces:
        reader.feed(piece, now_ns)
    found = stream_phases(reader.marks)
    assert {one.provenance for one in found} <= {Provenance.STREAM}
    return [(one.phase.value, one.start_ns, one.end_ns) for one in found]


def test_text_ends_prefill_and_the_finish_ends_decode() -> None:
    told = read(
        (110, keepalive(5, 9)), (120, keepalive(9, 9)), (130, TEXT), (140, TEXT), (150, STOP), (160, DONE)
    )
    assert told == [("prefill", 100, 130), ("decode", 130, 150)]


def test_keepalives_are_not_needed_for_text() -> None:
    assert read((130, TEXT), (150, STOP)) == [("prefill", 100, 130), ("decode", 130, 150)]


@pytest.mark.parametrize("early", [ROLE, USAGE, b": ping\n\n", b"data: {}\n\n", b"event: x\n\n"])
def test_what_is_no_content_does_not_end_prefill(early: bytes) -> None:
    assert read((110, early), (130, TEXT), (150, STOP)) == [("prefill", 100, 130), ("decode", 130, 150)]


@pytest.mark.parametrize(
    "thought", [THOUGHT, event({"reasoning": "hm"}), event({"thinking": "hm"}), event({"refusal": "no"})]
)
def test_reasoning_is_output(thought: bytes) -> None:
    told = read((130, thought), (140, TEXT), (150, STOP))
    assert told == [("prefill", 100, 130), ("decode", 130, 150)]


def test_the_older_completions_endpoint_is_read_too() -> None:
    chunk = b'data: {"choices": [{"text": "a", "finish_reason": null}]}\n\n'
    assert read((130, chunk), (140, chunk)) == [("prefill", 100, 130), ("decode", 130, 140)]


def test_events_after_the_finish_are_not_decode() -> None:
    assert read((130, TEXT), (150, STOP), (170, USAGE), (180, DONE))[-1] == ("decode", 130, 150)


def test_in_a_turn_that_calls_a_tool_prefill_ends_with_the_last_keepalive() -> None:
    told = read((110, keepalive(5, 9)), (120, keepalive(9, 9)), (150, CALL), (151, CALLED))
    assert told == [("prefill", 100, 120), ("decode", 120, 151)]


@pytest.mark.parametrize("before", [[], [(110, keepalive(0, 9))], [(110, keepalive(8, 9))], [(110, ROLE)]])
def test_without_the_last_keepalive_the_silence_stays_what_it_is(before: list[tuple[int, bytes]]) -> None:
    assert read(*before, (150, CALL), (151, CALLED), (160, DONE)) == []


def test_a_call_whose_event_carries_text_too_was_silence_all_the_same() -> None:
    both = event({"content": "x", "tool_calls": [{"index": 0}]})
    assert read((150, both), (151, CALLED)) == []
    assert read((120, keepalive(9, 9)), (150, both), (151, CALLED))[0] == ("prefill", 100, 120)


def test_text_before_a_call_shows_the_first_token() -> None:
    told = read((120, keepalive(9, 9)), (130, TEXT), (150, CALL), (151, CALLED))
    assert told == [("prefill", 100, 130), ("decode", 130, 151)]


def test_an_answer_in_one_piece_shows_nothing() -> None:
    assert read((150, TEXT + TEXT + STOP + DONE)) == []
    assert read((150, keepalive(9, 9) + TEXT + STOP + DONE)) == []
    assert read((150, keepalive(9, 9) + CALL + CALLED)) == []


def test_an_answer_that_is_held_back_shows_its_prefill_by_the_keepalive() -> None:
    assert read((120, keepalive(9, 9)), (150, TEXT + STOP)) == [("prefill", 100, 120), ("decode", 120, 150)]


def test_a_stream_that_is_cut_off_shows_what_it_showed() -> None:
    assert read((130, TEXT), (140, TEXT), (150, TEXT[:20])) == [("prefill", 100, 130), ("decode", 130, 140)]
    assert read((120, keepalive(9, 9))) == []
    assert read((120, keepalive(9, 9)), (150, b'data: {"error": "out of memory"}\n\n')) == []
    assert read() == []


def test_a_late_or_odd_keepalive_is_no_mark() -> None:
    told = read((130, TEXT), (135, keepalive(9, 9)), (150, STOP))
    assert told == [("prefill", 100, 130), ("decode", 130, 150)]
    for odd in (
        keepalive(0, 0),
        b": keepalive\n\n",
        b": keepalive 9\n\n",
        b": keepalive 9/9/9\n\n",
        b":9/9\n\n",
    ):
        assert read((120, odd), (150, CALL), (160, CALLED)) == []


@pytest.mark.parametrize(
    "odd",
    [
        b"data: not json\n\n",
        b"data: \xff\xfe\n\n",
        b"data: [1, 2]\n\n",
        b'data: {"choices": "none"}\n\n',
        b'data: {"choices": [7, {"delta": 3}]}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"choices": [{"delta": {"content": "' + b"x" * LONGEST_EVENT + b'"}}]}\n\n',
    ],
)
def test_events_of_another_shape_say_nothing(odd: bytes) -> None:
    assert read((120, odd), (130, TEXT), (150, STOP)) == [("prefill", 100, 130), ("decode", 130, 150)]


def test_lines_may_end_in_any_way_and_data_may_have_several_lines() -> None:
    text = TEXT.replace(b"\n\n", b"\r\n\r\n")
    parts = b'data: {"choices": [\r\ndata: {"delta": {"content": "a"}}\r\ndata: ]}\r\n\r\n'
    assert read((130, text), (140, parts)) == [("prefill", 100, 130), ("decode", 130, 140)]
    assert read((130, TEXT.replace(b"\n", b"\r")), (140, STOP)) == [
        ("prefill", 100, 130),
        ("decode", 130, 140),
    ]


BODY = keepalive(5, 9) + keepalive(9, 9) + ROLE + THOUGHT + TEXT + CALL + CALLED + USAGE + DONE


@given(st.lists(st.integers(0, len(BODY)), max_size=20))
def test_a_cut_anywhere_delays_a_mark_and_never_loses_or_invents_one(cuts: list[int]) -> None:
    """A piece's time is its number. Each mark has the time of the piece that completes its event."""
    edges = sorted({0, *cuts, len(BODY)})
    reader = StreamReader(HEADERS)
    for number, (start, end) in enumerate(pairwise(edges)):
        reader.feed(BODY[start:end], number)

    def completed(event: bytes) -> int:
        at = BODY.index(event) + len(event)
        return next(number for number, end in enumerate(edges[1:]) if end >= at)

    assert reader.events == 6
    assert reader.done_ns is not None
    assert reader.first_event_ns == completed(ROLE)
    marks = reader.marks
    assert marks.prompt_read_ns is not None
    # A comment is complete with its line, an event with the empty line after it.
    assert completed(keepalive(9, 9)[:-1]) == marks.prompt_read_ns
    assert marks.first_text_ns == completed(THOUGHT)
    assert marks.last_output_ns == completed(CALL)
    assert marks.finish_ns == completed(CALLED)


def test_headers_that_come_with_the_first_token_show_no_prefill() -> None:
    (decode,) = stream_phases(StreamMarks(100, first_text_ns=100, last_output_ns=120))
    assert (decode.phase, decode.start_ns, decode.end_ns) == (Phase.DECODE, 100, 120)


@pytest.mark.parametrize(
    ("status", "headers", "is_read"),
    [
        (200, {"content-type": "text/event-stream; charset=utf-8"}, True),
        (200, {"content-type": "Text/Event-Stream"}, True),
        (200, {"content-type": "text/plain"}, True),
        (200, {"content-type": "application/json"}, True),
        (200, {}, True),
        (500, {"content-type": "text/event-stream"}, False),
        (200, {"content-type": "text/event-stream", "content-encoding": "zstd"}, False),
    ],
)
@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"\xef\xbb\xbf", b": keep alive\n\n"])
def test_a_stream_of_events_is_one_by_its_first_bytes(
    status: int, headers: dict[str, str], size: int, before: bytes, *, is_read: bool
) -> None:
    reader = reader_for(status, headers, HEADERS)
    body = before + TEXT
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size], 130)
    reader.feed(TEXT + STOP, 150)
    assert (reader.stream is not None) is is_read
    assert [(one.phase, one.start_ns, one.end_ns) for one in reader.phases(0, 200)] == (
        [(Phase.PREFILL, HEADERS, 130), (Phase.DECODE, 130, 150)] if is_read else []
    )


def typed(kind: str, **more: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


OTHERS = {
    "Responses": (
        typed("response.created", response={"usage": None}),
        typed("response.reasoning_text.delta", delta="hm"),
        typed("response.output_text.delta", delta="word"),
        typed("response.completed", response={}),
    ),
    "Responses, a call": (
        typed("response.created", response={"usage": None}),
        typed("response.output_text.delta", delta="word"),
        typed("response.function_call_arguments.delta", delta="{}"),
        typed("response.incomplete", response={}),
    ),
    "Anthropic": (
        typed("message_start", message={}),
        typed("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"}),
        typed("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": "{}"}),
        typed("message_stop"),
    ),
}


@pytest.mark.parametrize("events", OTHERS.values(), ids=OTHERS)
def test_other_interfaces_streams_show_the_same(events: tuple[bytes, ...]) -> None:
    reader = StreamReader(HEADERS)
    assert not reader.cut_short
    for now_ns, event in zip((110, 130, 140, 150), events, strict=True):
        reader.feed(event, now_ns)
        assert reader.cut_short is (now_ns < 150)
    assert [(one.phase, one.start_ns, one.end_ns) for one in stream_phases(reader.marks)] == [
        (Phase.PREFILL, HEADERS, 130),
        (Phase.DECODE, 130, 150),
    ]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_of_a_packed_stream_all_is_read_but_when_its_tokens_came(encoding: str) -> None:
    pack = zlib.compressobj(wbits=zlib.MAX_WBITS + 16 * (encoding == "gzip"))
    packed = pack.compress(TEXT + COUNTED) + pack.flush(zlib.Z_SYNC_FLUSH)
    reader = reader_for(200, {"content-encoding": encoding}, HEADERS)
    for at in range(0, len(packed), 7):
        reader.feed(packed[at : at + 7], 130)
    assert reader.stream is not None
    assert (reader.stream.events, reader.stream.cut_short, reader.stream.usage) == (
        2,
        True,
        StreamUsage(9, 3),
    )
    reader.feed(pack.compress(TEXT + STOP) + pack.flush(), 150)
    assert not reader.stream.cut_short
    assert reader.phases(0, 200) == ()


@pytest.mark.parametrize("body", [b"data: no gzip", gzip.compress(b"data: " + bytes(64 << 20))])
def test_what_is_badly_packed_or_too_much_is_not_read(body: bytes) -> None:
    reader = reader_for(200, {"content-encoding": "gzip"}, HEADERS)
    reader.feed(body, 130)
    assert reader.stream is None
