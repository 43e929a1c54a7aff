"""Makes one request to one receiver and returns what it answered; over HTTP or gRPC, as the target says.

By the interfaces that the protocol's own packages publish: the exporters of OpenTelemetry take spans of the SDK, ignore
`partial_success`, take a redirect for a success and write what went wrong into a log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from punie.trace.telemetry.shipping.answers import PROTOBUF, Outcome, ReceiverResponse
from punie.trace.telemetry.shipping.grpc_sender import GrpcSender
from punie.trace.telemetry.shipping.http_sender import HttpSender
from punie.trace.telemetry.shipping.outgoing import OutgoingSpan
from punie.trace.telemetry.shipping.targets import Target, Transport


class Sender(Protocol):
    """Takes batches for one target. For one thread, which also closes it."""

    def send(self, spans: Sequence[OutgoingSpan]) -> ReceiverResponse:
        """Try once to deliver `spans`. Raises `ValueError` if one of them can't be encoded."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def make_sender(target: Target, timeout_s: float) -> Sender:
    """A sender for `target`; a request takes `timeout_s` at most, answer included.

    Raises `OSError` or `ValueError` for certificates that can't be read.
    """
    kind = HttpSender if target.transport is Transport.HTTP else GrpcSender
    return kind(target, timeout_s)


def why_no_receiver(target: Target, timeout_s: float) -> str:
    """Send `target` a request without spans: empty if it answers as OTLP says, else what it did instead.

    Over HTTP in protobuf, whose answer has a type that no other program would give.
    """
    sender = make_sender(target, timeout_s)
    try:
        answer = sender.send(())
    finally:
        sender.close()
    if answer.outcome is not Outcome.ACCEPTED:
        return answer.problem or "no answer"
    if isinstance(sender, HttpSender) and sender.answered_type != PROTOBUF:
        return f"its answer has the type {sender.answered_type or 'none'} where OTLP's is {PROTOBUF}"
    return ""
