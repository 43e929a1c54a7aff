"""A comparison as Markdown, for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.report import comparison_rows as rows
from punie.trace.report.markdown import escape, table_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.report.comparison_formats import ComparisonReport


def render(report: ComparisonReport) -> str:
    """The comparison as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: ComparisonReport) -> Iterator[str]:
    comparison = report.comparison
    yield "# A against B\n"
    for line in (*rows.side_lines(report), *report.notes):
        yield f"{escape(line)}  "
    yield "\n## Comparability\n"
    yield from (f"- {escape(line)}" for line in rows.comparability(comparison))
    yield from (f"- {escape(line)}" for line in rows.censored(comparison))
    yield "\n## Answer\n"
    yield from (f"{escape(line)}  " for line in rows.headline(comparison))
    yield ""
    yield from (f"- {escape(line)}" for line in rows.basis(comparison))
    for table in (
        rows.changes_table(comparison),
        rows.queries_table(comparison),
        rows.tokens_table(comparison),
    ):
        if table.rows:
            yield f"\n## {escape(table.title)}\n"
            yield from table_lines(table)
    if report.gate is not None:
        yield f"\n**gate {report.gate.gate.value}**: {escape(report.gate.reason)}"
