"""`report --in-database`: the sums that ClickHouse made itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from punie.trace.commands.reporting import colored, write_new
from punie.trace.errors import ExitCode, UsageError
from punie.trace.report.in_database import render_json, render_text
from punie.trace.store.clickhouse.in_database import total
from punie.trace.store.clickhouse.query import SCHEME
from punie.trace.store.place import without_password

if TYPE_CHECKING:
    import argparse


def conclude_in_database(options: argparse.Namespace) -> int:
    """Print or write the sums. Raises UsageError for a source that is no ClickHouse, gates, and other formats."""
    if not options.source.startswith(f"{SCHEME}://"):
        raise UsageError(f"--in-database: {without_password(options.source)} is no {SCHEME}:// URL")
    if options.engine != "auto":
        raise UsageError("--in-database: ClickHouse is the engine", remedy="leave --engine out")
    if options.gate or options.target or options.max_memory:
        raise UsageError(
            "--in-database gives no verdicts", remedy="leave --gate, --target and --max-memory out"
        )
    as_json = _is_json(options)
    totals = total(options.source)
    if options.output is not None:
        write_new(
            options.output, render_json(totals) if as_json else render_text(totals), force=options.force
        )
        sys.stderr.write(f"Wrote {options.output}\n")
    else:
        sys.stdout.write(render_json(totals) if as_json else render_text(totals, color=colored()))
    return ExitCode.OK


def _is_json(options: argparse.Namespace) -> bool:
    """Whether JSON is wanted, else text. Raises UsageError before anything is asked that can't be written."""
    if options.format in ("md", "csv"):
        raise UsageError(f"--in-database: no --format {options.format}", remedy="choose text or json")
    if options.output is not None and options.output.exists() and not options.force:
        raise UsageError(f"-o {options.output}: the file exists", remedy="add --force to overwrite it")
    return options.format == "json" or (
        not options.format and options.output is not None and options.output.suffix == ".json"
    )
