"""`report --by`: a line a day or a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.analysis.summary.parts import By, namer, part_of, parts_of
from punie.trace.commands.reporting import Judgement, build_report, format_of, load_source, write_new
from punie.trace.commands.standard_streams import colored, write_err, write_out
from punie.trace.errors import ExitCode, UsageError
from punie.trace.report.by_part import parts_report
from punie.trace.report.parts import FORMATS, PartsReport, render_text

if TYPE_CHECKING:
    import argparse


def conclude_by_part(options: argparse.Namespace) -> int:
    """Read the spans and write their queries by part. Raises UsageError for gates, InputError as `report` does."""
    refuse_judgement("--by", options)
    format_of(options, FORMATS)
    loaded = load_source(options.source)
    report = build_report(loaded, Judgement(None, None), options.engine)
    records = (*report.analysis.warmup, *report.analysis.records)
    by = By(options.by)
    parts = parts_of(records, namer(by, loaded.spans.spans))
    return conclude_parts(parts_report(report, by, part_of("", records), parts), options)


def refuse_judgement(flag: str, options: argparse.Namespace) -> None:
    """Raises UsageError for what asks for a verdict."""
    if options.gate or options.target or options.max_memory:
        raise UsageError(f"{flag} gives no verdicts", remedy="leave --gate, --target and --max-memory out")


def conclude_parts(report: PartsReport, options: argparse.Namespace) -> int:
    """Write the parts where and how `options` say."""
    entry = format_of(options, FORMATS)
    if options.output is not None:
        write_new(options.output, entry.render(report), force=options.force)
        write_err(f"Wrote {options.output}\n")
    elif entry.name == "text":
        write_out(render_text(report, color=colored()))
    else:
        write_out(entry.render(report))
    return ExitCode.OK
