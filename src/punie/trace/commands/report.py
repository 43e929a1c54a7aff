"""`report`: say again where the time of a run went, from its spans alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.commands.options import GateOptions, OutputOptions, content_flag, gone_flag
from punie.trace.errors import UsageError
from punie.trace.garbage import without_collections
from punie.trace.options import argument, choice, group, switch, why_no_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie.trace.report.content import RunContent
    from punie.trace.report.document import Document
    from punie.trace.usecases.load import LoadedSource

HELP: Final = "show where the time of a recorded run went"
DESCRIPTION: Final = (
    "Computes the ledger and the verdicts from spans, wherever they are. "
    "Nothing that `run` derived is read: the spans are the source of every report."
)
EXAMPLES: Final = (
    "report runs/2026-11-23T14-05-09-demo",
    "report spans.jsonl --format json --gate generation,target",
    "report runs/monday runs/tuesday -o week.html",
    "report improvements/2026-11-30T14-05-09-demo",
)
BY: Final = ("day", "model")  # as analysis.summary.parts.By, which --help doesn't import


@dataclass(frozen=True, slots=True)
class Options:
    """What `report` was asked for."""

    sources: tuple[str, ...] = argument(
        "SOURCE",
        "several are read together, each with its own server starts: a run folder; a file of OTLP JSON, OTLP "
        "protobuf, Jaeger, Zipkin, Tempo or Langfuse JSON (also packed with "
        "gzip or zstd) or Parquet; a folder of such files; jaeger://HOST:16686?service=NAME&lookback=1h&limit=1000; or "
        "clickhouse://USER@HOST/DB?service=NAME&since=1h&limit=1000. A folder of bench or improve by itself",
        nargs="+",
    )
    engine: None = gone_flag("--engine", "leave it out: nothing has to be chosen any more")
    in_database: bool = switch(
        "--in-database",
        "of clickhouse://… or Parquet: the database (of files: DuckDB) sums the ledgers of all traces, and only the "
        "sums travel; no verdicts, no integrity, no critical path",
    )
    by: str | None = choice(
        "--by",
        BY,
        "a line a day (UTC) or a model instead: queries, their mean, p50 and p95, the share of generation, seconds "
        "in each phase; also with --in-database",
    )
    content: bool = content_flag()
    judgement: GateOptions = group("judgement", GateOptions)
    output: OutputOptions = group("output", OutputOptions)


@without_collections()
def execute(options: Options) -> int:
    """Write the report; returns the gates' exit code."""
    from punie.trace.commands.gates import gate
    from punie.trace.commands.output import Output
    from punie.trace.report.formats import Material

    folder = _measured_folder(options)
    if options.in_database or options.by or folder:
        _refuse_judgement(options, folder)
    has = () if options.in_database or options.by else (Material.VERDICTS,) if folder else tuple(Material)
    output = Output.of(options.output, has, options.judgement.gate)  # refused before anything is read
    document = _of_folder(folder) if folder else _document(options)
    output.write(document.with_content() if options.content else document)
    return gate(document, options.judgement.gate)


def _measured_folder(options: Options) -> Path | None:
    """The one source, if it is a folder of `bench` or `improve`: a report of its own, not of queries."""
    source, *others = options.sources
    if others or options.in_database or options.by or not _is_folder(source):
        return None
    from punie.trace.usecases.measured_folder import is_measured_folder

    return Path(source) if is_measured_folder(Path(source)) else None


def _is_folder(source: str) -> bool:
    return not why_no_path(Path(source)) and Path(source).is_dir()


def _of_folder(folder: Path) -> Document:
    from punie.trace.usecases.measured_folder import measured_document

    return measured_document(folder)


def _document(options: Options) -> Document:
    if options.in_database:
        return _added_up(options)
    from punie.trace.report.builders.run import build_run
    from punie.trace.usecases.load import load_several
    from punie.trace.usecases.run_report import VerdictTargets, build_report_of_several

    sources = load_several(options.sources)
    judgement = VerdictTargets(options.judgement.target_ns, options.judgement.max_memory_bytes)
    report = build_report_of_several(sources, judgement)
    return _by_part(report, sources, options.by) if options.by else build_run(report)


def _by_part(report: RunContent, sources: Sequence[LoadedSource], by: str) -> Document:
    from punie.trace.analysis.summary.parts import GroupBy, namer, part_of, parts_of
    from punie.trace.report.builders.parts import build_parts

    records = (*report.analysis.warmup, *report.analysis.records)
    spans = [span for loaded in sources for span in loaded.spans.spans]
    parts = parts_of(records, namer(GroupBy(by), spans))
    return build_parts(report, part_of("", records), GroupBy(by), parts)


def _added_up(options: Options) -> Document:
    from punie.trace.analysis.summary.parts import GroupBy
    from punie.trace.report.builders.parts import build_totals
    from punie.trace.usecases.in_database import added_up

    return build_totals(added_up(options.sources, GroupBy(options.by) if options.by else None))


def _refuse_judgement(options: Options, folder: Path | None) -> None:
    """Sums have no verdict to be judged, and what was measured is judged as it was planned."""
    if options.judgement != GateOptions() and folder is not None:
        raise UsageError(
            f"{folder}: is judged by what it was planned with",
            remedy="leave --gate, --target and --max-memory out",
        )
    if options.judgement != GateOptions():
        flag = "--in-database" if options.in_database else "--by"
        raise UsageError(f"{flag} gives no verdicts", remedy="leave --gate, --target and --max-memory out")
