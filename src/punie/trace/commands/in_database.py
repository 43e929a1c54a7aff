"""`report --in-database`: the sums that ClickHouse made itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.analysis.summary.parts import By
from punie.trace.commands.by_part import refuse_judgement
from punie.trace.commands.output import Output
from punie.trace.errors import ExitCode, UsageError
from punie.trace.report.builders.parts import build_totals
from punie.trace.store.clickhouse.in_database import total
from punie.trace.store.clickhouse.query import SCHEME
from punie.trace.store.files.place import without_password

if TYPE_CHECKING:
    import argparse


def conclude_in_database(options: argparse.Namespace) -> int:
    """Print or write the sums. Raises UsageError for a source that is no ClickHouse, and for gates."""
    if not options.source.startswith(f"{SCHEME}://"):
        raise UsageError(f"--in-database: {without_password(options.source)} is no {SCHEME}:// URL")
    refuse_judgement("--in-database", options)
    output = Output.of(options)  # refused before anything is asked
    output.write(build_totals(total(options.source, By(options.by) if options.by else None)))
    return ExitCode.OK
