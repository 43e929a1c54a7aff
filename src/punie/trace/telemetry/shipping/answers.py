"""What a receiver's answer means: spans taken, refused, or worth another try. Source: the OTLP specification."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import grpc  # type: ignore[import-untyped] # ships no types
import requests
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
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
class Answer:
    """The last thing that a receiver said, or that kept it from answering. `rejected` None: the whole batch.

    `media_type` is that of an HTTP response, empty without one.
    """

    outcome: Outcome
    rejected: int | None
    problem: str
    media_type: str = ""


def read_response(response: requests.Response) -> Answer:
    """What an HTTP response to an export means."""
    answer = _read_status(response)
    return replace(answer, media_type=_media_type(response))


def read_failure(error: BaseException) -> Answer:
    """What it means that no response came."""
    return Answer(Outcome.UNANSWERED, None, f"{type(error).__name__}: {_reason(error)}")


def read_partial(rejected: int, message: str) -> Answer:
    """What the `partial_success` of an answer means; both empty where there is none."""
    if rejected:
        return Answer(Outcome.ANSWERED, rejected, f"partial success: {message or 'no reason given'}")
    return Answer(Outcome.ANSWERED, 0, f"warning: {message}" if message else "")


def read_rpc_error(error: grpc.RpcError) -> Answer:
    """What an error status of gRPC means."""
    code, details = error.code().name, error.details() or ""
    # Too large a request is too large the next time as well, though it has the code of a receiver that is busy.
    again = code in _RETRIED_CODES and "larger than max" not in details
    return Answer(Outcome.UNANSWERED if again else Outcome.ANSWERED, None, f"gRPC {code}: {details}")


def _read_status(response: requests.Response) -> Answer:
    said = f"HTTP {response.status_code} {response.reason}".rstrip()
    if 300 <= response.status_code < 400:
        where = response.headers.get("location", "nowhere")
        return Answer(Outcome.ANSWERED, None, f"{said}: redirected to {where}: give that address")
    if response.status_code in _RETRIED_STATUS:
        return Answer(Outcome.UNANSWERED, None, said)
    if response.status_code >= 400:
        return Answer(Outcome.ANSWERED, None, f"{said}: {_body_start(response)}".rstrip(": "))
    return _accepted(response)


def _media_type(response: requests.Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip()


def _accepted(response: requests.Response) -> Answer:
    kind = _media_type(response)
    if kind == JSON:
        with contextlib.suppress(
            ValueError, AttributeError
        ):  # an empty or strange body: as if it said nothing
            partial = response.json().get("partialSuccess") or {}
            return read_partial(int(partial.get("rejectedSpans") or 0), partial.get("errorMessage") or "")
        return Answer(Outcome.ANSWERED, 0, "")
    if kind not in ("", PROTOBUF):
        return Answer(
            Outcome.ANSWERED, None, f"HTTP {response.status_code} with {kind}: that is no OTLP receiver"
        )
    try:
        partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    except DecodeError:
        return Answer(
            Outcome.ANSWERED, None, f"HTTP {response.status_code} with a body that is not OTLP: no receiver"
        )
    return read_partial(partial.rejected_spans, partial.error_message)


def _reason(error: BaseException) -> str:
    """The innermost cause: requests wraps "Connection refused" several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error)


def _body_start(response: requests.Response) -> str:
    kind = response.headers.get("content-type", "")
    return response.text[:200].strip() if kind.startswith(("text/plain", JSON)) else ""
