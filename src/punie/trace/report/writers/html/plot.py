"""Points over two axes, with their intervals; the table below it says the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from punie.trace.report.charts import Axis, Plot, Point, Series
from punie.trace.report.document import Table
from punie.trace.report.figures import Figure, Unit
from punie.trace.report.writers.html.axis import Scale, scale_of, tick_text
from punie.trace.report.writers.html.markup import Markup, tag
from punie.trace.report.writers.html.svg import drawing, ruler
from punie.trace.report.writers.html.tables import table

_HEIGHT: Final = 200  # pixels
_AIR: Final = 8
_SHAPES: Final = 3  # circle, square, triangle: series differ by more than colour


def draw_plot(chart: Plot) -> Markup:
    """The plot, its legend, and its points as a table."""
    points = [point for series in chart.series for point in series.points]
    if not points:
        return tag("figure")
    x = scale_of([point.x for point in points])
    y = _y_scale(chart, points)
    parts = [
        *_lines(y, chart),
        *(mark for n, series in enumerate(chart.series) for mark in _series(series, n, x, y)),
    ]
    plane = drawing(parts, height=_HEIGHT, title=chart.title, class_="plane")
    names = tag(
        "div", tag("span", chart.y.label, class_="y"), tag("span", chart.x.label, class_="x"), class_="axes"
    )
    return tag(
        "figure", _legend(chart.series), names, plane, ruler(x, chart.x.unit), _points(chart), class_="plot"
    )


def _y_scale(chart: Plot, points: Sequence[Point]) -> Scale:
    values = [value for p in points for value in (p.y, p.low, p.high) if value is not None]
    if chart.y.unit is Unit.SHARE and all(0 <= value <= 1 for value in values):
        return Scale(0.0, 1.1)  # with room for what is written at 100 %
    return scale_of([*values, *(mark.value for mark in chart.marks)], from_zero=True)


def _down(value: float, y: Scale) -> float:
    share = (value - y.low) / (y.high - y.low)
    return round(_HEIGHT - _AIR - share * (_HEIGHT - 2 * _AIR), 1)


def _lines(y: Scale, chart: Plot) -> Iterator[Markup]:
    for value in y.ticks(4):
        down = _down(value, y)
        yield tag("line", class_="grid", x1=0, x2="100%", y1=down, y2=down)
        yield tag("text", tick_text(value, chart.y.unit, y.high), class_="tick start", x=0, y=down - 3)
    for mark in chart.marks:
        down = _down(mark.value, y)
        yield tag("line", class_="mark", x1=0, x2="100%", y1=down, y2=down)
        yield tag("text", mark.label, class_="mark end", x="100%", y=down - 3)


def _series(series: Series, index: int, x: Scale, y: Scale) -> Iterator[Markup]:
    class_ = f"s{index % 6}"
    if series.joined:
        for first, second in zip(series.points, series.points[1:], strict=False):
            yield tag(
                "line",
                class_=f"joins {class_}",
                x1=x.at(first.x),
                x2=x.at(second.x),
                y1=_down(first.y, y),
                y2=_down(second.y, y),
            )
    for point in series.points:
        yield from _point(point, series.name, class_, index % _SHAPES, x.at(point.x), y)


def _point(point: Point, name: str, class_: str, shape: int, across: str, y: Scale) -> Iterator[Markup]:
    if point.low is not None and point.high is not None:
        yield tag(
            "line",
            class_=f"joins {class_}",
            x1=across,
            x2=across,
            y1=_down(point.low, y),
            y2=_down(point.high, y),
        )
    title = tag("title", f"{name}{', ' if point.label else ''}{point.label}")
    yield _shape(shape, across, _down(point.y, y), class_, title)


def _shape(shape: int, across: str, down: float, class_: str, title: Markup | None = None) -> Markup:
    """A circle, a square or a cross, in a drawing of its own that stands at `across`."""
    if shape == 0:
        return tag("circle", title, class_=class_, cx=across, cy=down, r=4)
    path = "M-4-4h8v8h-8z" if shape == 1 else "M0-5L5 4H-5z"
    return tag("svg", tag("path", title, class_=class_, d=path), x=across, y=down, overflow="visible")


def _legend(series: Sequence[Series]) -> Markup:
    items = (
        tag("li", tag("svg", _shape(n % _SHAPES, "6", 6, f"s{n % 6}"), width=12, height=12), one.name)
        for n, one in enumerate(series)
    )
    return tag("ul", *items, class_="legend")


def _points(chart: Plot) -> Markup:
    rows = tuple(
        (series.name, point.label, _figure(point.x, chart.x), _figure(point.y, chart.y))
        for series in chart.series
        for point in series.points
    )
    shown = table(Table(("", "which", chart.x.label, chart.y.label), rows), caption=chart.title)
    return tag("details", tag("summary", "the numbers"), shown)


def _figure(value: float, axis: Axis) -> Figure:
    return Figure(value, axis.unit, tick_text(value, axis.unit, abs(value)))
