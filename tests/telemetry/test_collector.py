"""A Collector is found by speaking OTLP to it; whatever else listens there is said and not believed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from otlp_receiver import Answer, grpc_receiving, http_receiving, serving

from punie.trace.telemetry.shipping.collector import Endpoint, find_collector, probe
from punie.trace.telemetry.shipping.targets import Origin, Target, Transport


class SaysYes(BaseHTTPRequestHandler):
    """Answers 200 to everything, as many servers do."""

    def do_POST(self) -> None:  # the name that http.server calls
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Silent."""


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


def test_a_receiver_over_http_is_found_and_gets_no_span() -> None:
    with http_receiving() as receiver:
        found = find_collector((Endpoint(Transport.HTTP, receiver.port),))
    endpoint = f"http://127.0.0.1:{receiver.port}/v1/traces"
    assert found.target == Target(Origin.FOUND, Transport.HTTP, endpoint)
    assert (receiver.requests, receiver.spans) == (1, [])


def test_a_receiver_over_grpc_is_found_behind_a_stranger_who_is_named(closed_port: int) -> None:
    with grpc_receiving() as receiver, serving(SaysYes) as stranger:
        endpoints = (Endpoint(Transport.HTTP, stranger), Endpoint(Transport.GRPC, receiver.port))
        found = find_collector(endpoints)
    assert found.target == Target(Origin.FOUND, Transport.GRPC, f"http://127.0.0.1:{receiver.port}")
    (said,) = found.others
    assert f"127.0.0.1:{stranger} listens but gives no OTLP answer" in said


def test_nobody_is_no_receiver_and_nothing_to_mention(closed_port: int) -> None:
    found = find_collector((Endpoint(Transport.HTTP, closed_port), Endpoint(Transport.GRPC, closed_port)))
    assert (found.target, found.others) == (None, ())
    assert [item.listening for item in found.results] == [False, False]


@pytest.mark.parametrize("transport", Transport)
def test_somebody_who_never_answers_is_given_up(transport: Transport, silent_port: int) -> None:
    found = probe(Endpoint(transport, silent_port), timeout_s=0.3)
    assert found.listening
    assert not found.is_receiver


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(status=404, content_type="text/html", body=b"<html>"), "HTTP 404"),
        (Answer(status=503), "HTTP 503"),
        (Answer(content_type="application/json", body=b"{}"), "application/json"),
        (Answer(content_type="text/html", body=b"<html>"), "text/html"),
        (Answer(body=b"\xff\xff\xff"), "not OTLP"),
    ],
)
def test_an_answer_that_is_not_otlps_is_quoted(answer: Answer, said: str) -> None:
    with http_receiving() as receiver:
        receiver.script = [answer] * 9
        found = probe(Endpoint(Transport.HTTP, receiver.port), timeout_s=0.3)
    assert not found.is_receiver
    assert said in found.text


def test_http_is_no_grpc() -> None:
    with serving(SaysYes) as port:
        assert "gRPC" in probe(Endpoint(Transport.GRPC, port), timeout_s=0.5).text
