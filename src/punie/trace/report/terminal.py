"""Writing for a terminal: what every text report shares."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from punie.trace.report.rows import Table

WIDTH: Final = 80
_INDENT: Final = 2


def on_terminal(write: Callable[[Console], None], *, width: int = WIDTH, color: bool = False) -> str:
    """What `write` prints, as text of at most `width` columns, with terminal colours if `color`."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
    )
    write(console)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def write_table(console: Console, table: Table) -> None:
    """The table under its title."""
    console.print(f"\n[bold]{table.title}[/]")
    write_grid(console, table)


def write_grid(console: Console, table: Table) -> None:
    """The table without its title; its columns move together where they don't fit."""
    grid = _grid(table, gap=2)
    if grid.__rich_measure__(console, console.options.update(width=1000)).maximum > console.width - _INDENT:
        grid = _grid(table, gap=1)
    console.print(Padding(grid, (0, 0, 0, _INDENT)))


def _grid(table: Table, *, gap: int) -> RichTable:
    grid = RichTable(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    shown = _columns_with_text(table)
    for name in (table.columns[column] for column in shown):
        number = name in table.right
        grid.add_column(name, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for index, row in enumerate(table.rows):
        grid.add_row(*(Text(row[column]) for column in shown), style="bold" if index in table.strong else "")
    return grid


def _columns_with_text(table: Table) -> list[int]:
    """rich measures an empty column as nothing and then takes room for it, from words that it breaks."""
    return [
        column for column, name in enumerate(table.columns) if name or any(row[column] for row in table.rows)
    ]
