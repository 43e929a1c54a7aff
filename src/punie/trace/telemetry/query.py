"""The span of one query: the root of its trace, and all that a reader needs to judge it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, StatusCode

from punie.trace import semconv
from punie.trace.model import Disturbance
from punie.trace.telemetry.clock import SLEW, STEP_NS, Clock, wall_clock_offset_ns
from punie.trace.telemetry.journal.processor import made_current
from punie.trace.telemetry.provider import Telemetry

EVALUATION: Final = "punie.strict"  # the rules of docs/method/scoring.md


@dataclass(frozen=True, slots=True)
class QueryLabels:
    """What is known of a query before it is asked. `repeat`, `position`, `server_start` count from 0.

    `expected` is "tool" or "direct", None if nothing is expected; `cache` is the arm of the prompt cache:
    "server", "off" or "unknown". `more` are further attributes under their own names.
    """

    run_id: str
    query_id: str
    text: str
    expected: str | None = None
    repeat: int = 0
    position: int = 0
    server_start: int = 0
    warmup: bool = False
    cache: str = "unknown"
    suite: str = ""
    suite_hash: str = ""
    more: Mapping[str, str | int] = field(default_factory=dict)

    def attributes(self) -> dict[str, str | int | bool]:
        """As span attributes; what isn't known is left out."""
        attributes: dict[str, str | int | bool | None] = {
            semconv.RUN_ID: self.run_id,
            semconv.QUERY_ID: self.query_id,
            semconv.QUERY_TEXT: self.text,
            semconv.QUERY_EXPECTED: self.expected,
            semconv.QUERY_REPEAT: self.repeat,
            semconv.QUERY_POSITION: self.position,
            semconv.QUERY_SERVER_START: self.server_start,
            semconv.QUERY_WARMUP: self.warmup,
            semconv.QUERY_CACHE: self.cache,
            semconv.QUERY_SUITE: self.suite or None,
            semconv.QUERY_SUITE_HASH: self.suite_hash or None,
            **self.more,
        }
        return {name: value for name, value in attributes.items() if value is not None}


class QuerySpan:
    """The open query span: say when the answer was there, then what it was worth."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.answered_ns: int | None = None

    @property
    def trace_id(self) -> str:
        """The id of the query's trace, 32 hex digits."""
        return trace.format_trace_id(self.span.get_span_context().trace_id)

    def answered(self, at_ns: int, answer: str | None = None) -> None:
        """The answer, or the failure, was there at `at_ns` (since the epoch): the span ends then."""
        self.answered_ns = at_ns
        if answer is not None:
            self.span.set_attribute(semconv.QUERY_ANSWER, answer)

    def failed(self, error: str) -> None:
        """What ended the query early, "Type: message"."""
        self.span.set_attribute(semconv.QUERY_ERROR, error)
        self.span.set_attribute(semconv.ERROR_TYPE, error.partition(":")[0])
        self.span.set_status(StatusCode.ERROR)

    def scored(self, *, ok: bool, failures: Sequence[str] = (), details: Sequence[str] = ()) -> None:
        """The strict score, made after the answer; `failures` are its slugs, `details` a sentence for each."""
        self.span.set_attribute(semconv.QUERY_OK, ok)
        self.span.set_attribute(semconv.QUERY_FAILURES, tuple(failures))
        if details:
            self.span.set_attribute(semconv.QUERY_FAILURE_DETAILS, tuple(details))
        evaluation: dict[str, str | float] = {
            semconv.EVALUATION_NAME: EVALUATION,
            semconv.EVALUATION_SCORE: float(ok),
            semconv.EVALUATION_LABEL: "pass" if ok else "fail",
        }
        self.span.add_event(semconv.EVENT_EVALUATION, evaluation, self.answered_ns)


@contextmanager
def query_span(
    telemetry: Telemetry, labels: QueryLabels, *, offset: Clock = wall_clock_offset_ns
) -> Iterator[QuerySpan]:
    """A new trace with the query as its root; what happens inside hangs below it.

    The span ends at `QuerySpan.answered`, else when the block ends; what is set inside the block gets onto it
    either way. An exception is recorded and passes through. Then the journal is synced, in a thread of its own.
    `offset` shows whether the wall clock was set meanwhile: such a query is marked, for its times are wrong.
    """
    offset_ns, began_ns = offset(), telemetry.clock()
    span = telemetry.tracer.start_span(
        semconv.SPAN_WARMUP if labels.warmup else semconv.SPAN_QUERY,
        context=Context(),
        attributes=labels.attributes(),
        start_time=began_ns,
    )
    query = QuerySpan(span)
    try:
        with made_current(span):
            yield query
    except BaseException as error:
        query.failed(f"{type(error).__name__}: {error}")
        raise
    finally:
        end_ns = telemetry.clock() if query.answered_ns is None else query.answered_ns
        if abs(offset() - offset_ns) > STEP_NS + abs(end_ns - began_ns) // SLEW:
            span.set_attribute(semconv.QUERY_DISTURBED, Disturbance.CLOCK_STEP.value)
        span.end(end_time=end_ns)
        telemetry.sync()
