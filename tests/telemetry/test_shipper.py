"""The shipper against real receivers: OTLP over HTTP and gRPC, well and ill."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped] # ships no types
import pytest
from file_size import file_size_limit
from otlp_receiver import Answer, Receiver, grpc_receiving, http_receiving, serving

from punie.trace.telemetry.provider import Telemetry
from punie.trace.telemetry.shipping.answers import Outcome
from punie.trace.telemetry.shipping.answers import ReceiverResponse as Answered
from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.telemetry.shipping.outgoing import OutgoingSpan
from punie.trace.telemetry.shipping.shipper import Shipper, ship
from punie.trace.telemetry.shipping.targets import Target, find_targets, flag_target


@pytest.fixture
def http_receiver() -> Iterator[Receiver]:
    with http_receiving() as receiver:
        yield receiver


@pytest.fixture
def grpc_receiver() -> Iterator[Receiver]:
    with grpc_receiving() as receiver:
        yield receiver


@pytest.fixture(params=["http", "grpc"])
def receiver(request: pytest.FixtureRequest) -> Receiver:
    found: Receiver = request.getfixturevalue(f"{request.param}_receiver")
    return found


@pytest.fixture
def spans_dir(telemetry: Telemetry) -> Path:
    """A journal with three spans."""
    with telemetry.tracer.start_as_current_span("query", attributes={"punie.query.text": "secret question"}):
        for name in ("chat", "tool"):
            telemetry.tracer.start_span(name, attributes={"gen_ai.tool.name": "t"}).end()
    return telemetry.journal.path.parent


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_every_span_arrives_as_it_was(
    receiver: Receiver, spans_dir: Path, read: Callable[[Path], Any]
) -> None:
    (delivery,) = ship(spans_dir, [flag_target(receiver.url)])
    assert (delivery.sent, delivery.accepted, delivery.rejected, delivery.errors) == (3, 3, 0, ())
    assert delivery.complete
    journal = {span.span_id: span for path in spans_dir.iterdir() for span in read(path)}
    for span in receiver.spans:
        original = journal[span.span_id.hex()]
        parent_id = span.parent_span_id.hex() or None
        assert (span.name, span.start_time_unix_nano, span.end_time_unix_nano, parent_id, span.kind) == (
            original.name,
            original.start_ns,
            original.end_ns,
            original.parent_id,
            original.kind,
        )


def test_partly_accepted_is_seen_counted_and_said(receiver: Receiver, spans_dir: Path) -> None:
    receiver.script = [Answer(rejected=2, message="too old")]
    (delivery,) = ship(spans_dir, [flag_target(receiver.url)])
    assert (delivery.sent, delivery.accepted, delivery.rejected) == (3, 1, 2)
    assert delivery.errors == ("partial success: too old",)
    assert not delivery.complete
    assert "1 of 3 spans accepted, 2 rejected: partial success: too old" in delivery.summary()


def test_a_warning_is_said(receiver: Receiver, spans_dir: Path) -> None:
    receiver.script = [Answer(message="use TLS")]
    (delivery,) = ship(spans_dir, [flag_target(receiver.url)])
    assert (delivery.accepted, delivery.errors) == (3, ("warning: use TLS",))


def test_a_batch_that_is_refused_is_split_down_to_the_span_that_is(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    for number in range(20):
        telemetry.tracer.start_span("bad" if number == 13 else "good").end()
    receiver.refused_name = "bad"
    (delivery,) = ship(telemetry.journal.path.parent, [flag_target(receiver.url)])
    assert (delivery.accepted, delivery.rejected, delivery.unanswered) == (19, 1, 0)
    assert sorted(receiver.names()) == ["good"] * 19
    refusals = [error for error in delivery.errors if error.startswith("span 'bad' (trace ")]
    assert refusals == list(delivery.errors)
    assert "no such name" in refusals[0]


def test_a_receiver_that_refuses_every_span_is_not_asked_for_each(
    http_receiver: Receiver, telemetry: Telemetry
) -> None:
    for _ in range(2000):
        telemetry.tracer.start_span("bad").end()
    http_receiver.refused_name = "bad"
    (delivery,) = ship(telemetry.journal.path.parent, [flag_target(http_receiver.url)], deadline_s=None)
    assert (delivery.accepted, delivery.rejected) == (0, 2000)
    assert http_receiver.requests < 300


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_request_is_not_split(http_receiver: Receiver, spans_dir: Path, status: int) -> None:
    http_receiver.script = [Answer(status=status, content_type="text/plain", body=b"who are you?")]
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)])
    assert (delivery.rejected, http_receiver.requests) == (3, 1)
    assert delivery.errors[0].endswith("who are you?")


def test_a_refused_call_is_not_split(grpc_receiver: Receiver, spans_dir: Path) -> None:
    grpc_receiver.script = [Answer(code=grpc.StatusCode.UNAUTHENTICATED, message="who are you?")]
    (delivery,) = ship(spans_dir, [flag_target(grpc_receiver.url)])
    assert (delivery.accepted, delivery.rejected, delivery.unanswered) == (0, 3, 0)
    assert delivery.errors == ("gRPC UNAUTHENTICATED: who are you?",)


class _DiesOfJson(BaseHTTPRequestHandler):
    requests = 0

    def do_POST(self) -> None:  # the name that http.server calls
        type(self).requests += 1
        self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-type"] == "application/json":
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Silent."""


def test_a_receiver_that_hangs_up_on_json_gets_protobuf(spans_dir: Path) -> None:
    with serving(_DiesOfJson) as port:
        assert ship(spans_dir, [flag_target(f"http://127.0.0.1:{port}")])[0].complete
    assert _DiesOfJson.requests == 2


def test_json_is_sent_where_it_is_taken_and_protobuf_else(http_receiver: Receiver, spans_dir: Path) -> None:
    for takes_json, kind in ((True, "application/json"), (False, "application/x-protobuf")):
        http_receiver.takes_json = takes_json
        assert ship(spans_dir, [flag_target(http_receiver.url)])[0].complete
        assert http_receiver.headers[-1]["content-type"] == kind


def test_unavailable_and_then_there(http_receiver: Receiver, spans_dir: Path) -> None:
    http_receiver.script = [Answer(status=503, headers=(("retry-after", "0"),))]
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)])
    assert delivery.complete
    assert http_receiver.requests == 2


@pytest.mark.parametrize("value", ["1", "date"])
def test_a_receiver_that_asks_for_a_pause_gets_it(
    http_receiver: Receiver, spans_dir: Path, value: str
) -> None:
    header = value if value == "1" else formatdate(time.time() + 2, usegmt=True)
    http_receiver.script = [Answer(status=429, headers=(("retry-after", header),))]
    began = time.monotonic()
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)], deadline_s=None)
    assert delivery.complete
    assert time.monotonic() - began >= 0.9
    assert http_receiver.requests == 2


def test_a_pause_that_is_longer_than_the_time_left_is_not_waited_for(
    http_receiver: Receiver, spans_dir: Path
) -> None:
    http_receiver.script = [Answer(status=503, headers=(("retry-after", "60"),))]
    began = time.monotonic()
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)], deadline_s=5)
    assert time.monotonic() - began < 4
    assert (delivery.unanswered, delivery.errors) == (3, ("HTTP 503 Service Unavailable",))


class _ByteByByte(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the name that http.server calls
        self.rfile.read(int(self.headers["content-length"]))
        try:
            for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Silent."""


def test_a_receiver_that_answers_byte_by_byte_holds_nobody(spans_dir: Path) -> None:
    with serving(_ByteByByte) as port:
        shipper = Shipper(spans_dir, [flag_target(f"http://127.0.0.1:{port}")], export_timeout_s=0.5)
        shipper.start()
        began = time.monotonic()
        (delivery,) = shipper.stop(None)
        assert time.monotonic() - began < 5
    assert (delivery.unanswered, delivery.errors) == (3, ("no answer within 0.5 s",))


def test_unavailable_and_then_there_over_grpc(grpc_receiver: Receiver, spans_dir: Path) -> None:
    grpc_receiver.script = [Answer(code=grpc.StatusCode.UNAVAILABLE, message="starting")]
    (delivery,) = ship(spans_dir, [flag_target(grpc_receiver.url)])
    assert delivery.complete
    assert grpc_receiver.requests == 2


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_there_is_an_account_and_no_exception(
    spans_dir: Path, scheme: str, capfd: pytest.CaptureFixture[str]
) -> None:
    target = flag_target(f"{scheme}://127.0.0.1:{unused_port()}")
    shipper = Shipper(spans_dir, [target], export_timeout_s=0.5)
    shipper.start()
    (delivery,) = shipper.stop(10)
    assert (delivery.sent, delivery.accepted, delivery.rejected, delivery.unanswered) == (3, 0, 0, 3)
    assert "refused" in delivery.errors[0]
    assert capfd.readouterr().err == ""  # the account says it, the exporters' logs don't


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            Answer(status=301, headers=(("location", "https://me:sekret@else/"),)),
            "redirected to https://me@else/",
        ),
        (Answer(content_type="text/html", body=b"<html>"), "text/html: that is no OTLP receiver"),
        (Answer(body=b"\xff\xff\xff"), "with a body that is not OTLP"),
        (Answer(content_type="application/json", body=b"[1]"), "with a body that is not OTLP"),
        (Answer(rejected=-1), "an answer that rejects -1 spans"),
    ],
)
def test_an_answer_of_somebody_else_is_no_success(
    http_receiver: Receiver, spans_dir: Path, answer: Answer, said: str
) -> None:
    http_receiver.script = [answer]
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)])
    assert (delivery.accepted, delivery.rejected) == (0, 3)
    assert said in delivery.errors[0]


def test_partial_success_in_json(http_receiver: Receiver, spans_dir: Path) -> None:
    body = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}'
    http_receiver.script = [Answer(content_type="application/json", body=body)]
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)])
    assert (delivery.accepted, delivery.rejected, delivery.errors) == (2, 1, ("partial success: no",))


def test_time_is_bounded(http_receiver: Receiver, spans_dir: Path) -> None:
    http_receiver.script = [Answer(wait_s=1.5)]
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)], deadline_s=0.3)
    assert (delivery.sent, delivery.accepted, delivery.unanswered) == (3, 0, 3)
    assert "not finished within 0.3 s" in delivery.errors


def test_the_deadline_doesnt_hide_the_reason(spans_dir: Path) -> None:
    target = flag_target(f"http://127.0.0.1:{unused_port()}")
    began = time.monotonic()
    (delivery,) = ship(spans_dir, [target], deadline_s=0.8)
    assert (
        time.monotonic() - began < 10
    )  # a busy machine takes its time; without this deadline it would be 15
    assert "ConnectError: Connection refused" in delivery.errors


def test_one_bad_target_doesnt_keep_the_other(
    http_receiver: Receiver, grpc_receiver: Receiver, spans_dir: Path
) -> None:
    grpc_receiver.script = [Answer(code=grpc.StatusCode.PERMISSION_DENIED, message="who?")]
    first, second = ship(spans_dir, [flag_target(grpc_receiver.url), flag_target(http_receiver.url)])
    assert (first.rejected, second.complete) == (3, True)


def test_torn_and_foreign_lines_are_skipped_and_counted(http_receiver: Receiver, spans_dir: Path) -> None:
    (spans_dir / "other-1.jsonl").write_bytes(b'not json\n{"resourceSpans":[]}\n{"resourceSp')
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)])
    assert (delivery.accepted, delivery.sent, delivery.skipped_lines) == (3, 3, 2)
    assert not delivery.complete


CONTENT = {
    "punie.query.text": "secret",
    "punie.query.answer": "secret",
    "gen_ai.input.messages": "secret",
    "gen_ai.tool.call.arguments": "secret",
    "final_result": "secret",
    "punie.query.error": "ValidationError: secret",
    "punie.message.digests": ("abc",),
}


def _write_content(telemetry: Telemetry) -> None:
    with (
        pytest.raises(ValueError, match="secret"),
        telemetry.tracer.start_as_current_span("chat", attributes=CONTENT),
    ):
        raise ValueError("secret")


def test_content_stays_here(receiver: Receiver, telemetry: Telemetry) -> None:
    _write_content(telemetry)
    ship(telemetry.journal.path.parent, [flag_target(receiver.url)])
    (span,) = receiver.spans
    assert b"secret" not in span.SerializeToString()
    kept = {item.key for item in span.attributes}
    assert {"punie.query.error", "punie.message.digests"} <= kept
    assert not kept & {"punie.content.send", "punie.query.text"}
    assert [event.name for event in span.events] == ["exception"]


def test_content_is_sent_when_asked_for_and_says_so(receiver: Receiver, telemetry: Telemetry) -> None:
    _write_content(telemetry)
    ship(telemetry.journal.path.parent, [flag_target(receiver.url)], policy=ContentPolicy.SEND)
    (span,) = receiver.spans
    sent = {item.key: item.value for item in span.attributes}
    assert sent["punie.content.send"].bool_value
    assert sent["gen_ai.input.messages"].string_value == "secret"
    assert span.status.message == "ValueError: secret"


def test_headers_and_compression_come_from_the_environment_for_its_own_target_only(
    http_receiver: Receiver, spans_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": http_receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=from%20environment",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    (environment_target,) = find_targets(None, environ)
    assert ship(spans_dir, [environment_target])[0].complete
    assert ship(spans_dir, [flag_target(http_receiver.url)])[0].complete
    by_environment, by_flag = http_receiver.headers
    assert (by_environment["x-key"], by_environment["content-encoding"]) == ("from environment", "gzip")
    assert by_environment["path"] == "/v1/traces"
    assert "x-key" not in by_flag
    assert "content-encoding" not in by_flag


def test_logfires_token_travels_as_its_header(http_receiver: Receiver, spans_dir: Path) -> None:
    environ = {"LOGFIRE_TOKEN": "pylf_v1_us_1", "LOGFIRE_BASE_URL": http_receiver.url}
    assert ship(spans_dir, find_targets(None, environ))[0].complete
    assert http_receiver.headers[0]["authorization"] == "pylf_v1_us_1"


@pytest.mark.parametrize(
    ("protocol", "path"),
    [("http/json", "/nowhere/ca.pem"), ("grpc", "/nowhere/ca.pem"), ("grpc", "/dev/zero")],
)
def test_a_certificate_that_is_not_there_is_in_the_account(
    protocol: str, path: str, spans_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/elsewhere/ca.pem")  # everybody's, which must not win
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": path,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
    }
    (delivery,) = ship(spans_dir, find_targets(None, environ), deadline_s=1)
    assert delivery.accepted == 0
    assert path in " ".join(delivery.errors)


def test_spans_are_seen_while_the_run_goes_on(http_receiver: Receiver, telemetry: Telemetry) -> None:
    shipper = Shipper(telemetry.journal.path.parent, [flag_target(http_receiver.url)], poll_s=0.02)
    shipper.start()
    telemetry.tracer.start_span("first").end()
    wait_until(lambda: http_receiver.names() == ["first"])
    telemetry.tracer.start_span("second").end()
    wait_until(lambda: http_receiver.names() == ["first", "second"])
    telemetry.tracer.start_span("third").end()
    (delivery,) = shipper.stop()
    assert http_receiver.names() == ["first", "second", "third"]
    assert delivery.complete


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_what_the_disk_doesnt_take_is_sent_at_once(http_receiver: Receiver, telemetry: Telemetry) -> None:
    shipper = Shipper(telemetry.journal.path.parent, [flag_target(http_receiver.url)], poll_s=0.02)
    shipper.start()
    telemetry.tracer.start_span("first").end()
    wait_until(
        lambda: http_receiver.names() == ["first"]
    )  # what is held is sent without waiting for the file
    with file_size_limit(telemetry.journal.path.stat().st_size):
        telemetry.tracer.start_span("second").end()
        wait_until(lambda: http_receiver.names() == ["first", "second"])
        assert telemetry.journal.status.held == 1
    telemetry.tracer.start_span("third").end()
    (delivery,) = shipper.stop()
    assert delivery.complete
    assert http_receiver.names()[-2:] == ["second", "third"]  # the second one twice: readers drop duplicates
    assert telemetry.journal.status.written == 3


@dataclass
class FakeSender:
    """Says what its script says; a call too many is a mistake."""

    script: list[Answered]
    batches: list[list[str]] = field(default_factory=list)
    closed: bool = False

    def send(self, spans: Sequence[OutgoingSpan]) -> Answered:
        self.batches.append([one.span["name"] for one in spans])
        if not self.script:
            raise AssertionError("nothing was left to send")
        return self.script.pop(0)

    def close(self) -> None:
        self.closed = True


def test_a_receiver_that_comes_back_during_the_run_gets_everything(spans_dir: Path) -> None:
    down = Answered(Outcome.UNANSWERED, problem="down")
    sender = FakeSender([down, down, Answered(Outcome.ACCEPTED)])
    target = flag_target("http://127.0.0.1:1")
    shipper = Shipper(spans_dir, [target], poll_s=0.01, sender_factory=lambda *_: sender)
    shipper.start()
    wait_until(lambda: not sender.script)
    (delivery,) = shipper.stop()
    assert delivery.complete  # trouble that passed is no trouble
    assert sender.batches == [["chat", "tool", "query"]] * 3
    assert sender.closed


def test_a_receiver_that_stays_away_costs_one_more_try(spans_dir: Path, telemetry: Telemetry) -> None:
    for _ in range(1000):
        telemetry.tracer.start_span("more").end()
    sender = FakeSender([Answered(Outcome.UNANSWERED, problem="down")] * 2)
    shipper = Shipper(
        spans_dir, [flag_target("http://127.0.0.1:1")], sender_factory=lambda *_: sender, poll_s=60
    )
    shipper.start()
    (delivery,) = shipper.stop()
    assert (delivery.sent, delivery.unanswered, delivery.errors) == (1003, 1003, ("down",))


def test_a_bug_in_the_shipper_is_in_the_account(spans_dir: Path) -> None:
    sender = FakeSender([])
    shipper = Shipper(spans_dir, [flag_target("http://127.0.0.1:1")], sender_factory=lambda *_: sender)
    shipper.start()
    (delivery,) = shipper.stop()
    assert delivery.errors == ("the shipper failed: AssertionError: nothing was left to send",)
    assert (delivery.sent, delivery.accepted, delivery.acknowledged) == (3, 0, False)


def test_what_stands_among_journals_and_is_none_keeps_nothing_back(
    http_receiver: Receiver, spans_dir: Path
) -> None:
    (spans_dir / "aa.jsonl").mkdir()
    (spans_dir / "ab.jsonl").symlink_to(spans_dir / "nowhere")
    os.mkfifo(spans_dir / "ac.jsonl")
    (spans_dir / "ad.jsonl").write_bytes(b'{"a":' * 50_000 + b"\n")
    (delivery,) = ship(spans_dir, [flag_target(http_receiver.url)])
    assert (delivery.accepted, delivery.skipped_lines) == (3, 1)
    for name in ("aa.jsonl is no file", "ab.jsonl is a link", "ac.jsonl is no file"):
        assert name in delivery.summary()


def test_a_span_that_cannot_be_encoded_takes_only_itself(grpc_receiver: Receiver, spans_dir: Path) -> None:
    (journal,) = spans_dir.iterdir()
    line = journal.read_bytes().splitlines()[0].replace(b'"kind":1', b'"kind":99999999999')
    journal.write_bytes(line + b"\n" + journal.read_bytes())
    (delivery,) = ship(spans_dir, [flag_target(grpc_receiver.url)])
    assert (delivery.accepted, delivery.rejected) == (3, 1)
    assert delivery.errors[0].startswith("span 'chat' (trace ")
    assert "it can't be encoded" in delivery.errors[0]


def test_an_account_in_an_address_is_sent_and_never_printed(grpc_receiver: Receiver, spans_dir: Path) -> None:
    (taken,) = ship(spans_dir, [flag_target(grpc_receiver.url.replace("://", "://me:se%3Akret@"))])
    assert taken.complete
    assert grpc_receiver.headers[0]["authorization"] == "Basic bWU6c2U6a3JldA=="
    grpc_receiver.script = [Answer(code=grpc.StatusCode.UNAUTHENTICATED, message="who?")]
    for url in (grpc_receiver.url, "grpc://127.0.0.1:9"):
        (refused,) = ship(spans_dir, [flag_target(url.replace("://", "://me:sekret@"))], deadline_s=1)
        assert not refused.complete
        assert "sekret" not in refused.summary()


def test_a_sender_that_cannot_be_made_is_in_the_account(spans_dir: Path) -> None:
    def refuse(_target: Target, _timeout_s: float) -> FakeSender:
        raise ValueError("no such compression")

    shipper = Shipper(spans_dir, [flag_target("http://127.0.0.1:1")], sender_factory=refuse)
    shipper.start()
    (delivery,) = shipper.stop()
    assert (delivery.unanswered, delivery.errors) == (3, ("ValueError: no such compression",))


def test_no_journal_is_nothing_to_send(tmp_path: Path, http_receiver: Receiver) -> None:
    (delivery,) = ship(tmp_path / "nothing", [flag_target(http_receiver.url)])
    assert (delivery.sent, delivery.complete, http_receiver.requests) == (0, True, 0)
