"""The report for a terminal, 80 columns wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from punie.trace.model import Verdict
from punie.trace.report import rows
from punie.trace.report.cache_section import bill_lines, cache_table
from punie.trace.report.integrity_section import flaws
from punie.trace.report.path_section import path_line, path_tables
from punie.trace.report.terminal import WIDTH, on_terminal, write_table
from punie.trace.report.what_if_section import what_if_lines, what_if_table

if TYPE_CHECKING:
    from punie.trace.analysis.verdicts.assessment import Assessment
    from punie.trace.report.content import Report

_STYLES: Final = {Verdict.YES: "bold green", Verdict.NO: "bold red", Verdict.UNDECIDED: "bold yellow"}


def render(report: Report, *, width: int = WIDTH, color: bool = False) -> str:
    """The report as text of at most `width` columns, with terminal colours if `color`."""
    return on_terminal(lambda console: _write(console, report), width=width, color=color)


def _write(console: Console, report: Report) -> None:
    analysis = report.analysis
    console.print(Text(report.about.source, style="bold"), soft_wrap=True)
    for line in rows.headline(report.about, analysis):
        console.print(Text(line))
    _write_integrity(console, report)
    if analysis.records:
        write_table(console, rows.with_short_ids(rows.queries(analysis)))
    if analysis.totals is not None:
        write_table(console, rows.breakdown(analysis.totals))
    spread = rows.speed(analysis)
    if spread.rows:
        write_table(console, spread)
    _write_path(console, report)
    _write_cache(console, report)
    _write_what_if(console, report)
    if analysis.failed:
        console.print("\n[bold]Failed, in no average[/]")
        for line in rows.failures(analysis):
            console.print(Padding(Text(line), (0, 0, 0, 2)))
    console.print("\n[bold]Verdicts[/]")
    for finding in analysis.verdicts.values():
        _write_verdict(console, finding)


def _write_path(console: Console, report: Report) -> None:
    line = path_line(report.analysis.critical_path)
    if line:
        console.print(Text(f"\n{line}"))
    for explained in path_tables(report.analysis.critical_path):
        write_table(console, explained.table)
        for line in explained.lines:
            console.print(Padding(Text(line), (0, 0, 0, 2)))


def _write_cache(console: Console, report: Report) -> None:
    table = cache_table(report.analysis.cache)
    if not table.rows:
        return
    write_table(console, table)
    for line in bill_lines(report.analysis.cache):
        console.print(Padding(Text(line), (0, 0, 0, 2)))


def _write_what_if(console: Console, report: Report) -> None:
    table, lines = what_if_table(report.analysis.what_if), what_if_lines(report.analysis.what_if)
    if table.rows:
        write_table(console, table)
    elif lines:
        console.print(f"\n[bold]{table.title}[/]")
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 2)))


def _write_integrity(console: Console, report: Report) -> None:
    found = flaws(report.analysis)
    about = report.about
    known = rows.known_from_line(report.analysis)
    if not found:
        console.print(f"integrity: nothing wrong in {rows.amount(about)}")
    else:
        console.print(f"\n[bold]Integrity[/]: {rows.amount(about)}")
    for flaw in found:
        console.print(Padding(Text(flaw.line), (0, 0, 0, 2)))
        for example in flaw.examples:
            console.print(Padding(Text(example), (0, 0, 0, 4)))
    if known:
        console.print(Padding(Text(known), (0, 0, 0, 2)))


def _write_verdict(console: Console, finding: Assessment) -> None:
    head = Text.assemble(
        f"  {rows.QUESTIONS.get(finding.name, finding.name):<18} ",
        (f"{finding.verdict.value:<10}", _STYLES[finding.verdict]),
        f" {rows.estimate_text(finding)}",
    )
    console.print(head)
    console.print(Padding(Text(finding.basis), (0, 0, 0, 4)))
    if finding.next_step:
        console.print(Padding(Text(f"→ {finding.next_step}", style="dim"), (0, 0, 0, 4)))
