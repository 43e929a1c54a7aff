"""Spans that go to the journal and nowhere else: OpenTelemetry's interface without what other exporters need.

The SDK's spans clean, bound, copy and lock what they are given, for readers in other threads and for limits that the
environment may set. Here a span is written once, when it ends, by the thread that ends it, and is kept whole: that
takes a third of the time, of which the user waits for all.
"""

from __future__ import annotations

import traceback
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util._decorator import _agnosticcontextmanager
from opentelemetry.util.types import Attributes, AttributeValue

from punie.trace.open_flags import after_fork_in_child
from punie.trace.telemetry.clock import Clock, wall_clock_ns
from punie.trace.telemetry.journal.processor import JournalSpanProcessor, made_current
from punie.trace.telemetry.resource import this_process

_UNSET: Final = Status(StatusCode.UNSET)


@dataclass(slots=True, eq=False)
class JournalSpan(trace.Span):
    """An open span, and what is written of it when it ends: the encoder reads of it what it reads of the SDK's.

    What is set after the end is ignored. One thread at a time, as its user has it. Attributes are kept as they are
    given: the encoder writes what OTLP has no type for as text.
    """

    name: str
    context: SpanContext
    parent: SpanContext | None
    kind: SpanKind
    attributes: dict[str, AttributeValue]
    links: list[Link]
    start_time: int
    tracer: JournalTracer
    end_time: int | None = None
    status: Status = _UNSET
    events: list[Event] = field(default_factory=list)
    dropped_attributes: ClassVar[int] = 0
    dropped_events: ClassVar[int] = 0
    dropped_links: ClassVar[int] = 0

    @property
    def resource(self) -> Resource:
        """The process's."""
        return self.tracer.provider.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """The scope that made it."""
        return self.tracer.scope

    def get_span_context(self) -> SpanContext:
        """Ids and flags."""
        return self.context

    def is_recording(self) -> bool:
        """Whether it hasn't ended."""
        return self.end_time is None

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set one; the last value counts."""
        if self.end_time is None:
            self.attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several."""
        if self.end_time is None:
            self.attributes.update(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Something that happened at `timestamp`, in ns since the epoch; now without one."""
        if self.end_time is None:
            self.events.append(Event(name, attributes, timestamp))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """A span of another trace that belongs to this one."""
        if self.end_time is None:
            self.links.append(Link(context, attributes))

    def update_name(self, name: str) -> None:
        """Another name."""
        if self.end_time is None:
            self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """As the specification has it: OK stays, UNSET changes nothing."""
        new = status if isinstance(status, Status) else Status(status, description)
        final = self.status.status_code is StatusCode.OK or new.status_code is StatusCode.UNSET
        if self.end_time is None and not final:
            self.status = new

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # the interface's
    ) -> None:
        """An event with the exception's type, message and traceback, under the convention's names."""
        kind = type(exception)
        module = kind.__module__
        described: dict[str, AttributeValue] = {
            "exception.type": kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}",
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", described | dict(attributes or {}), timestamp)

    def end(self, end_time: int | None = None) -> None:
        """Write it, with `end_time` in ns since the epoch; now without one. Ending twice is harmless."""
        if self.end_time is not None:
            return
        provider = self.tracer.provider
        self.end_time = provider.clock() if end_time is None else end_time
        provider.processor.on_end(cast(ReadableSpan, self))


class JournalTracer(trace.Tracer):
    """Makes `JournalSpan`s of one scope."""

    def __init__(self, provider: JournalTracerProvider, scope: InstrumentationScope) -> None:
        self.provider = provider
        self.scope = scope
        self._ids = provider.id_generator
        self._random = TraceFlags.RANDOM_TRACE_ID if self._ids.is_trace_id_random() else TraceFlags.DEFAULT

    def start_span(  # the interface's
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        """A span under the one in `context`, or under the current one; the root of a trace if there is none."""
        above = self.provider.processor.nearest_open(context)
        above = above or trace.get_current_span(context).get_span_context()
        parent = above if above.is_valid else None
        if parent is None:
            trace_id, flags, state = self._ids.generate_trace_id(), self._random | TraceFlags.SAMPLED, None
        else:
            trace_id, state = parent.trace_id, parent.trace_state
            flags = (parent.trace_flags & TraceFlags.RANDOM_TRACE_ID) | TraceFlags.SAMPLED
            if self.provider.sampled_only and not parent.trace_flags.sampled:
                flags &= ~TraceFlags.SAMPLED
        own = SpanContext(
            trace_id,
            self._ids.generate_span_id(),
            is_remote=False,
            trace_flags=TraceFlags(flags),
            trace_state=state,
        )
        if not flags & TraceFlags.SAMPLED:
            return trace.NonRecordingSpan(own)
        span = JournalSpan(
            name,
            own,
            parent,
            kind,
            dict(attributes or ()),
            list(links or ()),
            self.provider.clock() if start_time is None else start_time,
            self,
        )
        self.provider.processor.on_start(span)
        return span

    @_agnosticcontextmanager
    def start_as_current_span(  # the interface's
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[trace.Span]:
        """As `start_span`, current inside the block."""
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with (
            made_current(span),
            trace.use_span(
                span,
                end_on_exit=end_on_exit,
                record_exception=record_exception,
                set_status_on_exception=set_status_on_exception,
            ),
        ):
            yield span


class JournalTracerProvider(trace.TracerProvider):
    """Every tracer of it writes to the journal of `processor`, whatever the environment says of samplers and limits.

    `sampled_only`: a span whose caller chose not to be sampled isn't recorded; else every span is.
    """

    def __init__(
        self,
        resource: Resource,
        processor: JournalSpanProcessor,
        *,
        clock: Clock = wall_clock_ns,
        sampled_only: bool = False,
        id_generator: IdGenerator | None = None,
    ) -> None:
        self.clock = clock
        self.resource = resource
        self.processor = processor
        self.sampled_only = sampled_only
        self.id_generator = id_generator or RandomIdGenerator()
        _providers.add(self)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """A tracer for the scope of that name."""
        scope = InstrumentationScope(
            instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        )
        return JournalTracer(self, scope)


_providers: Final[weakref.WeakSet[JournalTracerProvider]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for provider in list(_providers):
        provider.resource = this_process(provider.resource)


after_fork_in_child(_after_fork_in_child)
