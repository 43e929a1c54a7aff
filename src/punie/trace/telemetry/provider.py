"""Where spans go: logfire configures a tracer provider that writes to the journal and to nothing else.

Whatever the environment says about sending (`LOGFIRE_*`, `OTEL_EXPORTER_*`) is the shipper's business: one
way out, which counts what it delivers. The provider is no global one, so a user's own `logfire.configure()`
can't replace it and ours can't replace theirs. Spans of whoever asks for it are made through logfire; those that we
make ourselves, of agents too, need nothing of what logfire adds, and what it adds takes longer than the span: they
have the same resource and go to the same journal without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import logfire
from logfire import AdvancedOptions, SamplingOptions
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from punie.trace import semconv
from punie.trace.telemetry.clock import Clock, wall_clock_ns
from punie.trace.telemetry.environment import telemetry_environment_hidden
from punie.trace.telemetry.journal.journal import Journal, JournalSpanProcessor
from punie.trace.telemetry.journal.spans import JournalTracerProvider

SCOPE: Final = "punie.trace"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A handle on the write side. `shutdown` ends it: spans that end later are lost.

    `tracer_provider` makes the tracers of others whose spans belong in the journal, `own_provider` ours: the same one
    where the process had a provider before us (`attached`), so that its exporters get our spans too.
    """

    tracer_provider: trace.TracerProvider
    own_provider: trace.TracerProvider
    tracer: trace.Tracer
    processor: JournalSpanProcessor
    clock: Clock
    _shutdown: Callable[[], None]
    attached: bool = False

    @property
    def journal(self) -> Journal:
        """The file of this process."""
        return self.processor.journal

    def sync(self) -> None:
        """Make all that was written outlast a power cut; called once a query.

        A thread does it, so that no answer waits for the disk; `shutdown` waits for the thread.
        """
        self.journal.sync_soon()

    def shutdown(self) -> None:
        """Close the journal. Harmless when repeated."""
        self._shutdown()


def configure(
    journal_dir: Path | str,
    service_name: str = semconv.SERVICE_AGENT,
    *,
    resource_attributes: Mapping[str, str | int] | None = None,
    clock: Clock = wall_clock_ns,
) -> Telemetry:
    """A provider of our own, configured by logfire, whose every ended span is in the journal.

    `clock` gives nanoseconds since the epoch. Raises `ExportError` if `journal_dir` can't be written.
    """
    processor = JournalSpanProcessor(Journal(journal_dir, service_name))
    options = AdvancedOptions(ns_timestamp_generator=clock)
    with telemetry_environment_hidden(keep=("OTEL_RESOURCE_ATTRIBUTES",)):
        instance = logfire.configure(
            local=True,
            send_to_logfire=False,
            console=False,
            scrubbing=False,
            metrics=False,
            add_baggage_to_attributes=False,
            inspect_arguments=False,
            distributed_tracing=True,  # a traceparent is meant: logfire warns of it otherwise
            config_dir=processor.journal.path.parent,  # no pyproject.toml of the user's is read
            service_name=service_name,
            service_version=version("punie-trace"),  # without it logfire asks git
            resource_attributes=resource_attributes,
            additional_span_processors=[processor],
            sampling=SamplingOptions(head=ALWAYS_ON),
            advanced=options,
        )
    provider = instance.config.get_tracer_provider()
    own = (
        JournalTracerProvider(provider.resource, processor, id_generator=options.id_generator)
        if clock is wall_clock_ns  # the SDK's own
        else provider
    )
    return Telemetry(
        tracer_provider=provider,
        own_provider=own,
        tracer=own.get_tracer(SCOPE, version("punie-trace")),
        processor=processor,
        clock=clock,
        # `instance` lives in this closure: logfire itself holds it only weakly.
        _shutdown=lambda: _ignore(instance.config.shutdown()),
    )


def attach(
    provider: trace.TracerProvider, journal_dir: Path | str, service_name: str = semconv.SERVICE_AGENT
) -> Telemetry:
    """Add the journal to a provider that the process has already; its own exporters stay as they are.

    Raises `TypeError` if the provider takes no span processors.
    """
    add_processor = getattr(provider, "add_span_processor", None)
    if add_processor is None:
        raise TypeError(f"{type(provider).__name__} takes no span processors")
    processor = JournalSpanProcessor(Journal(journal_dir, service_name))
    add_processor(processor)
    return Telemetry(
        tracer_provider=provider,
        own_provider=provider,
        tracer=provider.get_tracer(SCOPE, version("punie-trace")),
        processor=processor,
        clock=wall_clock_ns,
        _shutdown=processor.detach,
        attached=True,
    )


def configured_provider() -> trace.TracerProvider | None:
    """The process's global provider if somebody set one that takes span processors, else None."""
    provider = trace.get_tracer_provider()
    return provider if callable(getattr(provider, "add_span_processor", None)) else None


def no_metrics() -> metrics.MeterProvider:
    """A meter provider that drops everything: what we report is read from spans."""
    return metrics.NoOpMeterProvider()


def _ignore(_: object) -> None:
    return None
