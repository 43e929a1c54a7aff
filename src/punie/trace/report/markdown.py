"""Markdown of the reports that aren't documents yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.report.writers.markdown import escape as escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.report import rows


def table_lines(table: rows.Table) -> Iterator[str]:
    """A table's lines, without its title."""
    yield "| " + " | ".join(map(escape, table.columns)) + " |"
    yield "| " + " | ".join("---:" if name in table.right else "---" for name in table.columns) + " |"
    for index, row in enumerate(table.rows):
        cells = [escape(cell.strip()) for cell in row]
        if index in table.strong:
            cells = [f"**{cell}**" if cell else "" for cell in cells]
        yield "| " + " | ".join(cells) + " |"
