"""Where spans go: to the journal of this process, and to nothing else.

Sending is the shipper's business, whatever the environment says of exporters and samplers: one way out, which counts
what it delivers. The provider is no global one, so a user's own (`logfire.configure()`, say) can't replace it and ours
can't replace theirs; nothing in the process is patched for it. Where a user has a provider, the journal is added to it,
and its exporters get our spans too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from opentelemetry import trace

from punie.trace import semconv
from punie.trace.telemetry.clock import Clock, wall_clock_ns
from punie.trace.telemetry.journal.journal import Journal
from punie.trace.telemetry.journal.processor import JournalSpanProcessor
from punie.trace.telemetry.journal.spans import JournalTracerProvider
from punie.trace.telemetry.resource import process_resource

SCOPE: Final = "punie.trace"
_WHOLE: Final = ("AlwaysOn", "ParentBased{root:AlwaysOn")
_logger: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Telemetry:
    """A handle on the write side. `shutdown` ends it: spans that end later are lost.

    `attached`: the provider is the user's, which lives on and may export elsewhere.
    """

    tracer_provider: trace.TracerProvider
    tracer: trace.Tracer
    processor: JournalSpanProcessor
    clock: Clock
    attached: bool = False

    def __repr__(self) -> str:
        status = self.journal.status
        missing = status.lost + status.held
        lost = f", {missing} not written: {status.last_error}" if missing else ""
        return f"<{status.written} spans in {self.journal.path}{lost}>"

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
        if self.attached:
            self.processor.detach()
        else:
            self.journal.close()


def configure(
    journal_dir: Path | str,
    service_name: str = semconv.SERVICE_AGENT,
    *,
    resource_attributes: Mapping[str, str | int] | None = None,
    clock: Clock = wall_clock_ns,
) -> Telemetry:
    """A provider of our own, whose every ended span is in the journal.

    `clock` gives nanoseconds since the epoch. Raises `ExportError` if `journal_dir` can't be written.
    """
    telemetry = configure_unopened(
        journal_dir, service_name, resource_attributes=resource_attributes, clock=clock
    )
    telemetry.journal.open()
    return telemetry


def configure_unopened(
    journal_dir: Path | str,
    service_name: str,
    *,
    resource_attributes: Mapping[str, str | int] | None = None,
    clock: Clock = wall_clock_ns,
) -> Telemetry:
    """As `configure`, for a program that has to go on where nothing can be written: the first span makes the file."""
    processor = JournalSpanProcessor(Journal(journal_dir, service_name))
    own_version = version("punie-trace")
    resource = process_resource(service_name, own_version, resource_attributes)
    provider = JournalTracerProvider(resource, processor, clock=clock)
    return Telemetry(provider, provider.get_tracer(SCOPE, own_version, semconv.SCHEMA_URL), processor, clock)


def attach(
    provider: trace.TracerProvider, journal_dir: Path | str, service_name: str = semconv.SERVICE_AGENT
) -> Telemetry:
    """Add a journal to a provider that the process has already; its own exporters stay as they are.

    The first span makes the file. Raises `TypeError` if the provider takes no span processors.
    """
    add_processor = getattr(provider, "add_span_processor", None)
    if add_processor is None:
        raise TypeError(f"{type(provider).__name__} takes no span processors")
    _warn_of_sampling(provider)
    processor = JournalSpanProcessor(Journal(journal_dir, service_name))
    add_processor(processor)
    tracer = provider.get_tracer(SCOPE, version("punie-trace"), semconv.SCHEMA_URL)
    return Telemetry(provider, tracer, processor, wall_clock_ns, attached=True)


def _warn_of_sampling(provider: trace.TracerProvider) -> None:
    """Say that runs will be missing: what the program's own sampler leaves out reaches no processor."""
    describe = getattr(getattr(provider, "sampler", None), "get_description", None)
    if describe is not None and not str(described := describe()).startswith(_WHOLE):
        _logger.warning("this program samples its traces (%s): runs left out are in no report", described)


def configured_provider() -> trace.TracerProvider | None:
    """The process's global provider if somebody set one that takes span processors, else None."""
    provider = trace.get_tracer_provider()
    return provider if callable(getattr(provider, "add_span_processor", None)) else None
