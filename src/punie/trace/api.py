"""What `punie.trace` offers to programs and notebooks: what the commands do, as functions.

Importing this costs next to nothing: each function loads what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_ai.agent import AbstractAgent

    from punie.trace.analysis.comparison.compare import Comparison
    from punie.trace.analysis.summary.summary import RunAnalysis
    from punie.trace.report.document import Document
    from punie.trace.telemetry.provider import Telemetry
    from punie.trace.usecases.load import LoadedSource

Source = str | PathLike[str]
"""Where spans are: whatever `punie-trace report` takes, a path or a URL."""


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """A report as data: `document` is what every format is written from."""

    document: Document

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{answer.slug}: {answer.verdict}" for answer in self.document.answers)
        return f"<report of {self.document.title}; {verdicts or 'no verdicts'}>"

    def _repr_markdown_(self) -> str:
        """What a notebook shows: the whole report, with its tables."""
        return render(self, "md")


@dataclass(frozen=True, slots=True, repr=False)
class RunReport(Report):
    """Where the time of queries went. `analysis` has every figure, in nanoseconds, tokens and shares."""

    analysis: RunAnalysis


@dataclass(frozen=True, slots=True, repr=False)
class ComparisonReport(Report):
    """Two sides beside each other. `comparison` has every figure and its interval."""

    comparison: Comparison


def read_spans(source: Source) -> LoadedSource:
    """The spans of a run folder, a file, a folder of files, Jaeger or ClickHouse.

    Raises `punie.trace.errors.InputError` if `source` holds none, and names what is wrong with it.
    """
    from punie.trace.usecases.load import load_source

    return load_source(fspath(source))


def analyse(
    spans: Source | LoadedSource, *, target_s: float | None = None, max_memory_bytes: int | None = None
) -> RunReport:
    """The ledger and the verdicts of every query in `spans`, which may also be their source.

    `target_s` is the time to stay under and `max_memory_bytes` the server's limit: by default what the run was started
    with. Raises as `read_spans`.
    """
    from punie.trace.report.builders.run import build_run
    from punie.trace.units import NS_PER_S
    from punie.trace.usecases.run_report import VerdictTargets, build_report

    loaded = read_spans(spans) if isinstance(spans, str | PathLike) else spans
    target_ns = None if target_s is None else round(target_s * NS_PER_S)
    report = build_report(loaded, VerdictTargets(target_ns, max_memory_bytes))
    return RunReport(build_run(report), report.analysis)


def compare(a: Source | Sequence[Source], b: Source | Sequence[Source]) -> ComparisonReport:
    """How much slower or faster `b` is than `a`, by query and by phase, with intervals; each may be several sources.

    Raises as `read_spans`, and `punie.trace.errors.UsageError` for sources that share answers.
    """
    from punie.trace.report.builders.comparison import build_comparison
    from punie.trace.usecases.comparison import compare_sources

    report = compare_sources(_texts(a), _texts(b))
    return ComparisonReport(build_comparison(report), report.comparison)


def render(report: Report, format: str = "text", *, width: int = 80) -> str:  # noqa: A002 # the command's word
    """A report as `text`, `md`, `json`, `csv` or `html`; `width` is for text, in columns.

    Raises `punie.trace.errors.UsageError` for another format.
    """
    from punie.trace.errors import UsageError
    from punie.trace.report.formats import FORMATS, by_name
    from punie.trace.report.page import Page

    known = ", ".join(entry.name for entry in FORMATS if not entry.is_binary)
    try:
        chosen = by_name(format)
    except KeyError:
        raise UsageError(f"format {format}: there is none", remedy=f"one of {known}") from None
    if chosen.is_binary:
        raise UsageError(f"format {format}: is no text", remedy=f"`punie-trace report -o`, or one of {known}")
    return chosen.write(report.document, Page(width))


def instrument(
    agent: AbstractAgent[Any, Any], *, journal_dir: Source | None = None, service_name: str = "agent"
) -> Telemetry:
    """Record every run of a PydanticAI `agent`: the agent, its model requests, their HTTP, its tools, the parsing.

    Spans go to `journal_dir`, by default `runs/TIME-NAME/spans` under the working directory; agents that are
    instrumented without one share the first one's. Where nothing can be written the program goes on, and a log line
    says what is lost. If the process has a tracer provider (its own `logfire.configure()`, say, called before), the
    journal is added to it and what it exports stays as it is. Prompts and answers are in the journal, which is local.
    Doing it twice changes nothing but where the spans go. The handle that is returned ends it with `shutdown()`.
    """
    from punie.trace.telemetry.instrument import instrument as instrument_agent

    folder = None if journal_dir is None else fspath(journal_dir)
    return instrument_agent(agent, journal_dir=folder, service_name=service_name)


def uninstrument(agent: AbstractAgent[Any, Any]) -> None:
    """Runs of `agent` that start from now on are not recorded by us."""
    from punie.trace.telemetry.instrument import uninstrument as uninstrument_agent

    uninstrument_agent(agent)


def _texts(sources: Source | Sequence[Source]) -> tuple[str, ...]:
    several = (sources,) if isinstance(sources, str | PathLike) else sources
    return tuple(fspath(source) for source in several)
