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
from enum import StrEnum
from typing import Any, Final, Protocol

import grpc  # type: ignore[import-untyped] # ships no types
import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from punie.trace.telemetry.environment import telemetry_environment_hidden
from punie.trace.telemetry.targets import Origin, Target, Transport

_PROTOBUF: Final = "application/x-protobuf"
_RETRIED_STATUS: Final = frozenset({429, 502, 503, 504})  # what the HTTP exporter retries
_RETRIED_CODES: Final = frozenset(
    {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
    }
)


class Outcome(StrEnum):
    """`ANSWERED`: the receiver took or refused spans for good. `UNANSWERED`: worth another try."""

    ANSWERED = "answered"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch; `problem` says what went wrong, empty if nothing did."""

    outcome: Outcome
    accepted: int
    rejected: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The last thing that a receiver said, or that kept it from answering. `rejected` None: the whole batch."""

    outcome: Outcome
    rejected: int | None
    problem: str


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
        return Receipt(Outcome.ANSWERED, len(spans) - rejected, rejected, answer.problem)

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
            self._watch.answer = Answer(Outcome.UNANSWERED, None, f"{type(error).__name__}: {_reason(error)}")
            raise
        self._watch.answer = _http_answer(response)
        return response


def _http_answer(response: requests.Response) -> Answer:
    said = f"HTTP {response.status_code} {response.reason}".rstrip()
    if 300 <= response.status_code < 400:
        where = response.headers.get("location", "nowhere")
        return Answer(Outcome.ANSWERED, None, f"{said}: redirected to {where}: give that address")
    if response.status_code in _RETRIED_STATUS:
        return Answer(Outcome.UNANSWERED, None, said)
    if response.status_code >= 400:
        return Answer(Outcome.ANSWERED, None, f"{said}: {_body_start(response)}".rstrip(": "))
    return _accepted(response)


def _accepted(response: requests.Response) -> Answer:
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/json":
        with contextlib.suppress(
            ValueError, AttributeError
        ):  # an empty or strange body: as if it said nothing
            partial = response.json().get("partialSuccess") or {}
            return _partial(int(partial.get("rejectedSpans") or 0), partial.get("errorMessage") or "")
        return Answer(Outcome.ANSWERED, 0, "")
    if kind not in ("", _PROTOBUF):
        return Answer(
            Outcome.ANSWERED, None, f"HTTP {response.status_code} with {kind}: that is no OTLP receiver"
        )
    try:
        partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    except DecodeError:
        return Answer(
            Outcome.ANSWERED, None, f"HTTP {response.status_code} with a body that is not OTLP: no receiver"
        )
    return _partial(partial.rejected_spans, partial.error_message)


def _partial(rejected: int, message: str) -> Answer:
    if rejected:
        return Answer(Outcome.ANSWERED, rejected, f"partial success: {message or 'no reason given'}")
    return Answer(Outcome.ANSWERED, 0, f"warning: {message}" if message else "")


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
            self._watch.answer = _grpc_answer(error)
            raise
        partial = response.partial_success
        self._watch.answer = _partial(partial.rejected_spans, partial.error_message)
        return response


def _grpc_answer(error: grpc.RpcError) -> Answer:
    code = error.code().name
    said = f"gRPC {code}: {error.details()}"
    return Answer(Outcome.UNANSWERED if code in _RETRIED_CODES else Outcome.ANSWERED, None, said)


def _reason(error: BaseException) -> str:
    """The innermost cause: requests wraps "Connection refused" several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error)


def _body_start(response: requests.Response) -> str:
    kind = response.headers.get("content-type", "")
    return response.text[:200].strip() if kind.startswith(("text/", "application/json")) else ""


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
