"""The POST span: from the request to the last byte, for both clients, sync and async, streamed and not."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from punie.trace.telemetry.http.attempts import AttemptLog
from punie.trace.telemetry.http.transports import instrument_http, uninstrument_http
from punie.trace.telemetry.provider import Telemetry, configure

# The fixtures' own types live in conftest.py, which test modules can't import.
Spans = Callable[[], list[Any]]
Stub = Any
MakeReply = Any
Send = Callable[..., Awaitable[bytes]]


async def _sync(package: Any, url: str, *, stream: bool) -> bytes:  # noqa: ANN401 # httpx or httpx2
    with package.Client() as client:
        if not stream:
            return bytes(client.post(url, json={"a": 1}).content)
        with client.stream("POST", url, json={"a": 1}) as response:
            return b"".join(response.iter_bytes())


async def _async(package: Any, url: str, *, stream: bool) -> bytes:  # noqa: ANN401 # as above
    async with package.AsyncClient() as client:
        if not stream:
            return bytes((await client.post(url, json={"a": 1})).content)
        async with client.stream("POST", url, json={"a": 1}) as response:
            return b"".join([chunk async for chunk in response.aiter_bytes()])


@pytest.fixture
def attempts(telemetry: Telemetry) -> Iterator[AttemptLog]:
    yield instrument_http(telemetry)
    uninstrument_http(telemetry)


@pytest.mark.anyio
@pytest.mark.usefixtures("attempts")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("send", [_sync, _async])
@pytest.mark.parametrize("package", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_it_ends_with_the_last_byte_and_carries_traceparent(
    telemetry: Telemetry,
    spans: Spans,
    stub: Stub,
    make_reply: MakeReply,
    package: Any,  # noqa: ANN401 # as above
    send: Send,
    stream: bool,
) -> None:
    body = [b": keepalive 1/9\n\n", b"data: {1}\n\n", b"data: {2}\n", b"\ndata: [DONE]\n\n"]
    stub.script = [make_reply(chunks=body, content_type="text/event-stream", pause_s=0.03)]
    with telemetry.tracer.start_as_current_span("chat"):
        assert await send(package, stub.url + "/v1/x?key=secret", stream=stream) == b"".join(body)
    post, chat = spans()
    assert (post.name, post.kind, post.parent_id, post.status) == ("POST", 3, chat.span_id, 0)
    attributes = post.attributes
    assert post.end_ns - post.start_ns >= 90_000_000
    assert attributes["punie.http.ends_at"] == "last_byte"
    assert attributes["punie.http.events"] == 2
    assert attributes["http.response.body.size"] == len(b"".join(body))
    assert attributes["punie.http.time_to_headers_ns"] > 0
    assert attributes["punie.http.time_to_first_event_ns"] >= 30_000_000  # the comment is no event
    assert attributes["http.request.method"] == "POST"
    assert attributes["http.response.status_code"] == 200
    assert attributes["url.full"] == stub.url + "/v1/x"
    assert attributes["server.address"] == "127.0.0.1"
    assert "punie.phase" not in attributes  # whether it is the model's depends on what hangs around it
    (headers, sent) = stub.requests[0]
    assert headers["traceparent"] == f"00-{post.trace_id}-{post.span_id}-03"  # sampled; the id is random
    assert sent == {"a": 1}


@pytest.mark.usefixtures("attempts")
def test_a_caller_that_stops_reading_ends_it_at_the_last_piece(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [make_reply(chunks=[b"a", b"b", b"c"], pause_s=0.05)]
    with (
        telemetry.tracer.start_as_current_span("chat"),
        httpx2.Client() as client,
        client.stream("POST", stub.url) as response,
    ):
        next(response.iter_bytes())
        got_ns = telemetry.clock()
        time.sleep(0.03)  # with the piece in hand
    post = spans()[0]
    assert post.attributes["punie.http.ends_at"] == "close"
    assert post.end_ns <= got_ns


@pytest.mark.usefixtures("attempts")
def test_a_body_that_is_never_read_ends_with_the_response(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [make_reply(chunks=[b"a"])]
    with telemetry.tracer.start_as_current_span("chat"):
        transport = httpx2.HTTPTransport()
        response = transport.handle_request(httpx2.Request("POST", stub.url, json={}))
        assert spans() == []
        del response
        gc.collect()
        assert [span.attributes["punie.http.ends_at"] for span in spans()] == ["close"]
        transport.close()


@pytest.mark.anyio
@pytest.mark.usefixtures("attempts")
async def test_a_read_that_is_given_up_ends_it_then(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [make_reply(chunks=[b"a", b"b"], pause_s=0.3)]
    with telemetry.tracer.start_as_current_span("chat"):
        async with httpx2.AsyncClient(timeout=0.1) as client:
            with pytest.raises(httpx2.ReadTimeout):
                await client.post(stub.url)
    post = spans()[0]
    assert post.status == 2
    assert post.attributes["error.type"] == "ReadTimeout"
    assert post.end_ns - post.start_ns >= 100_000_000
    assert "punie.phase" not in post.attributes  # it had begun to answer: no client sends that again


@pytest.mark.usefixtures("attempts")
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_a_failed_attempt_and_the_wait_before_the_next_are_retry(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply, status: int
) -> None:
    stub.script = [make_reply(status=status), make_reply(hang_up=True), make_reply(), make_reply()]
    with telemetry.tracer.start_as_current_span("chat"), httpx2.Client() as client:
        client.post(stub.url)
        with pytest.raises(httpx2.RemoteProtocolError):
            client.post(stub.url)
        client.post(stub.url)
        client.post(stub.url)
    first, wait_1, second, wait_2, third, fourth, chat = spans()
    assert [span.name for span in (wait_1, wait_2)] == ["retry wait", "retry wait"]
    phases = [span.attributes.get("punie.phase") for span in (first, wait_1, second, wait_2, third, fourth)]
    assert phases == ["retry", "retry", "retry", "retry", None, None]
    resends = [span.attributes.get("http.request.resend_count") for span in (first, second, third, fourth)]
    assert resends == [None, 1, 2, None]
    assert (wait_1.start_ns, wait_1.end_ns) == (first.end_ns, second.start_ns)
    assert (wait_2.start_ns, wait_2.end_ns) == (second.end_ns, third.start_ns)
    assert {span.parent_id for span in (first, wait_1, second, wait_2, third)} == {chat.span_id}
    assert first.attributes["error.type"] == str(status)
    assert second.attributes["error.type"] == "RemoteProtocolError"


@pytest.mark.usefixtures("attempts")
def test_a_refused_request_is_no_retry(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [make_reply(status=404), make_reply()]
    with telemetry.tracer.start_as_current_span("chat"), httpx.Client() as client:
        client.post(stub.url)
        client.post(stub.url)
    refused, answered, _ = spans()
    assert (refused.status, refused.attributes["error.type"]) == (2, "404")
    assert "punie.phase" not in refused.attributes
    assert "http.request.resend_count" not in answered.attributes


@pytest.mark.usefixtures("attempts")
def test_no_connection_is_a_failed_attempt(telemetry: Telemetry, spans: Spans) -> None:
    with (
        telemetry.tracer.start_as_current_span("chat"),
        httpx2.Client() as client,
        pytest.raises(httpx2.ConnectError),
    ):
        client.post("http://127.0.0.1:9")
    post = spans()[0]
    assert (post.attributes["punie.phase"], post.attributes["error.type"]) == ("retry", "ConnectError")


@pytest.mark.usefixtures("attempts")
def test_requests_that_are_not_ours_pass_untouched(spans: Spans, stub: Stub, make_reply: MakeReply) -> None:
    stub.script = [make_reply(), make_reply()]
    strangers = TracerProvider(shutdown_on_exit=False).get_tracer("stranger")
    with httpx2.Client() as client:
        client.post(stub.url)  # under no span
        with strangers.start_as_current_span("stranger"):
            client.post(stub.url)
    assert spans() == []
    assert all("traceparent" not in headers for headers, _ in stub.requests)


def test_instrumenting_is_idempotent_and_undone(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    original = httpx2.HTTPTransport.handle_request
    instrument_http(telemetry)
    instrument_http(telemetry)
    stub.script = [make_reply(), make_reply()]
    with telemetry.tracer.start_as_current_span("chat"), httpx2.Client() as client:
        client.post(stub.url)
        uninstrument_http(telemetry)
        client.post(stub.url)
    assert [span.name for span in spans()] == ["POST", "chat"]
    assert httpx2.HTTPTransport.handle_request is original


def test_two_journals_get_their_own_requests(
    telemetry: Telemetry,
    spans: Spans,
    stub: Stub,
    make_reply: MakeReply,
    tmp_path: Path,
    read: Callable[[Path], list[Any]],
) -> None:
    other = configure(tmp_path / "other", "agent")
    instrument_http(telemetry)
    instrument_http(other)
    stub.script = [make_reply(), make_reply()]
    with httpx2.Client() as client:
        with telemetry.tracer.start_as_current_span("chat"):
            client.post(stub.url)
        with other.tracer.start_as_current_span("other chat"):
            client.post(stub.url)
    uninstrument_http(telemetry)
    uninstrument_http(other)
    other.shutdown()
    assert [span.name for span in spans()] == ["POST", "chat"]
    assert [span.name for span in read(other.journal.path)] == ["POST", "other chat"]


class AnotherInstrumentation:
    """As those of OpenTelemetry do: replaces the method, puts a span around it, ends it at the headers."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._original = original = httpx2.HTTPTransport.handle_request

        def wrapped(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
            attributes = {"http.method": request.method}
            with tracer.start_as_current_span("HTTP POST", attributes=attributes):
                return original(transport, request)

        self.wrapped = wrapped
        httpx2.HTTPTransport.handle_request = wrapped  # type: ignore[assignment, method-assign] # what it is about

    def undo(self) -> None:
        httpx2.HTTPTransport.handle_request = self._original  # type: ignore[method-assign] # as above


@pytest.mark.parametrize("ours_first", [True, False], ids=["inside", "outside"])
def test_it_lives_with_another_instrumentation(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply, ours_first: bool
) -> None:
    if ours_first:
        instrument_http(telemetry)
    other = AnotherInstrumentation(telemetry.tracer)
    instrument_http(telemetry)
    stub.script = [make_reply(status=503), make_reply()]
    with telemetry.tracer.start_as_current_span("chat"), httpx2.Client() as client:
        client.post(stub.url)
        client.post(stub.url)
    if ours_first:
        other.undo()
        uninstrument_http(telemetry)
    else:
        uninstrument_http(telemetry)
        other.undo()
    names = sorted(span.name for span in spans())
    assert names.count("POST") == 2
    assert names.count("retry wait") == 1
    (wait,) = [span for span in spans() if span.name == "retry wait"]
    assert wait.parent_id == spans()[-1].span_id  # the chat's, not that of a span around one attempt
    assert "punie" not in httpx2.HTTPTransport.handle_request.__module__


def test_the_log_knows_when_the_last_body_ended(
    telemetry: Telemetry, attempts: AttemptLog, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [make_reply()]
    with telemetry.tracer.start_as_current_span("chat") as chat, httpx2.Client() as client:
        assert attempts.last_body(chat.get_span_context()) is None
        client.post(stub.url)
        body = attempts.last_body(chat.get_span_context())
        assert body is not None
        assert (body.first_event_ns, body.end_ns) == (None, spans()[0].end_ns)
