"""Drawings that grow with the page: parts of a bar in the chart's own unit, marks and text in percent of the width.

A bar's `viewBox` is as wide as what it shows (nanoseconds, tokens), so that the widths of its parts are the raw
numbers, and the browser stretches it. Text and points would be stretched with it; they have drawings of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.model import PHASES
from punie.trace.report.writers.html.axis import tick_text
from punie.trace.report.writers.html.markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from punie.trace.report.charts import Mark
    from punie.trace.report.figures import Unit
    from punie.trace.report.writers.html.axis import Scale

_PHASES: Final = frozenset(phase.value for phase in PHASES)
HEIGHT: Final = 10  # of a bar, in units of its viewBox
_AIR: Final = 14  # percent of the width beside an edge, where text would be cut


def number(value: float) -> str:
    """A length: whole if it is, else with three decimals at most."""
    return str(int(value)) if value == int(value) else f"{value:.3f}"


def tone(name: str, index: int = 0) -> str:
    """The class that gives a part its colour: a phase's own, else one by its place."""
    return f"p-{name}" if name in _PHASES else f"s{index % 6}"


def stretched(full: float, parts: Iterable[Markup], *, title: str, class_: str = "bar") -> Markup:
    """A drawing as wide as its place, in which `full` is the whole width."""
    return tag(
        "svg",
        tag("title", title),
        *parts,
        class_=class_,
        role="img",
        viewBox=f"0 0 {number(full)} {HEIGHT}",
        preserveAspectRatio="none",
    )


def drawing(parts: Iterable[Markup], *, height: int, title: str, class_: str) -> Markup:
    """A drawing in percent of the width and pixels of the height."""
    return tag("svg", tag("title", title), *parts, class_=class_, role="img", height=height, width="100%")


def ruler(scale: Scale, unit: Unit, marks: Sequence[Mark] = ()) -> Markup:
    """Round values along an axis; the name of a mark is written in their place where both would overlap."""
    largest = max(abs(scale.low), abs(scale.high))
    taken = [_percent(scale.at(mark.value)) for mark in marks]
    ticks = [
        _label(scale.at(value), tick_text(value, unit, largest), "tick")
        for value in scale.ticks()
        if all(abs(_percent(scale.at(value)) - place) > _AIR for place in taken)
    ]
    named = [_label(scale.at(mark.value), mark.label, "mark") for mark in marks]
    return tag("svg", *ticks, *named, class_="ruler", aria_hidden="true", height=18, width="100%")


def grid(scale: Scale, height: int, marks: Sequence[Mark] = ()) -> Iterable[Markup]:
    """The lines behind a row: thin ones at round values, strong ones at marks."""
    for value in scale.ticks():
        yield tag("line", class_="grid", x1=scale.at(value), x2=scale.at(value), y1=0, y2=height)
    for mark in marks:
        yield tag("line", class_="mark", x1=scale.at(mark.value), x2=scale.at(mark.value), y1=0, y2=height)


def _label(place: str, text: str, class_: str) -> Markup:
    at = _percent(place)
    anchor = "start" if at < _AIR / 2 else "end" if at > 100 - _AIR / 2 else None
    return tag("text", text, x=place, y=13, class_=f"{class_} {anchor}" if anchor else class_)


def _percent(place: str) -> float:
    return float(place.rstrip("%"))
