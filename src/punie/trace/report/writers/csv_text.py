"""Any report as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from punie.trace.report.document import Figure, FlatTable, Value
from punie.trace.report.inert import inert

if TYPE_CHECKING:
    from punie.trace.report.document import Cell, Document, Section
    from punie.trace.report.page import Page

_FIGURES: Final = ("section", "row", "column", "value", "low", "high", "unit", "text")
_FORMULA: Final = frozenset("=+-@")  # with what a spreadsheet takes a cell's text for a formula


def write(document: Document, page: Page) -> str:
    """A header and the report's rows; without such a line a cell of each table. What isn't known is empty."""
    rows = document.rows() if document.rows else FlatTable(_FIGURES, tuple(_figures(document)))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows([_plain(value) for value in row] for row in rows.rows)
    return out.getvalue()


def _plain(value: Value) -> Value:
    """Text that nothing executes, truth as JSON writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    text = inert(value)
    # of full width and of small form they are the same
    first = unicodedata.normalize("NFKC", text.lstrip()[:1])
    return f"'{text}" if first in _FORMULA else text


def _figures(document: Document) -> Iterator[tuple[Value, ...]]:
    for section in document.sections:
        for answer in section.answers:
            yield (section.slug, answer.slug, answer.verdict.value, *_cell(answer.figure))
        yield from _table(section)


def _table(section: Section) -> Iterator[tuple[Value, ...]]:
    table = section.table
    for row in table.rows if table else ():
        for column, cell in zip(table.columns[1:] if table else (), row[1:], strict=True):
            yield (section.slug, str(row[0]).strip(), column, *_cell(cell))


def _cell(cell: Cell) -> tuple[Value, ...]:
    if isinstance(cell, Figure):
        return (cell.value, cell.low, cell.high, cell.unit.value, cell.shown)
    return (None, None, None, None, cell)
