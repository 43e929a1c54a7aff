"""What a receiver's answer means: spans taken, refused, or worth another try. Source: the OTLP specification."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from punie.trace.urls import without_password, without_passwords

if TYPE_CHECKING:
    import grpc  # type: ignore[import-untyped] # ships no types

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_RETRIED_STATUS: Final = frozenset({429, 502, 503, 504})
_SPANS_STATUS: Final = frozenset({400, 413, 422, 500})
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
_SPANS_CODES: Final = frozenset({"INVALID_ARGUMENT", "INTERNAL", "UNKNOWN"})
_TOO_LARGE: Final = (
    "larger than max"  # has the code of a receiver that is busy, and is as large the next time
)
_UNREADABLE: Final = (  # as our own side of gRPC says it, with the codes of who refuses spans
    "Exception deserializing response",
    "CLIENT: Received message larger than max",
)
_LONGEST_PAUSE_S: Final = 24 * 3_600.0
_LONGEST_READ: Final = 10_000
_QUOTED: Final = 200  # characters of a receiver's text


class Outcome(StrEnum):
    """The outcome of a request.

    `ACCEPTED`: the spans were taken, but for those that the answer counts as rejected. `SPANS_REFUSED`: something in
    it was, and another request may be taken. `REQUEST_REFUSED`: any request would be (a wrong token, a wrong path).
    `UNANSWERED`: worth another try.
    """

    ACCEPTED = "accepted"
    SPANS_REFUSED = "spans refused"
    REQUEST_REFUSED = "request refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class ReceiverResponse:
    """What a receiver answered to a request, or what prevented an answer: `problem`, empty if nothing did.

    `rejected` counts spans of an accepted request. `retry_after_s` is the pause that the receiver asks for.
    """

    outcome: Outcome
    rejected: int = 0
    problem: str = ""
    retry_after_s: float | None = None


def read_response(status: int, reason: str, headers: Mapping[str, str], body: bytes) -> ReceiverResponse:
    """What an HTTP response to an export means. Names in `headers` are in small letters."""
    text = f"HTTP {status} {reason}".rstrip()
    if 300 <= status < 400:
        where = without_password(headers.get("location", "nowhere"))
        return ReceiverResponse(
            Outcome.REQUEST_REFUSED, problem=f"{text}: redirected to {where}: give that address"
        )
    if status in _RETRIED_STATUS:
        return ReceiverResponse(
            Outcome.UNANSWERED, problem=text, retry_after_s=_pause_s(headers.get("retry-after"))
        )
    if status >= 400:
        outcome = Outcome.SPANS_REFUSED if status in _SPANS_STATUS else Outcome.REQUEST_REFUSED
        return ReceiverResponse(outcome, problem=f"{text}: {_quoted(headers, body)}".rstrip(": "))
    return _read_success(status, media_type(headers), body)


def media_type(headers: Mapping[str, str]) -> str:
    """The type of a body without its parameters; empty if none is named."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def read_failure(error: BaseException) -> ReceiverResponse:
    """What it means that no response came."""
    return ReceiverResponse(
        Outcome.UNANSWERED, problem=f"{type(error).__name__}: {_reason(error)}".rstrip(": ")
    )


def read_partial(rejected: int, message: str) -> ReceiverResponse:
    """What the `partial_success` of an answer means; both empty where there is none."""
    if not 0 <= rejected < 2**63:
        return _no_receiver(f"an answer that rejects {rejected} spans")
    if rejected:
        return ReceiverResponse(
            Outcome.ACCEPTED, rejected, f"partial success: {message or 'no reason given'}"
        )
    return ReceiverResponse(Outcome.ACCEPTED, 0, f"warning: {message}" if message else "")


def read_rpc_error(error: grpc.RpcError) -> ReceiverResponse:
    """What an error status of gRPC means."""
    code, details = error.code().name, error.details() or ""
    problem = f"gRPC {code}: {details}"
    if any(phrase in details for phrase in _UNREADABLE):
        return _no_receiver(f"an answer that can't be read ({details})")
    if code in _SPANS_CODES or _TOO_LARGE in details:
        return ReceiverResponse(Outcome.SPANS_REFUSED, problem=problem)
    if code in _RETRIED_CODES:
        return ReceiverResponse(Outcome.UNANSWERED, problem=problem, retry_after_s=_retry_delay_s(error))
    return ReceiverResponse(Outcome.REQUEST_REFUSED, problem=problem)


def _read_success(status: int, kind: str, body: bytes) -> ReceiverResponse:
    if not body and kind in ("", JSON, PROTOBUF):  # all fields of the answer are optional
        return ReceiverResponse(Outcome.ACCEPTED)
    if kind not in ("", JSON, PROTOBUF):
        return _no_receiver(f"HTTP {status} with {kind}")
    try:
        return read_partial(*(_json_partial(body) if kind == JSON else _protobuf_partial(body)))
    except (DecodeError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return _no_receiver(f"HTTP {status} with a body that is not OTLP")


def _no_receiver(what: str) -> ReceiverResponse:
    return ReceiverResponse(Outcome.REQUEST_REFUSED, problem=f"{what}: that is no OTLP receiver")


def _protobuf_partial(body: bytes) -> tuple[int, str]:
    partial = ExportTraceServiceResponse.FromString(body).partial_success
    return partial.rejected_spans, partial.error_message


def _json_partial(body: bytes) -> tuple[int, str]:
    answer: dict[str, Any] = json.loads(body)
    partial = answer.get("partialSuccess") or {}
    return int(partial.get("rejectedSpans") or 0), str(partial.get("errorMessage") or "")


def _pause_s(text: str | None) -> float | None:
    """HTTP's Retry-After: seconds, or a date. None for what is neither."""
    if text is None:
        return None
    try:
        seconds = float(text) if text.strip().isdigit() else _until_s(text)
    except (ValueError, OverflowError):
        return None
    return _bounded_s(seconds)


def _bounded_s(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_PAUSE_S)


def _until_s(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()


def _retry_delay_s(error: grpc.RpcError) -> float | None:
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped] # ships no types
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # as above

    try:
        for name, value in error.trailing_metadata() or ():
            if name == "grpc-status-details-bin":
                for detail in Status.FromString(value).details:
                    retry_info = RetryInfo()
                    if detail.Unpack(retry_info):
                        return _bounded_s(retry_info.retry_delay.seconds + retry_info.retry_delay.nanos / 1e9)
    except DecodeError:  # it asks for nothing that can be understood
        return None
    return None


def _reason(error: BaseException) -> str:
    """The innermost cause: clients wrap "Connection refused" several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def _quoted(headers: Mapping[str, str], body: bytes) -> str:
    if not media_type(headers).startswith(("text/plain", JSON)):
        return ""
    return without_passwords(body[:_LONGEST_READ].decode("utf-8", "replace"))[:_QUOTED].strip()
