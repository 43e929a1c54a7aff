"""Tables: the data of the page. Numbers carry their raw value, by which the page sorts and tests read them."""

from __future__ import annotations

from collections.abc import Callable

from punie.trace.report.document import Cell, Figure, Table
from punie.trace.report.writers.html.markup import Markup, tag
from punie.trace.report.writers.html.terms import term, with_findings


def table(
    shown: Table, *, labelled_by: str | None = None, caption: str | None = None, rows_are_terms: bool = True
) -> Markup:
    """The table, in a box that scrolls sideways where the page is too narrow.

    The names of rows are links to what they mean, unless they name facts of the run (`model` is a phase elsewhere).
    """
    shown = shown.without_empty_columns()
    numbers = [column > 0 and shown.is_number(column) for column in range(len(shown.columns))]
    head = tag("tr", *(_heading(name, is_number=n) for name, n in zip(shown.columns, numbers, strict=True)))
    rows = [
        tag(
            "tr",
            *_cells(row, numbers, term if rows_are_terms else str),
            class_="strong" if index in shown.strong else None,
        )
        for index, row in enumerate(shown.rows)
    ]
    title = tag("caption", caption) if caption else None
    body = tag(
        "table",
        title,
        tag("thead", head),
        tag("tbody", *rows),
        class_="data",
        aria_labelledby=labelled_by,
    )
    return tag("div", body, class_="scroll")


def raw(figure: Figure) -> str | None:
    """A figure's number with its unit, as attributes carry it; None where it isn't known."""
    if figure.value is None:
        return None
    return (
        f"{figure.value if isinstance(figure.value, int) else repr(float(figure.value))}{figure.unit.value}"
    )


def _heading(name: str, *, is_number: bool) -> Markup:
    if not name:
        return tag("td")
    return tag("th", term(name), scope="col", class_="n" if is_number else None)


def _cells(row: tuple[Cell, ...], numbers: list[bool], name: Callable[[str], str]) -> list[Markup]:
    first, *rest = row
    label = str(first)
    is_part = label != label.lstrip()
    head = tag("th", name(label.strip()), scope="row", class_="part" if is_part else None)
    return [head, *(_cell(cell, is_number=n) for cell, n in zip(rest, numbers[1:], strict=True))]


def _cell(cell: Cell, *, is_number: bool) -> Markup:
    class_ = "n" if is_number else None
    if isinstance(cell, Figure):
        return tag("td", cell.shown, class_=class_, data_v=raw(cell))
    return tag("td", with_findings(cell, str), class_=class_)
