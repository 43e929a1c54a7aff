"""Estimates with their intervals on one axis, against thresholds: of a verdict, or a row each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from punie.trace.report.charts import Mark, Range, Ranges
from punie.trace.report.figures import Figure, Unit
from punie.trace.report.writers.html.axis import Scale, scale_of
from punie.trace.report.writers.html.markup import Markup, tag
from punie.trace.report.writers.html.svg import drawing, grid, ruler
from punie.trace.report.writers.html.tables import raw

_ROW: Final = 22  # pixels
_APART: Final = 5
_CARD: Final = 20


def draw_ranges(chart: Ranges) -> Markup:
    """A row each, on an axis that all of them share."""
    unit = chart.rows[0].figure.unit
    scale = _scale(
        [row.figure for row in chart.rows] + [r.beside for r in chart.rows if r.beside],
        chart.marks,
        from_zero=chart.as_bars,
    )
    rows = [
        tag(
            "tr",
            tag("th", row.label, scope="row"),
            tag("td", _row(row, scale, chart), class_="drawn"),
            tag("td", row.figure.shown, class_="n", data_v=raw(row.figure)),
            tag("td", row.beside.shown, class_="n", data_v=raw(row.beside)) if row.beside else None,
        )
        for row in chart.rows
    ]
    axis = tag("tr", tag("td"), tag("td", ruler(scale, unit, chart.marks), class_="drawn"), tag("td"))
    body = tag("table", tag("tbody", *rows), tag("tfoot", axis), class_="chart", aria_label=chart.title)
    return tag("figure", _names(chart.names), body, class_="ranges")


def draw_range(figure: Figure, marks: Sequence[Mark], title: str) -> Markup | None:
    """One estimate by itself, with its axis below; None where there is nothing to draw."""
    if figure.value is None or not (marks or figure.low is not None):
        return None
    scale = _scale([figure], marks, from_zero=True)
    parts = (*grid(scale, _CARD, marks, most=3), *_estimate(figure, scale, _CARD // 2))
    return tag(
        "div",
        drawing(parts, height=_CARD, title=title, class_="range"),
        ruler(scale, figure.unit, marks, most=3),
        class_="against",
    )


def _scale(figures: Sequence[Figure], marks: Sequence[Mark], *, from_zero: bool) -> Scale:
    """Shares from 0 to 1, whatever they are; everything else as far as its values go."""
    values = [value for f in figures for value in (f.value, f.low, f.high) if value is not None]
    values += [mark.value for mark in marks]
    if figures[0].unit is Unit.SHARE and all(0 <= value <= 1 for value in values):
        return Scale(0.0, 1.0)
    return scale_of(values, from_zero=from_zero and figures[0].unit is not Unit.RATIO)


def _row(row: Range, scale: Scale, chart: Ranges) -> Markup:
    apart = _APART if row.beside is not None and row.beside.low is not None else 0  # two intervals, two lines
    middle = _ROW // 2
    parts = [
        *grid(scale, _ROW, chart.marks),
        *_estimate(row.figure, scale, middle - apart, as_bar=chart.as_bars),
    ]
    if row.beside is not None and row.beside.value is not None:
        parts += _estimate(row.beside, scale, middle + apart, class_="beside")
        if chart.names and row.figure.value is not None and row.figure.low is None:
            ends = {"x1": scale.at(row.figure.value), "x2": scale.at(row.beside.value)}
            parts.insert(-1, tag("line", class_="between", y1=middle, y2=middle, **ends))
    title = f"{row.label}: {row.figure}" + (f", {row.beside}" if row.beside else "")
    return drawing(parts, height=_ROW, title=title, class_="range")


def _estimate(
    figure: Figure, scale: Scale, middle: int, *, as_bar: bool = False, class_: str = ""
) -> Iterator[Markup]:
    if as_bar and figure.value is not None:
        start, end = sorted((0.0, figure.value))
        width = f"{float(scale.at(end)[:-1]) - float(scale.at(start)[:-1]):.2f}%"
        yield tag("rect", class_="length", x=scale.at(start), width=width, y=middle - 5, height=10, rx=2)
    if figure.low is not None and figure.high is not None:
        ends = {"x1": scale.at(figure.low), "x2": scale.at(figure.high)}
        yield tag("line", class_=f"interval {class_}".strip(), y1=middle, y2=middle, **ends)
        for place in ends.values():
            yield tag(
                "line", class_=f"tip {class_}".strip(), x1=place, x2=place, y1=middle - 4, y2=middle + 4
            )
    if figure.value is not None:
        yield tag("circle", class_=f"estimate {class_}".strip(), cx=scale.at(figure.value), cy=middle, r=4.5)


def _names(names: Sequence[str]) -> Markup | None:
    if not names:
        return None
    items = (
        tag("li", tag("svg", tag("circle", class_=class_, cx=6, cy=6, r=4.5), width=12, height=12), name)
        for name, class_ in zip(names, ("estimate", "estimate beside"), strict=False)
    )
    return tag("ul", *items, class_="legend")
