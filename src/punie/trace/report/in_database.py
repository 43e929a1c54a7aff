"""What a database added up, as text and as JSON, with what was not computed said beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from punie.trace.report import rows
from punie.trace.report.json_document import plain
from punie.trace.report.terminal import WIDTH, on_terminal, write_table
from punie.trace.units import count_text, duration_text

if TYPE_CHECKING:
    from punie.trace.analysis.database_totals import DatabaseTotals

SCHEMA: Final = "punie.trace.in_database"
SCHEMA_VERSION: Final = 1
NOT_COMPUTED: Final = (
    "integrity",
    "verdicts",
    "intervals",
    "single queries",
    "tokens",
    "critical path",
    "prompt cache",
    "what-if",
)


def render_text(totals: DatabaseTotals, *, width: int = WIDTH, color: bool = False) -> str:
    """For a terminal, `width` columns wide."""
    return on_terminal(lambda console: _write(console, totals), width=width, color=color)


def _write(console: Console, totals: DatabaseTotals) -> None:
    console.print(Text(totals.source, style="bold"), soft_wrap=True)
    console.print(Text("added up in the database; only sums travelled"))
    if totals.answers:
        write_table(console, rows.breakdown(totals))
        mean = duration_text(totals.wall_ns / totals.answers)
        console.print(Text(f"\nmean wall time of a query: {mean}"))
    else:
        console.print(Text("\nNo answered query among them: no figures."))
    for line in _aside(totals):
        console.print(Text(line))
    console.print(Text(f"\nNot computed here: {', '.join(NOT_COMPUTED)}."))
    console.print(Text("Without --in-database the newest traces are read, and all of it is.", style="dim"))


def render_json(totals: DatabaseTotals) -> str:
    """One JSON document; all times are integer nanoseconds."""
    head = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "not_computed": NOT_COMPUTED}
    return json.dumps({**head, **plain(totals)}, indent=2, ensure_ascii=False) + "\n"


def _aside(totals: DatabaseTotals) -> list[str]:
    lines = [f"in no figure: {totals.warmup} warm-up, {totals.failed} failed"]
    if totals.needs_tree:
        more = ", …" if totals.needs_tree > len(totals.named) else ""
        lines.append(
            f"{count_text(totals.needs_tree, 'trace')} more can only be judged with the tree, and "
            f"{'is' if totals.needs_tree == 1 else 'are'} in no figure: {', '.join(totals.named)}{more}"
        )
    if totals.may_be_cut:
        lines.append("as many traces as limit= allows: there may be more")
    return lines
