"""The shipper goes on where a receiver's last acknowledgement was, and never beyond one that was missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped] # ships no types
import pytest
from otlp_receiver import Answer, Receiver, grpc_receiving, http_receiving

from punie.trace.telemetry.provider import Telemetry
from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.telemetry.shipping.delivery import Delivery
from punie.trace.telemetry.shipping.shipper import NoBookmark, ship
from punie.trace.telemetry.shipping.targets import Origin, Target, Transport, flag_target


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiving() as receiver:
        yield receiver


def _write(telemetry: Telemetry, *names: str) -> None:
    for name in names:
        telemetry.tracer.start_span(name).end()


def _ship(telemetry: Telemetry, url: str, bookmark: NoBookmark) -> Delivery:
    folder = telemetry.journal.path.parent
    (delivery,) = ship(folder, [flag_target(url)], bookmarks=lambda _: bookmark, deadline_s=None)
    return delivery


def test_only_what_is_new_is_sent_again(receiver: Receiver, telemetry: Telemetry) -> None:
    bookmark = NoBookmark()
    _write(telemetry, "first", "second")
    assert _ship(telemetry, receiver.url, bookmark).complete
    _write(telemetry, "third")
    delivery = _ship(telemetry, receiver.url, bookmark)
    assert (delivery.sent, delivery.accepted, delivery.earlier) == (1, 1, 2)
    assert receiver.names() == ["first", "second", "third"]
    assert "1 of 1 span accepted, 2 earlier" in delivery.summary()
    ((name, (offset, mark)),) = bookmark.places.items()
    assert (name, offset) == (telemetry.journal.path.name, telemetry.journal.path.stat().st_size)
    assert mark.startswith("64-")


def test_after_a_batch_without_an_answer_it_goes_on_with_that_batch(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    _write(telemetry, *(f"span {number}" for number in range(600)))  # three batches
    bookmark = NoBookmark()
    receiver.script = [Answer(), *[Answer(status=404)] * 2]
    first = _ship(telemetry, receiver.url, bookmark)
    assert (first.sent, first.accepted, first.rejected) == (600, 256, 344)
    second = _ship(telemetry, receiver.url, bookmark)
    assert (second.sent, second.accepted, second.earlier) == (344, 344, 256)
    assert receiver.names() == [f"span {number}" for number in range(600)]


def test_a_refused_request_is_not_acknowledged_even_if_a_later_one_is(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    _write(telemetry, *(f"span {number}" for number in range(600)))
    bookmark = NoBookmark()
    receiver.script = [Answer(status=401)]
    assert _ship(telemetry, receiver.url, bookmark).accepted == 344
    assert bookmark.places == {}
    assert _ship(telemetry, receiver.url, bookmark).accepted == 600  # some twice, none never


def test_spans_refused_one_by_one_are_not_sent_again_and_not_forgotten(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    _write(telemetry, "good", "bad")
    bookmark = NoBookmark()
    receiver.script = [Answer(rejected=1, message="too old")]
    assert _ship(telemetry, receiver.url, bookmark).rejected == 1
    again = _ship(telemetry, receiver.url, bookmark)
    assert (again.sent, again.earlier, again.earlier_rejected) == (0, 1, 1)
    assert "1 rejected earlier" in again.summary()


def test_what_a_receiver_refuses_that_takes_nothing_is_sent_again(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    _write(telemetry, "first", "second")
    bookmark = NoBookmark()
    receiver.refused_name = "second"
    receiver.script = [Answer(status=400)] * 6  # of both and of each, in both encodings
    refused = _ship(telemetry, receiver.url, bookmark)
    assert (refused.accepted, refused.rejected) == (0, 2)
    again = _ship(telemetry, receiver.url, bookmark)
    assert (again.accepted, again.rejected) == (1, 1)
    last = _ship(telemetry, receiver.url, bookmark)  # which took one, so the other is what it refuses
    assert (last.sent, last.earlier, last.earlier_rejected) == (0, 1, 1)


@pytest.mark.parametrize("offset", [7, 10**6])
def test_a_journal_that_ends_no_line_there_is_read_from_its_beginning_and_that_is_said(
    receiver: Receiver, telemetry: Telemetry, offset: int
) -> None:
    _write(telemetry, "new")
    delivery = _ship(telemetry, receiver.url, NoBookmark({telemetry.journal.path.name: (offset, "")}))
    assert delivery.accepted == 1
    assert not delivery.acknowledged
    assert "is not the file that was read before" in delivery.summary()


def test_a_journal_is_known_by_what_stands_in_it_and_not_by_its_length(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    bookmark = NoBookmark()
    _write(telemetry, "first", "second")
    assert _ship(telemetry, receiver.url, bookmark).acknowledged
    path = telemetry.journal.path
    path.write_bytes(path.read_bytes().replace(b"second", b"others")[::1])
    assert _ship(telemetry, receiver.url, bookmark).acknowledged  # a name far before the end is no sign
    line = path.read_bytes().splitlines()[0]
    other = line.replace(b'"links":[]', b'"links":[] ')
    path.write_bytes(other + b"\n" + other + b"\n" + b" " * 400 + b"\n")
    delivery = _ship(telemetry, receiver.url, bookmark)
    assert delivery.accepted == 2
    assert not delivery.acknowledged


def test_a_journal_that_is_gone_is_said(receiver: Receiver, telemetry: Telemetry) -> None:
    bookmark = NoBookmark()
    _write(telemetry, "first")
    assert _ship(telemetry, receiver.url, bookmark).acknowledged
    telemetry.journal.path.unlink()
    delivery = _ship(telemetry, receiver.url, bookmark)
    assert not delivery.acknowledged
    assert f"{telemetry.journal.path.name} was read before and is gone" in delivery.summary()


def test_lines_that_are_no_spans_are_passed_once(receiver: Receiver, telemetry: Telemetry) -> None:
    _write(telemetry, "good")
    with telemetry.journal.path.open("ab") as file:
        file.write(b"not json\n")
    bookmark = NoBookmark()
    assert _ship(telemetry, receiver.url, bookmark).skipped_lines == 1
    assert _ship(telemetry, receiver.url, bookmark).skipped_lines == 0


def test_large_spans_travel_in_smaller_batches(telemetry: Telemetry) -> None:
    for _ in range(8):
        telemetry.tracer.start_span("large", attributes={"punie.query.text": "x" * 700_000}).end()
    with grpc_receiving() as receiver:  # takes 4 MiB in one request
        folder = telemetry.journal.path.parent
        (delivery,) = ship(folder, [flag_target(receiver.url)], policy=ContentPolicy.SEND, deadline_s=None)
        assert delivery.complete
        assert receiver.requests == 4


def test_a_request_that_is_too_large_is_refused_and_keeps_nobody_waiting(telemetry: Telemetry) -> None:
    telemetry.tracer.start_span("huge", attributes={"punie.query.text": "x" * 5_000_000}).end()
    _write(telemetry, "small")
    with grpc_receiving() as receiver:
        folder = telemetry.journal.path.parent
        (delivery,) = ship(folder, [flag_target(receiver.url)], policy=ContentPolicy.SEND, deadline_s=None)
        assert receiver.names() == ["small"]
    assert (delivery.accepted, delivery.rejected) == (1, 1)
    assert delivery.errors[0].startswith("span 'huge' (trace ")
    assert "larger than max" in delivery.errors[0]


def test_a_target_that_was_given_time_gets_it(tmp_path: Path, telemetry: Telemetry) -> None:
    _write(telemetry, "slow")
    with grpc_receiving() as receiver:
        receiver.script = [Answer(code=grpc.StatusCode.UNAVAILABLE, message="starting", wait_s=0.5)]
        target = Target(Origin.ENVIRONMENT, Transport.GRPC, receiver.url.replace("grpc", "http"), timeout_s=8)
        (patient,) = ship(telemetry.journal.path.parent, [target], deadline_s=0.2)
    assert patient.complete
