"""The report as Markdown, to hand to others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from punie.trace.report import rows
from punie.trace.report.cache_section import bill_lines, cache_table
from punie.trace.report.integrity_section import flaws
from punie.trace.report.path_section import path_line, path_tables
from punie.trace.report.what_if_section import what_if_lines, what_if_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.analysis.path.path_summary import PathSummary
    from punie.trace.analysis.what_if.prediction import WhatIf
    from punie.trace.report.content import Report


def render(report: Report) -> str:
    """The report as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    about, analysis = report.about, report.analysis
    yield f"# {escape(about.run_id or about.source)}\n"
    for line in rows.headline(about, analysis):
        yield f"{escape(line)}  "
    yield "\n## Integrity\n"
    problems = flaws(analysis)
    for flaw in problems:
        yield f"- {escape(flaw.line)}"
        yield from (f"  - {escape(example)}" for example in flaw.examples)
    if not problems:
        yield f"Nothing wrong in {rows.amount(about)}."
    if (known := rows.known_from_line(analysis)) is not None:
        yield f"\n{escape(known[0].upper() + known[1:])}."
    yield "\n## Verdicts\n"
    yield from table_lines(
        rows.Table(
            "",
            ("question", "verdict", "figure", "basis", "next step"),
            tuple(
                (rows.QUESTIONS[f.name], f.verdict.value, rows.estimate_text(f), f.basis, f.next_step)
                for f in analysis.verdicts.values()
            ),
            frozenset({"figure"}),
        )
    )
    for table in _tables(report):
        yield f"\n## {escape(table.title)}\n"
        yield from table_lines(table)
    yield from _path(analysis.critical_path)
    cache = cache_table(analysis.cache)
    if cache.rows:
        yield f"\n## {escape(cache.title)}\n"
        yield from table_lines(cache)
        yield ""
        yield from (f"- {escape(line)}" for line in bill_lines(analysis.cache))
    yield from _what_if(analysis.what_if)
    if analysis.failed:
        yield "\n## Failed, in no average\n"
        yield from (f"- {escape(line)}" for line in rows.failures(analysis))


def _path(summary: PathSummary | None) -> Iterator[str]:
    line = path_line(summary)
    if line:
        yield f"\n{escape(line)}"
    for explained in path_tables(summary):
        yield f"\n## {escape(explained.table.title)}\n"
        yield from table_lines(explained.table)
        yield ""
        yield from (f"- {escape(line)}" for line in explained.lines)


def _what_if(found: WhatIf | None) -> Iterator[str]:
    table, lines = what_if_table(found), what_if_lines(found)
    if not lines:
        return
    yield f"\n## {escape(table.title)}\n"
    if table.rows:
        yield from table_lines(table)
        yield ""
    yield from (f"- {escape(line)}" for line in lines)


def _tables(report: Report) -> Iterator[rows.Table]:
    analysis = report.analysis
    if analysis.totals is not None:
        yield rows.breakdown(analysis.totals)
    if analysis.records:
        yield rows.queries(analysis)
    spread = rows.speed(analysis)
    if spread.rows:
        yield spread


def table_lines(table: rows.Table) -> Iterator[str]:
    """A table's lines, without its title."""
    yield "| " + " | ".join(map(escape, table.columns)) + " |"
    yield "| " + " | ".join("---:" if name in table.right else "---" for name in table.columns) + " |"
    for index, row in enumerate(table.rows):
        cells = [escape(cell.strip()) for cell in row]
        if index in table.strong:
            cells = [f"**{cell}**" if cell else "" for cell in cells]
        yield "| " + " | ".join(cells) + " |"


def escape(text: str) -> str:
    """`text` as literal Markdown on one line: it may be a model's words."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
