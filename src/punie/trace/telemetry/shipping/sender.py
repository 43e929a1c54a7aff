"""Sends one batch with an exporter of opentelemetry-exporter-otlp, and sees what the exporter doesn't tell.

Those exporters report success or failure. They ignore `partial_success`, take a redirect for a success and
say what went wrong only in a log. The session of the HTTP one and the stub of the gRPC one see all of it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc  # type: ignore[import-untyped] # ships no types
import requests
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from punie.trace.telemetry.environment import telemetry_environment_hidden
from punie.trace.telemetry.shipping.answers import (
    PROTOBUF,
    Answer,
    Outcome,
    read_failure,
    read_partial,
    read_response,
    read_rpc_error,
)
from punie.trace.telemetry.shipping.targets import Origin, Target, Transport


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch; `problem` says what went wrong, empty if nothing did.

    `final` is False if the receiver refused the request rather than spans of it (a wrong token, a wrong path):
    once that is mended it may take them.
    """

    outcome: Outcome
    accepted: int
    rejected: int
    problem: str = ""
    final: bool = True


class Sender(Protocol):
    """Takes batches for one target."""

    @property
    def problem(self) -> str:
        """What the receiver or the network said last against it, while a batch is still tried; else empty."""
        ...

    def send(self, spans: Sequence[ReadableSpan]) -> Receipt:
        """Deliver `spans`, with the exporter's own retries within its time-out."""
        ...

    def close(self) -> None:
        """Give up waiting between retries, and close the connection."""
        ...


def make_sender(target: Target, timeout_s: float) -> Sender:
    """A sender for `target`; one export with all its retries takes about `timeout_s` at most."""
    watch = _Watch()
    if target.origin is Origin.ENVIRONMENT:
        return ExporterSender(_exporter(target, watch, timeout_s), watch)
    with telemetry_environment_hidden():  # headers and certificates there are meant for another address
        return ExporterSender(_exporter(target, watch, timeout_s), watch)


def why_no_receiver(target: Target, timeout_s: float) -> str:
    """Send `target` a request without spans: empty if it answers as OTLP says, else what it did instead."""
    watch = _Watch()
    with telemetry_environment_hidden():
        exporter = _exporter(target, watch, timeout_s)
    with _exporters_silent():
        exporter.export(())
    exporter.shutdown()
    answer = watch.answer
    if answer is None:
        return "no request could be made"
    if answer.outcome is Outcome.UNANSWERED or answer.rejected is None:
        return answer.problem or "no answer"
    if target.transport is Transport.HTTP and answer.media_type != PROTOBUF:
        return f"its answer has the type {answer.media_type or 'none'} where OTLP's is {PROTOBUF}"
    return ""


class _Watch:
    """Holds the last answer; an exporter is used by one thread."""

    def __init__(self) -> None:
        self.answer: Answer | None = None


class ExporterSender:
    """A `Sender` over an exporter whose answers are watched."""

    def __init__(self, exporter: SpanExporter, watch: _Watch) -> None:
        self._exporter = exporter
        self._watch = watch
        self._closed = False

    @property
    def problem(self) -> str:
        answer = self._watch.answer
        return "" if answer is None else answer.problem

    def send(self, spans: Sequence[ReadableSpan]) -> Receipt:
        self._watch.answer = None
        with _exporters_silent():
            result = self._exporter.export(spans)
        answer = self._watch.answer or _unseen(result)
        if answer.outcome is Outcome.UNANSWERED:
            return Receipt(Outcome.UNANSWERED, 0, 0, answer.problem)
        rejected = len(spans) if answer.rejected is None else min(answer.rejected, len(spans))
        final = answer.rejected is not None
        return Receipt(Outcome.ANSWERED, len(spans) - rejected, rejected, answer.problem, final)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()


def _unseen(result: SpanExportResult) -> Answer:
    """Nothing was sent: the exporter could not encode the batch, or refused its size."""
    return Answer(Outcome.ANSWERED, None, f"the exporter sent nothing ({result.name})")


def _exporter(target: Target, watch: _Watch, timeout_s: float) -> SpanExporter:
    if target.transport is Transport.GRPC:
        headers = dict(target.headers) or None
        return _WatchedGrpcExporter(watch, target.endpoint, headers, timeout_s)
    return HttpExporter(
        endpoint=target.endpoint,
        headers=dict(target.headers),
        timeout=timeout_s,
        session=_WatchedSession(watch),
    )


class _WatchedSession(requests.Session):
    """Notes the receiver's answer, or the error in its place, to each request of the exporter."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 # requests' signature
        if self.verify is not True:
            kwargs.setdefault(
                "verify", self.verify
            )  # else REQUESTS_CA_BUNDLE takes the place of OTEL_…_CERTIFICATE
        try:
            response = super().request(*args, **kwargs)
        except Exception as error:
            self._watch.answer = read_failure(error)
            raise
        self._watch.answer = read_response(response)
        return response


class _WatchedGrpcExporter(GrpcExporter):
    """Puts a watch around the stub, which the exporter makes anew when a receiver was unavailable."""

    def __init__(
        self, watch: _Watch, endpoint: str, headers: dict[str, str] | None, timeout_s: float
    ) -> None:
        self._watch = watch
        super().__init__(endpoint=endpoint, headers=headers, timeout=timeout_s)

    def _initialize_channel_and_stub(self) -> None:
        super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call] # the exporter is partly typed
        self._client: Any = _WatchedStub(self._client, self._watch)


class _WatchedStub:
    def __init__(self, stub: Any, watch: _Watch) -> None:  # noqa: ANN401 # the stub is generated, untyped
        self._stub = stub
        self._watch = watch

    def Export(self, **kwargs: Any) -> Any:  # noqa: ANN401, N802 # the generated stub's name and shape
        try:
            response = self._stub.Export(**kwargs)
        except grpc.RpcError as error:
            self._watch.answer = read_rpc_error(error)
            raise
        partial = response.partial_success
        self._watch.answer = read_partial(partial.rejected_spans, partial.error_message)
        return response


_silent = threading.local()


class _Silence(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_silent, "on", False)


_silence: Final = _Silence()


@contextlib.contextmanager
def _exporters_silent() -> Iterator[None]:
    """Keep the exporters' own log out of the terminal in this thread: the result says it, once and counted."""
    for name in (
        "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "opentelemetry.exporter.otlp.proto.grpc.exporter",
    ):
        logging.getLogger(name).addFilter(_silence)  # adding it again changes nothing
    _silent.on = True
    try:
        yield
    finally:
        _silent.on = False
