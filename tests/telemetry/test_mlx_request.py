"""One request's spans from what the two threads report, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from punie.trace.telemetry.mlx.attributes import Memory, ServingPath
from punie.trace.telemetry.mlx.recorder import MemoryProbe, Recorder
from punie.trace.telemetry.mlx.request import RequestTrace, SpanSink
from punie.trace.telemetry.mlx.writer import Job
from punie.trace.telemetry.provider import Telemetry, configure

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}


class Hands:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.at = 1000

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def telemetry(tmp_path: Path, hands: Hands) -> Iterator[Telemetry]:
    telemetry = configure(tmp_path, "mlx_lm", clock=hands)
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def sink(telemetry: Telemetry) -> SpanSink:
    def run(job: Job) -> None:
        job(lambda: True)

    return SpanSink(telemetry.tracer, telemetry.clock, note=run, submit=run)


@pytest.fixture
def times(spans: Callable[[], list[Any]]) -> Callable[[], list[tuple[str, int, int]]]:
    """Name, start and end of what is written, in order of writing."""
    return lambda: [(span.name, span.start_ns, span.end_ns) for span in spans()]


Times = Callable[[], list[tuple[str, int, int]]]


def until_first_token(request: RequestTrace, hands: Hands) -> None:
    hands.at = 1010
    request.queued()
    hands.at = 1020
    request.taken()
    hands.at = 1030
    request.templated(1021)
    hands.at = 1040
    request.prefill_began(ServingPath.BATCH, 1035)
    hands.at = 1060
    request.token(None)


FIRST_PHASES = [("queue", 1010, 1020), ("template", 1021, 1030), ("prefill", 1035, 1060)]


def test_phases_are_written_as_they_end(sink: SpanSink, hands: Hands, times: Times) -> None:
    request = RequestTrace(sink, HEADERS, "/v1/chat/completions")
    until_first_token(request, hands)
    assert times() == FIRST_PHASES
    hands.at = 1080
    request.token("stop")
    hands.at = 1090
    request.parsed(1085, calls=1)
    hands.at = 1100
    request.finish()
    assert times()[3:] == [
        ("decode", 1060, 1080),
        ("parse", 1085, 1090),
        ("server request", 1000, 1100),
    ]


def test_the_last_look_for_tool_calls_is_the_parsing_of_an_answer_without(
    sink: SpanSink, hands: Hands, times: Times
) -> None:
    request = RequestTrace(sink, HEADERS, "/")
    until_first_token(request, hands)
    for began_at, ended_at in ((1070, 1071), (1090, 1092)):
        hands.at = ended_at
        request.no_calls_found(began_at)
        if ended_at == 1071:
            hands.at = 1080
            request.token("stop")
    hands.at = 1100
    request.finish()
    assert times()[3:] == [
        ("decode", 1060, 1080),
        ("parse", 1090, 1092),
        ("server request", 1000, 1100),
    ]


def test_tokens_that_are_only_counted_are_tokens_as_others(
    sink: SpanSink, hands: Hands, spans: Callable[[], list[Any]]
) -> None:
    request = RequestTrace(sink, HEADERS, "/")
    until_first_token(request, hands)
    for at in (1070, 500, 1075):  # the clock was set back for one of them
        hands.at = at
        request.another_token()
    assert request.seen.last_token_ns == 1075
    hands.at = 1090
    request.finish()
    request.another_token()
    decode, root = spans()[3:]
    assert (decode.start_ns, decode.end_ns, root.end_ns) == (1060, 1075, 1090)
    assert root.attributes["gen_ai.usage.output_tokens"] == request.seen.output_tokens == 4


def test_what_comes_after_the_end_is_dropped(sink: SpanSink, hands: Hands, times: Times) -> None:
    request = RequestTrace(sink, HEADERS, "/")
    until_first_token(request, hands)
    hands.at = 1070
    request.finish()
    written = times()
    assert written[3:] == [("decode", 1060, 1060), ("server request", 1000, 1070)]
    hands.at = 1080
    request.token("stop")
    request.parsed(1075, calls=1)
    request.templated(1075)
    request.finish()
    assert times() == written


def test_the_end_cuts_an_open_wait_and_an_open_prefill(sink: SpanSink, hands: Hands, times: Times) -> None:
    waiting, reading = RequestTrace(sink, HEADERS, "/"), RequestTrace(sink, HEADERS, "/")
    waiting.queued()
    reading.prefill_began(ServingPath.SINGLE)
    hands.at = 1050
    waiting.finish()
    reading.finish()
    served = ("server request", 1000, 1050)
    assert times() == [("queue", 1000, 1050), served, ("prefill", 1000, 1050), served]


def test_a_clock_that_is_set_back_turns_nothing_inside_out(
    sink: SpanSink, hands: Hands, times: Times
) -> None:
    request = RequestTrace(sink, HEADERS, "/")
    until_first_token(request, hands)
    hands.at = 500
    request.token("length")
    request.finish()
    assert times() == [*FIRST_PHASES, ("decode", 1060, 1060), ("server request", 1000, 1060)]


def test_the_first_error_is_kept(sink: SpanSink, spans: Callable[[], list[Any]]) -> None:
    request = RequestTrace(sink, HEADERS, "/")
    request.failed(ValueError("no such template"))
    request.failed(BrokenPipeError())
    request.finish()
    (span,) = spans()
    assert span.status == 2
    assert span.attributes["error.type"] == "ValueError"


@pytest.mark.parametrize("headers", [{}, {"traceparent": "00-nonsense-01"}, {"tracestate": "a=1"}])
def test_without_a_valid_traceparent_a_trace_begins(
    headers: dict[str, str], sink: SpanSink, spans: Callable[[], list[Any]]
) -> None:
    RequestTrace(sink, headers, "/").finish()
    (span,) = spans()
    assert span.parent_id is None
    assert span.trace_id != TRACE_ID


class Allocator:
    """Memory that is what the test says, and counts how often its peak was reset."""

    def __init__(self) -> None:
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1


def test_a_peak_is_reset_only_while_nobody_is_at_work(sink: SpanSink, spans: Callable[[], list[Any]]) -> None:
    allocator = Allocator()
    probe = MemoryProbe(lambda: Memory(20, 10), allocator.reset, footprint_bytes=lambda: 30)
    recorder = Recorder(sink, probe)
    first, second, third = (recorder.begin(HEADERS, "/") for _ in range(3))
    recorder.work_begins(first)
    recorder.work_begins(second)
    assert allocator.resets == 1
    recorder.work_ends(first)
    recorder.finish(second)
    recorder.work_begins(third)
    assert allocator.resets == 2
    assert [request.seen.concurrent for request in (first, second, third)] == [2, 2, 1]
    assert first.seen.memory == Memory(20, 10)
    (ended,) = spans()
    assert ended.attributes["punie.server.footprint_bytes"] == 30


def test_a_span_is_worth_more_than_what_can_t_be_told(
    sink: SpanSink, spans: Callable[[], list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Any:  # noqa: ANN401 - it gives nothing
        raise ProcessLookupError("gone")

    request = RequestTrace(sink, HEADERS, "/")
    request.seen.count_messages = fail
    request.finish(fail)
    (span,) = spans()
    assert (span.name, span.status) == ("server request", 0)
    assert caplog.text.count("ProcessLookupError: gone") == 2


def test_the_end_of_the_server_ends_what_is_open(sink: SpanSink, spans: Callable[[], list[Any]]) -> None:
    probe = MemoryProbe(lambda: Memory(0, 0), lambda: None, footprint_bytes=lambda: 0)
    recorder = Recorder(sink, probe)
    done = recorder.begin(HEADERS, "/")
    recorder.begin({}, "/")
    recorder.finish(done)
    recorder.finish_all(InterruptedError("the server was stopped"))
    assert [span.status for span in spans()] == [0, 2]
