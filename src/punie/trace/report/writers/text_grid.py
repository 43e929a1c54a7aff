"""Tables for a terminal: numbers right-aligned, never broken; a table that is too wide goes on below."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from rich.cells import cell_len
from rich.table import Table as Grid
from rich.text import Text

from punie.trace.report.document import Cell, Figure, Table
from punie.trace.report.writers.text_words import whole, words

_GAPS: Final = (2, 1)  # between columns; the smaller where the table doesn't fit else
_ID_START: Final = (r"\1…", re.compile("^([0-9a-f]{12})[0-9a-f]{20}"))
_ID_END: Final = (r"…\1", re.compile("^[0-9a-f]{20}([0-9a-f]{12})"))
_SHARE: Final = "share"  # the column that gets bars
_LEAST_BAR, _WIDEST_BAR = 8, 24
_LEAST_WORDS: Final = 12  # columns that a cell of words needs, to be broken over lines


def with_bars(table: Table, room: int) -> Table:
    """A table of shares with a bar for each behind it, where there is room for one."""
    if _SHARE not in table.columns or not table.rows:
        return table
    column = table.columns.index(_SHARE)
    shown = table.without_empty_columns()
    used = _least_width(shown, range(len(shown.columns)), gap=_GAPS[0], most=room)
    width = min(room - used - _GAPS[0], _WIDEST_BAR)
    if width < _LEAST_BAR:
        return table
    rows = tuple((*row, _bar(row[column], width)) for row in table.rows)
    return replace(table, columns=(*table.columns, ""), rows=rows)


def _bar(cell: Cell, width: int) -> str:
    """What is anything at all has half a column at least."""
    if not isinstance(cell, Figure) or not cell.value:
        return ""
    halves = max(1, round(min(cell.value, 1.0) * width * 2))
    return "█" * (halves // 2) + "▌" * (halves % 2)


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


def _least_width(table: Table, columns: Sequence[int], gap: int = _GAPS[-1], most: int = _LEAST_WORDS) -> int:
    return sum(_width(table, column, most=most) for column in columns) + gap * (len(columns) - 1)


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
    for replacement, pattern in (_ID_START, _ID_END):
        cut = [pattern.sub(replacement, name) for name in names]
        if len(set(cut)) == len(set(names)):
            rows = tuple((name, *row[1:]) for name, row in zip(cut, table.rows, strict=True))
            return replace(table, rows=rows)
    return table
