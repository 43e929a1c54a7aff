"""What the SDK that made the spans dropped by its limits, as the spans count it."""

from __future__ import annotations

from typing import Any

from punie.trace.store.gathering import SpanGatherer
from punie.trace.store.otlp.values import integer

DROPPED_ATTRIBUTES = "dropped-attributes"
DROPPED_EVENTS = "dropped-events"


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
