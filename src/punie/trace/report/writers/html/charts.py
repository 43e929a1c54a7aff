"""Charts as rows of a table: what it is, the drawing, the number. Text stays text, and nothing needs a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from punie.trace.report import figures
from punie.trace.report.charts import Bar, Chart, Plot, Ranges, StackedBars
from punie.trace.report.document import Cell, Table
from punie.trace.report.figures import Figure, Unit
from punie.trace.report.writers.html.markup import Markup, joined, tag
from punie.trace.report.writers.html.plot import draw_plot
from punie.trace.report.writers.html.ranges import draw_ranges
from punie.trace.report.writers.html.svg import HEIGHT, place, stretched, tone
from punie.trace.report.writers.html.tables import raw, table

_SHOW: Final[Mapping[Unit, Callable[[float], Figure]]] = {
    Unit.NANOSECONDS: figures.duration,
    Unit.BYTES: figures.size,
    Unit.SHARE: figures.share,
    Unit.RATIO: figures.factor,
    Unit.COUNT: figures.count,
}


def draw(chart: Chart) -> Markup:
    """The chart with its legend, and the numbers as a table where no other table has them."""
    return _DRAW[type(chart)](chart)


def _bars(chart: StackedBars) -> Markup:
    names = list(
        dict.fromkeys(segment.name for bar in chart.bars for segment in bar.segments if segment.value)
    )
    colours = {name: tone(name, index) for index, name in enumerate(names)}
    rows = [
        tag(
            "tr",
            tag("th", bar.label, scope="row"),
            tag("td", _bar(bar, colours), class_="drawn"),
            tag("td", bar.figure.shown, class_="n", data_v=raw(bar.figure)),
        )
        for bar in chart.bars
    ]
    body = tag("table", tag("tbody", *rows), class_="chart", aria_label=chart.title)
    return tag("figure", legend(colours), body, _numbers(chart, names), class_="bars")


def _bar(bar: Bar, colours: Mapping[str, str]) -> Markup:
    bar.check()
    return stretched(_parts(bar, colours), title=f"{bar.label}: {bar.figure}", class_="bar")


def _parts(bar: Bar, colours: Mapping[str, str]) -> Iterator[Markup]:
    at, start = 0.0, 0
    for segment in bar.segments:
        at += segment.value
        end = place(at, bar.full)
        if segment.value:
            yield tag("rect", class_=colours[segment.name], x=start, width=end - start, height=HEIGHT)
        start = end


def legend(colours: Mapping[str, str]) -> Markup:
    """Which colour is which."""
    items = (
        tag("li", tag("svg", tag("rect", class_=class_, width=10, height=10), width=10, height=10), name)
        for name, class_ in colours.items()
    )
    return tag("ul", *items, class_="legend")


def _numbers(chart: StackedBars, names: Sequence[str]) -> Markup:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            bar.label,
            *(_SHOW[chart.unit](_value(bar, name)) for name in names),
            bar.figure,
        )
        for bar in chart.bars
    )
    return folded("the numbers", table(Table(("", *names, "sum"), rows), caption=chart.title))


def _value(bar: Bar, name: str) -> float:
    return sum(segment.value for segment in bar.segments if segment.name == name)


def folded(summary: str, *inside: Markup | None) -> Markup:
    """Shown on request."""
    return tag("details", tag("summary", summary), joined(inside))


_DRAW: Final[Mapping[type[Chart], Callable[[Any], Markup]]] = {
    StackedBars: _bars,
    Ranges: draw_ranges,
    Plot: draw_plot,
}
