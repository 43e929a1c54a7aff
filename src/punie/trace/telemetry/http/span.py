"""One HTTP request as one span: from the request to the last byte of the body.

    |-------------------------- POST --------------------------|
    ^ request    ^ headers     ^ first event                    ^ last byte, or close, or error

The instrumentations of OpenTelemetry end theirs at the headers; of a streamed answer that is next to nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

from punie.trace import semconv
from punie.trace.model import Phase, Provenance
from punie.trace.telemetry.clock import Clock
from punie.trace.telemetry.http.attempts import AttemptLog, Body, Resend, RetryKey
from punie.trace.telemetry.http.left_requests import note_left_request
from punie.trace.telemetry.http.response import ResponseReader, reader_for
from punie.trace.telemetry.http.stream.reader import StreamReader
from punie.trace.telemetry.http.timed_phase import write_phase
from punie.trace.telemetry.journal.processor import JournalSpanProcessor
from punie.trace.urls import bare

ENDS_AT_LAST_BYTE: Final = semconv.HTTP_ENDS_AT_LAST_BYTE
ENDS_AT_CLOSE: Final = "close"
CUT_SHORT: Final = "IncompleteStream"
_NO_ANSWER_YET: Final = "ReadTimeout"  # of httpx, httpx2 and httpcore
CUT_SHORT_TEXT: Final = "the stream ended without a finish reason"
_RETRIED_STATUS: Final = frozenset({408, 409, 429})  # and 5xx: what the OpenAI client retries


@dataclass(frozen=True, slots=True)
class HttpTracer:
    """What a request needs to be recorded: whose spans are ours, a tracer, a clock and the log of attempts."""

    processor: JournalSpanProcessor
    tracer: trace.Tracer
    clock: Clock
    attempts: AttemptLog

    def records(self) -> bool:
        """Whether a span around the caller will be in our journal: a request without one would be an orphan there."""
        return self.processor.nearest_open() is not None

    def start(self, method: str, url: str) -> RequestSpan:
        """Begin the span of a request under the current span, and the wait before it if it is a retry."""
        now = self.clock()
        caller = self._caller(trace.get_current_span())
        target = RetryKey(caller.trace_id, caller.span_id, method, _without_query(url))
        resend = self.attempts.resend(target)
        if resend is not None:
            self._record_wait(caller, resend, now)
        span = self.tracer.start_span(
            method, kind=SpanKind.CLIENT, attributes=_request_attributes(target, resend), start_time=now
        )
        return RequestSpan(self, span, caller, target, now)

    def _caller(self, current: Span) -> SpanContext:
        """The span that a retry shares with the attempt before it.

        Another instrumentation may have put an HTTP span of its own around each attempt: then what is around that.
        """
        attributes = getattr(current, "attributes", None) or {}
        parent: SpanContext | None = getattr(current, "parent", None)
        if parent is not None and any(name in attributes for name in semconv.HTTP_METHOD):
            return parent
        return self.processor.nearest_open() or current.get_span_context()

    def _record_wait(self, caller: SpanContext, resend: Resend, until_ns: int) -> None:
        context = trace.set_span_in_context(trace.NonRecordingSpan(caller))
        phase = {semconv.PHASE: Phase.RETRY.value, semconv.PHASE_PROVENANCE: Provenance.CLIENT.value}
        wait = self.tracer.start_span(
            semconv.SPAN_RETRY_WAIT, context=context, attributes=phase, start_time=resend.failed_at_ns
        )
        wait.end(end_time=max(until_ns, resend.failed_at_ns))


class RequestSpan:
    """The open span of one request. Whatever comes first of end, close, error and garbage collection ends it."""

    def __init__(
        self, http: HttpTracer, span: Span, caller: SpanContext, target: RetryKey, start_ns: int
    ) -> None:
        self.span = span
        self._http = http
        self._caller = caller
        self._target = target
        self._start_ns = start_ns
        self._lock = threading.Lock()
        self._ended = False
        self._failed = False
        self._error: str | None = None
        self._waiting = True
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._bytes = 0
        # set together at the end: one by one takes far longer
        self._attributes: dict[str, AttributeValue] = {}
        self._reader = ResponseReader()

    def got_headers(self, status: int, headers: Mapping[str, str]) -> None:
        """The status line and the headers arrived; the body follows."""
        now = self._http.clock()
        self._attributes |= {semconv.HTTP_HEADERS_NS: now - self._start_ns, semconv.HTTP_STATUS[0]: status}
        if status >= 400:
            self._attributes[semconv.ERROR_TYPE] = self._error = str(status)
            self.span.set_status(StatusCode.ERROR)
        self._failed = status in _RETRIED_STATUS or status >= 500
        self._reader = reader_for(status, headers, now)

    def got_chunk(self, chunk: bytes) -> None:
        """A piece of the body arrived; it is now in the caller's hands."""
        now = self._http.clock()
        if chunk and self._first_ns is None:
            self._first_ns = now
        self._reader.feed(chunk, now)
        self._bytes += len(chunk)
        self._last_ns = now
        self._waiting = False

    def wants_more(self) -> None:
        """The caller asks for the next piece."""
        self._waiting = True

    def exhausted(self) -> None:
        """There are no more bytes. What came after `[DONE]`, if only time, is no part of the answer."""
        stream = self._stream()
        if stream is not None and stream.cut_short:
            self._attributes[semconv.ERROR_TYPE] = CUT_SHORT
            self.span.set_status(StatusCode.ERROR, CUT_SHORT_TEXT)
        self._end(self._done_ns() or self._http.clock(), ENDS_AT_LAST_BYTE)

    def closed(self) -> None:
        """The caller is done with the response, read to its end or not."""
        done_ns = self._done_ns()
        stream = self._stream()
        if stream is not None and stream.cut_short:
            self._note_left()
        self._end(done_ns or self._last_byte_ns(), ENDS_AT_CLOSE if done_ns is None else ENDS_AT_LAST_BYTE)

    def failed(self, error: BaseException, *, before_headers: bool) -> None:
        """The request or its body ended with `error`. One that never got headers is what clients retry.

        After `[DONE]` there was nothing left to fail: some servers keep the connection open, and clients give up.
        """
        if self._done_ns() is not None:
            self.closed()
            return
        self._attributes[semconv.ERROR_TYPE] = type(error).__qualname__
        if isinstance(error, Exception):  # else the caller ended it, and it may have been well
            self._error = type(error).__qualname__
        if isinstance(error, asyncio.CancelledError) or type(error).__name__ == _NO_ANSWER_YET:
            self._note_left()
        self.span.set_status(StatusCode.ERROR, str(error) or type(error).__qualname__)
        self._failed = self._failed or (before_headers and isinstance(error, Exception))
        self._end(self._http.clock(), None)

    def _note_left(self) -> None:
        if not self._ended:
            note_left_request(self._target.method, self._target.url)

    def _end(self, end_ns: int, ends_at: str | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
        if ends_at is not None:
            self._attributes |= {semconv.HTTP_ENDS_AT: ends_at, semconv.HTTP_BODY_SIZE: self._bytes}
        stream = self._stream()
        first_event_ns = self._set_events(stream)
        self._log(
            Body(first_event_ns, end_ns)
            if stream is None
            else Body(first_event_ns, end_ns, stream.usage, stream.cut_short)
        )
        phases = self._reader.phases(self._start_ns, self._last_ns or end_ns)
        self.span.set_attributes({**self._attributes, **self._reader.without_phase()})
        for phase in phases:
            write_phase(self._http.tracer, self.span, phase)
        self.span.end(end_time=end_ns)

    def _set_events(self, stream: StreamReader | None) -> int | None:
        """When the first of them was there; None if the body is no stream of events."""
        first_ns = self._first_ns
        if stream is not None:
            first_ns = stream.first_event_ns
            self._attributes[semconv.HTTP_EVENTS] = stream.events
        if first_ns is not None:
            self._attributes[semconv.HTTP_FIRST_EVENT_NS] = first_ns - self._start_ns
        return first_ns if stream is not None else None

    def _done_ns(self) -> int | None:
        """When `[DONE]` came; None if it didn't."""
        stream = self._stream()
        return None if stream is None else stream.done_ns

    def _stream(self) -> StreamReader | None:
        return self._reader.stream

    def _log(self, body: Body) -> None:
        self._http.attempts.ended(self._caller, self._error)
        if self._failed:
            self._attributes[semconv.PHASE] = Phase.RETRY.value
            self._attributes[semconv.PHASE_PROVENANCE] = Provenance.CLIENT.value
            self._http.attempts.failed(self._target, body.end_ns)
        else:
            self._http.attempts.succeeded(self._target)
            self._http.attempts.body_ended(self._caller, body)

    def _last_byte_ns(self) -> int:
        # Closed while a read was pending: the wait was the server's. Else the caller held the last piece.
        if self._waiting or self._last_ns is None:
            return self._http.clock()
        return self._last_ns


def _request_attributes(target: RetryKey, resend: Resend | None) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        semconv.HTTP_METHOD[0]: target.method,
        semconv.URL_FULL[0]: target.url,
        **_address(target.url),
    }
    if resend is not None:
        attributes[semconv.HTTP_ATTEMPT] = resend.count
    return attributes


@lru_cache(maxsize=64)
def _address(url: str) -> Mapping[str, str | int]:
    parts = urlsplit(url)
    return {
        semconv.SERVER_ADDRESS[0]: parts.hostname or "",
        semconv.SERVER_PORT[0]: parts.port or (443 if parts.scheme == "https" else 80),
    }


@lru_cache(maxsize=64)
def _without_query(url: str) -> str:
    """The address without user, password, query and fragment: keys travel in them."""
    return bare(urlsplit(url))
