"""A provider of the SDK alone that writes to the journal: what logfire adds to a span costs as much as the span."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from punie.trace.telemetry.environment import telemetry_environment_hidden


def bare_provider(
    resource: Resource,
    processor: SpanProcessor,
    *,
    sampler: Sampler = ALWAYS_ON,
    id_generator: IdGenerator | None = None,
) -> TracerProvider:
    """Whatever the environment says of exporters, samplers and limits: `processor` gets every span, whole."""
    with telemetry_environment_hidden():
        provider = TracerProvider(
            sampler=sampler, resource=resource, id_generator=id_generator, shutdown_on_exit=False
        )
    provider.add_span_processor(processor)
    return provider
