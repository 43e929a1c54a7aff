"""Spans without prompts, answers and arguments: what a reader gets who may see figures only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from punie.trace.telemetry.shipping.content import ContentPolicy

if TYPE_CHECKING:
    from punie.trace.model import Event, Span
    from punie.trace.usecases.load import Loaded


def without_content(loaded: Loaded) -> Loaded:
    """The same source with what may leave the machine unasked, by the same list as the shipper's."""
    spans = tuple(map(_span, loaded.spans.spans))
    return replace(loaded, spans=replace(loaded.spans, spans=spans))


def _span(span: Span) -> Span:
    return msgspec.structs.replace(
        span,
        attributes=ContentPolicy.STRIP.apply(span.attributes),
        resource=ContentPolicy.STRIP.apply(span.resource),
        status_message="",
        events=tuple(map(_event, span.events)),
    )


def _event(event: Event) -> Event:
    return replace(event, attributes=ContentPolicy.STRIP.apply(event.attributes))
