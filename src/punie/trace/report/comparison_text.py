"""A comparison for a terminal, 80 columns wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from punie.trace.analysis.comparison.change import Direction
from punie.trace.analysis.comparison.gate import Gate
from punie.trace.report import comparison_rows as rows
from punie.trace.report.terminal import WIDTH, on_terminal, write_table

if TYPE_CHECKING:
    from punie.trace.report.comparison_formats import ComparisonReport

_STYLES: Final = {
    Direction.SLOWER: "bold red",
    Direction.FASTER: "bold green",
    Direction.UNDECIDED: "bold yellow",
}
_GATE_STYLES: Final = {Gate.PASSED: "bold green", Gate.FAILED: "bold red", Gate.UNDECIDED: "bold yellow"}


def render(report: ComparisonReport, *, width: int = WIDTH, color: bool = False) -> str:
    """The comparison as text of at most `width` columns, with terminal colours if `color`."""
    return on_terminal(lambda console: _write(console, report), width=width, color=color)


def _write(console: Console, report: ComparisonReport) -> None:
    comparison = report.comparison
    for line in (*rows.side_lines(report), *report.notes):
        console.print(Text(line))
    _write_lines(console, "Comparability", rows.comparability(comparison))
    _write_lines(console, "Censored", rows.censored(comparison))
    console.print()
    first, *more = rows.headline(comparison)
    word, colon, rest = first.partition(":")
    console.print(Text.assemble((word, _STYLES.get(comparison.direction, "bold")), f"{colon}{rest}"))
    for line in (*more, *rows.basis(comparison)):
        console.print(Padding(Text(line), (0, 0, 0, 2)))
    for table in (
        rows.changes_table(comparison),
        rows.queries_table(comparison),
        rows.tokens_table(comparison),
    ):
        if table.rows:
            write_table(console, table)
    if report.gate is not None:
        gate = report.gate
        console.print(
            Text.assemble("\ngate ", (gate.gate.value, _GATE_STYLES[gate.gate]), f": {gate.reason}")
        )


def _write_lines(console: Console, title: str, lines: tuple[str, ...]) -> None:
    if lines:
        console.print(f"\n[bold]{title}[/]")
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 2)))
