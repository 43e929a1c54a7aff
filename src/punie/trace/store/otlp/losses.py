"""What the SDK that made the spans dropped by its limits, as the spans count it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from punie.trace.model import Span
from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.values import integer

DROPPED_ATTRIBUTES = "dropped-attributes"
DROPPED_EVENTS = "dropped-events"
INCOMPLETE = "incomplete-trace"  # a source says so itself
_TAGS = tuple(f"otel.dropped_{what}_count" for what in ("attributes", "events", "links"))


def note_dropped(gatherer: SpanGatherer, attributes: int, events: int) -> None:
    """Note how many attributes, and how many events and links, one span has lost."""
    gatherer.note(DROPPED_ATTRIBUTES, "attributes of spans", max(attributes, 0))
    gatherer.note(DROPPED_EVENTS, "events and links of spans", max(events, 0))


def note_losses(gatherer: SpanGatherer, raw: dict[str, Any]) -> None:
    """As `note_dropped`, of a span of OTLP JSON."""
    attributes, events, links = (
        integer(raw.get(f"dropped{what}Count")) or 0 for what in ("Attributes", "Events", "Links")
    )
    note_dropped(gatherer, attributes, max(events, 0) + max(links, 0))


def note_lost_by_tags(gatherer: SpanGatherer, spans: Iterable[Span]) -> None:
    """As `note_dropped`, of spans that came through Jaeger or Zipkin, where the counts are tags."""
    for span in spans:
        attributes, events, links = (integer(span.attributes.get(tag)) or 0 for tag in _TAGS)
        note_dropped(gatherer, attributes, max(events, 0) + max(links, 0))
