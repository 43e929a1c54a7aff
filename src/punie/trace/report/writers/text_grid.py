"""Tables for a terminal: numbers right-aligned, never broken; a table that is too wide goes on below."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.table import Table as Grid
from rich.text import Text

from punie.trace.report.document import Figure
from punie.trace.report.writers.text_words import whole, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from punie.trace.report.document import Cell, Table

_GAPS: Final = (2, 1)  # between columns; the smaller where the table doesn't fit else
_ID_START: Final = (r"\1…", re.compile("^([0-9a-f]{12})[0-9a-f]{20}"))
_ID_END: Final = (r"…\1", re.compile("^[0-9a-f]{20}([0-9a-f]{12})"))
_LEAST_WORDS: Final = 12  # columns that a cell of words needs, to be broken over lines


def fitting(table: Table, room: int) -> Iterator[Table]:
    """The table, or as few as there is room for with about as many columns in each; every one has the first column."""
    table = _with_short_ids(table.without_empty_columns())
    columns = range(1, len(table.columns))
    for parts in range(1, len(columns) + 1):
        size = -(-len(columns) // parts)
        split = [columns[start : start + size] for start in range(0, len(columns), size)]
        if all(_least_width(table, (0, *some)) <= room for some in split):
            break
    yield from (table.with_columns((0, *some)) for some in split) if columns else (table,)


def _least_width(table: Table, columns: Sequence[int]) -> int:
    return sum(_width(table, column, most=_LEAST_WORDS) for column in columns) + _GAPS[-1] * (
        len(columns) - 1
    )


def _width(table: Table, column: int, *, most: int) -> int:
    """Columns of text that the table's column takes; words may be broken from `most` on, numbers never."""
    cells = [table.columns[column], *(str(row[column]) for row in table.rows)]
    widest = max(map(cell_len, cells))
    return widest if table.is_number(column) else min(widest, most)


def grid(table: Table, room: int) -> Grid:
    """The table for rich; its columns move together where they don't fit."""
    widest = sum(_width(table, column, most=room) for column in range(len(table.columns)))
    gap = next((gap for gap in _GAPS if widest + gap * (len(table.columns) - 1) <= room), _GAPS[-1])
    shown = Grid(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for column, name in enumerate(table.columns):
        number = table.is_number(column)
        shown.add_column(
            Text(words(name)), justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    for index, row in enumerate(table.rows):
        shown.add_row(*map(_cell, row), style="bold" if index in table.strong else "")
    return shown


def _cell(cell: Cell) -> Text:
    return Text(whole(cell.shown) if isinstance(cell, Figure) else words(cell))


def _with_short_ids(table: Table) -> Table:
    """Trace ids in the first column cut, if they still differ: a whole one takes half a line."""
    names = [str(row[0]) for row in table.rows]
    for kept, pattern in (_ID_START, _ID_END):
        cut = [pattern.sub(kept, name) for name in names]
        if len(set(cut)) == len(set(names)):
            rows = tuple((name, *row[1:]) for name, row in zip(cut, table.rows, strict=True))
            return replace(table, rows=rows)
    return table
