"""`report --by`: a line a day or a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.analysis.summary.parts import By, namer, part_of, parts_of
from punie.trace.commands.output import Output
from punie.trace.commands.reporting import Judgement, build_report, load_source
from punie.trace.errors import ExitCode, UsageError
from punie.trace.report.builders.parts import build_parts

if TYPE_CHECKING:
    import argparse


def conclude_by_part(options: argparse.Namespace) -> int:
    """Read the spans and write their queries by part. Raises UsageError for gates, InputError as `report` does."""
    refuse_judgement("--by", options)
    output = Output.of(options)
    loaded = load_source(options.source)
    report = build_report(loaded, Judgement(None, None))
    records = (*report.analysis.warmup, *report.analysis.records)
    by = By(options.by)
    parts = parts_of(records, namer(by, loaded.spans.spans))
    output.write(build_parts(report, part_of("", records), by, parts))
    return ExitCode.OK


def refuse_judgement(flag: str, options: argparse.Namespace) -> None:
    """Raises UsageError for what asks for a verdict."""
    if options.gate or options.target or options.max_memory:
        raise UsageError(f"{flag} gives no verdicts", remedy="leave --gate, --target and --max-memory out")
