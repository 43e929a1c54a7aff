"""One request inside the server: its SERVER span and the phases under it.

    |--------------------- server request -----------------------|
     |- queue -| |- template -| |- prefill -||- decode -| |parse|
                                             ^ first token

Knows nothing of mlx_lm. Two threads report: the one that handles the connection (`queued`, `parsed`, `finish`)
and the one that generates. They only take the time; the spans are made from that by the writer. A phase is made
when it has ended, so the SERVER span is the only one that is ever open.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from punie.trace import semconv
from punie.trace.model import Phase, Provenance
from punie.trace.telemetry.clock import Clock
from punie.trace.telemetry.mlx.attributes import (
    Memory,
    ObservedRequest,
    ServingPath,
    message_attributes,
    process_attributes,
    request_attributes,
)
from punie.trace.telemetry.mlx.writer import GoOn, Submit

TRACE_HEADERS: Final = ("traceparent", "tracestate")
_SPAN_NAMES: Final = {
    Phase.QUEUE: semconv.SPAN_QUEUE,
    Phase.TEMPLATE: semconv.SPAN_TEMPLATE,
    Phase.PREFILL: semconv.SPAN_PREFILL,
    Phase.DECODE: semconv.SPAN_DECODE,
    Phase.PARSE: semconv.SPAN_PARSE,
}


_logger: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpanSink:
    """Where spans go. `note` and `submit` run what they are given, in order: soon, and at once."""

    tracer: Tracer
    clock: Clock
    note: Submit
    submit: Submit


class RequestTrace:
    """The SERVER span begins here and ends with `finish`; what is reported after that is dropped.

    `headers` may carry W3C trace context; without it the span is the root of a new trace.
    `seen` takes what is not a time.
    """

    def __init__(self, sink: SpanSink, headers: Mapping[str, str], path: str) -> None:
        self.seen = ObservedRequest()
        self._sink = sink
        self._lock = threading.RLock()
        self._finished = False
        self._error: tuple[str, str] | None = None
        self._queued_ns: int | None = None
        self._last_look: tuple[int, int] | None = None  # for tool calls, when there were none
        self._latest_ns = 0
        self._start_ns = self.now()
        self._span: Span = INVALID_SPAN  # the writer's alone, from here on
        sink.note(partial(self._open, headers, path))

    def now(self) -> int:
        """The clock, never earlier than before: a clock that is set back must not turn a span inside out."""
        with self._lock:
            self._latest_ns = max(self._latest_ns, self.seen.last_token_ns or 0, self._sink.clock())
            return self._latest_ns

    def queued(self) -> None:
        """The request waits from now on."""
        with self._lock:
            self._queued_ns = self.now()

    def queued_since(self, start_ns: int) -> None:
        """The request has waited again since `start_ns`."""
        with self._lock:
            self._queued_ns = start_ns

    def taken(self, at_ns: int | None = None) -> None:
        """The wait is over, now or since `at_ns`. Harmless when it is over already."""
        with self._lock:
            if not self._finished:
                self._end_wait(self.now() if at_ns is None else at_ns)

    def templated(self, start_ns: int) -> None:
        """The prompt is tokens now; work on that began at `start_ns`."""
        with self._lock:
            if not self._finished:
                self._write(Phase.TEMPLATE, start_ns, self.now())

    def prefill_began(self, path: ServingPath, at_ns: int | None = None) -> None:
        """The model reads the prompt, from now on or since `at_ns`. Only the first call counts."""
        with self._lock:
            if self.seen.prefill_start_ns is None:
                self.seen.prefill_start_ns = self.now() if at_ns is None else at_ns
                self.seen.path = path

    def token(self, finish_reason: str | None) -> None:
        """One more token is out; `finish_reason` says that it is the last."""
        with self._lock:
            if self._finished:
                return
            self.seen.output_tokens += 1
            self.seen.last_token_ns = self.now()
            if self.seen.first_token_ns is None:
                self._first_token(self.seen.last_token_ns)
            if finish_reason is not None:
                self.seen.finish_reason = finish_reason
                self._end_decode()

    def another_token(self) -> None:
        """As `token(None)` behind the first one, without the lock. Only the thread that generates calls it."""
        seen = self.seen  # before the look at `_finished`: see `finish`
        if not self._finished:
            seen.output_tokens += 1
            seen.last_token_ns = max(seen.last_token_ns or 0, self._sink.clock())

    def parsed(self, start_ns: int, calls: int) -> None:
        """The text of `calls` tool calls has been made JSON since `start_ns`."""
        with self._lock:
            if self._finished:
                return
            self.seen.tool_calls += calls
            self._write(Phase.PARSE, start_ns, self.now(), {semconv.SERVER_TOOL_CALLS: calls})

    def no_calls_found(self, start_ns: int) -> None:
        """The server has looked for tool calls since `start_ns`, and there were none.

        It looks with each piece of text and once more after the last token; only that last look becomes a span.
        """
        self._last_look = (start_ns, self.now())

    def failed(self, error: BaseException) -> None:
        """The request ends with an error; the first one is kept."""
        with self._lock:
            self._error = self._error or (type(error).__name__, str(error))

    def finish(self, footprint: Callable[[], int | None] = lambda: None) -> None:
        """The last byte is sent, or the connection is lost: write what is open, cut off at this instant."""
        with self._lock:
            if self._finished:
                return
            self._finished = True
            self.seen = copy(self.seen)  # a token that is being counted right now goes to the other one
            end_ns = self.now()
            self._cut_off(end_ns)
            if (
                self._last_look is not None
                and self.seen.finish_reason is not None
                and not self.seen.tool_calls
            ):
                self._write(Phase.PARSE, *self._last_look, {semconv.SERVER_TOOL_CALLS: 0})
            self._sink.submit(partial(self._close, end_ns, footprint))

    def remember_memory(self, memory: Memory) -> None:
        """What the allocator reported when the last token was out."""
        with self._lock:
            if not self._finished:
                self.seen.memory = memory

    def _end_wait(self, end_ns: int) -> None:
        if self._queued_ns is not None:
            self.seen.queue_ns += end_ns - self._queued_ns
            self._write(Phase.QUEUE, self._queued_ns, end_ns)
            self._queued_ns = None

    def _first_token(self, at_ns: int) -> None:
        self.seen.first_token_ns = at_ns
        if self.seen.prefill_start_ns is not None:
            self._write(Phase.PREFILL, self.seen.prefill_start_ns, at_ns, _prefill_attributes(self.seen))

    def _end_decode(self) -> None:
        if self.seen.first_token_ns is not None and self.seen.last_token_ns is not None:
            tokens = {semconv.OUTPUT_TOKENS[0]: self.seen.output_tokens}
            self._write(Phase.DECODE, self.seen.first_token_ns, self.seen.last_token_ns, tokens)

    def _cut_off(self, end_ns: int) -> None:
        self._end_wait(end_ns)
        if self.seen.first_token_ns is not None:
            if self.seen.finish_reason is None:
                self._end_decode()
        elif self.seen.prefill_start_ns is not None:
            self._write(Phase.PREFILL, self.seen.prefill_start_ns, end_ns, _prefill_attributes(self.seen))

    def _write(
        self, phase: Phase, start_ns: int, end_ns: int, more: Mapping[str, AttributeValue] | None = None
    ) -> None:
        self._sink.note(partial(self._make_child, phase, start_ns, end_ns, more or {}))

    # --- in the writer's thread ---

    def _open(self, headers: Mapping[str, str], path: str, _: GoOn) -> None:
        self._span = self._sink.tracer.start_span(
            semconv.SPAN_SERVER_REQUEST,
            context=TraceContextTextMapPropagator().extract(dict(headers), context=Context()),
            kind=SpanKind.SERVER,
            attributes={
                **_phase_attributes(Phase.SERVE),
                semconv.HTTP_METHOD[0]: "POST",
                semconv.URL_PATH: path,
            },
            start_time=self._start_ns,
        )

    def _make_child(
        self, phase: Phase, start_ns: int, end_ns: int, more: Mapping[str, AttributeValue], _: GoOn
    ) -> None:
        if self._span is INVALID_SPAN:  # it could not be opened: what is below it would be a trace of its own
            return
        span = self._sink.tracer.start_span(
            _SPAN_NAMES[phase],
            context=set_span_in_context(self._span, Context()),
            attributes={**_phase_attributes(phase), **more},
            start_time=start_ns,
        )
        span.end(max(start_ns, end_ns))

    def _close(self, end_ns: int, footprint: Callable[[], int | None], go_on: GoOn) -> None:
        self._span.set_attributes(request_attributes(self.seen, start_ns=self._start_ns, end_ns=end_ns))
        self._write_outcome()
        self._add(lambda: process_attributes(footprint()))
        self._add(lambda: message_attributes(self.seen, go_on))
        self._span.end(end_ns)

    def _add(self, read: Callable[[], Mapping[str, AttributeValue]]) -> None:
        try:
            self._span.set_attributes(read())
        except Exception:  # the span is worth more than this part of it
            _logger.exception("a part of what a request's span says is not known")

    def _write_outcome(self) -> None:
        code = self.seen.status_code
        if self._error is not None:
            kind, message = self._error
            self._span.set_attribute(semconv.ERROR_TYPE, kind)
            self._span.set_status(StatusCode.ERROR, f"{kind}: {message}" if message else kind)
        elif code is not None and code >= HTTPStatus.BAD_REQUEST:
            self._span.set_attribute(semconv.ERROR_TYPE, str(code))
            # the client's mistakes are no errors of the server's
            if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._span.set_status(StatusCode.ERROR)


def _phase_attributes(phase: Phase) -> dict[str, AttributeValue]:
    return {semconv.PHASE: phase.value, semconv.PHASE_PROVENANCE: Provenance.SERVER.value}


def _prefill_attributes(seen: ObservedRequest) -> dict[str, AttributeValue]:
    counts = {semconv.INPUT_TOKENS[0]: seen.prompt_tokens, semconv.CACHED_TOKENS[0]: seen.cached_tokens}
    return {name: count for name, count in counts.items() if count is not None}
