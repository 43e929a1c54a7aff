"""A phase that the client read off an answer, and the span that says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from punie.trace import semconv
from punie.trace.model import Phase, Provenance

_NAMES: Final = {
    Phase.PREFILL: semconv.SPAN_PREFILL,
    Phase.DECODE: semconv.SPAN_DECODE,
    Phase.SERVE: semconv.SPAN_LOAD,
}


@dataclass(frozen=True, slots=True)
class TimedPhase:
    """What the server did from `start_ns` to `end_ns` (since the epoch), and how the client knows."""

    phase: Phase
    provenance: Provenance
    start_ns: int
    end_ns: int
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)

    @property
    def duration_ns(self) -> int:
        """`end_ns - start_ns`."""
        return self.end_ns - self.start_ns


def write_phase(tracer: Tracer, request: Span, phase: TimedPhase) -> None:
    """Record `phase` as a child of the request's span."""
    span = tracer.start_span(
        _NAMES[phase.phase],
        context=set_span_in_context(request, Context()),
        attributes={
            semconv.PHASE: phase.phase.value,
            semconv.PHASE_PROVENANCE: phase.provenance.value,
            **phase.attributes,
        },
        start_time=phase.start_ns,
    )
    span.end(end_time=phase.end_ns)
