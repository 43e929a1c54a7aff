"""OpenTelemetry's side of the journal: each ended span becomes a line of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context, attach, create_key, detach, get_value, set_value
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanContext

from punie.trace.telemetry.journal.encode import LineEncoder
from punie.trace.telemetry.journal.journal import Journal

_OWN_SPAN: Final = create_key("punie-trace-own-span")


@contextmanager
def made_current(span: trace.Span) -> Iterator[None]:
    """`span` is current inside the block, and found there also under spans of other providers."""
    token = attach(set_value(_OWN_SPAN, span.get_span_context(), trace.set_span_in_context(span)))
    try:
        yield
    finally:
        detach(token)


class JournalSpanProcessor(SpanProcessor):
    """Writes each span to a journal when it ends, in the thread that ends it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._encoder = LineEncoder()
        self._detached = False
        self._open: set[tuple[int, int]] = set()

    def is_open(self, context: SpanContext) -> bool:
        """Whether this is a span that has begun, has not ended, and will be in the journal."""
        return (context.trace_id, context.span_id) in self._open

    def nearest_open(self, context: Context | None = None) -> SpanContext | None:
        """The span of ours that surrounds the caller; None if none will be in the journal.

        The current one, or, where the current one is a span of another provider, the one that `made_current`
        put there.
        """
        current = trace.get_current_span(context).get_span_context()
        own = current if self.is_open(current) else get_value(_OWN_SPAN, context)
        return own if isinstance(own, SpanContext) and self.is_open(own) else None

    def on_start(self, span: trace.Span, parent_context: Context | None = None) -> None:
        """A span began; it is not in the journal before it ends."""
        context = span.get_span_context()
        if not self._detached:
            self._open.add((context.trace_id, context.span_id))

    def on_end(self, span: ReadableSpan) -> None:
        """Write the span before returning. Never raises into the code that ended the span."""
        context = span.context
        if context is not None:
            self._open.discard((context.trace_id, context.span_id))
        if self._detached:
            return
        try:
            line = self._encoder.encode(span)
        except Exception as error:  # noqa: BLE001 - tracing must not break the agent; it is counted and said
            self.journal.count_loss(f"span {span.name!r} can't be encoded: {error}")
            return
        self.journal.write_line(line)

    def detach(self) -> None:
        """Stop writing and close the journal, in a provider that lives on (it can't drop a processor)."""
        self._detached = True
        self._open.clear()
        self.journal.close()

    def shutdown(self) -> None:
        """Close the journal."""
        self.journal.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is buffered here: sync to the disk. False if a span was lost."""
        self.journal.sync()
        return self.journal.status.lost == 0
