"""Drawings that grow with the page: lengths in shares of a drawing that is stretched, marks and text in percent.

A stretched drawing is `WIDTH` units wide, whatever it shows: browsers cut coordinates of more than some millions. Ends
are rounded, not lengths, so parts that follow each other leave no gap and sum to the whole. Text and points would be
stretched too; they stand in drawings of their own.
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
WIDTH: Final = 100_000  # of a stretched drawing, in units of its viewBox
HEIGHT: Final = 10
_OFF: Final = 4  # pixels between a mark and a label that stands beside it
_AIR: Final = 14  # percent of the width beside an edge, where text would be cut


def place(value: float, full: float) -> int:
    """Where `value` ends in a drawing whose width stands for `full`; a query may have no length."""
    return round(value * WIDTH / full) if full else 0


def tone(name: str, index: int = 0) -> str:
    """The class that gives a part its colour: a phase's own, else one by its place."""
    return f"p-{name}" if name in _PHASES else f"s{index % 6}"


def stretched(parts: Iterable[Markup], *, title: str, class_: str, height: int = HEIGHT) -> Markup:
    """A drawing as wide as the page gives it."""
    return tag(
        "svg",
        tag("title", title),
        *parts,
        class_=class_,
        role="img",
        viewBox=f"0 0 {WIDTH} {height}",
        preserveAspectRatio="none",
        height=height,
    )


def drawing(parts: Iterable[Markup], *, height: int, title: str, class_: str) -> Markup:
    """A drawing in percent of the width and pixels of the height."""
    return tag("svg", tag("title", title), *parts, class_=class_, role="img", height=height, width="100%")


def ruler(scale: Scale, unit: Unit, marks: Sequence[Mark] = (), *, most: int = 5) -> Markup:
    """Round values along an axis; the name of a mark is written in their place where both would overlap."""
    largest = max(abs(scale.low), abs(scale.high))
    taken = [_percent(scale.at(mark.value)) for mark in marks]
    ticks = [
        _label(scale.at(value), tick_text(value, unit, largest), "tick")
        for value in scale.ticks(most)
        if all(abs(_percent(scale.at(value)) - place) > _apart(most) for place in taken)
    ]
    named = [
        _label(scale.at(mark.value), mark.label, "mark", _label_side(place, taken, 110 / most))
        for mark, place in zip(marks, taken, strict=True)
    ]
    return tag("svg", *ticks, *named, class_="ruler", aria_hidden="true", height=18, width="100%")


def grid(scale: Scale, height: int, marks: Sequence[Mark] = (), *, most: int = 5) -> Iterable[Markup]:
    """The lines behind a row: thin ones at round values, strong ones at marks."""
    for value in scale.ticks(most):
        yield tag("line", class_="grid", x1=scale.at(value), x2=scale.at(value), y1=0, y2=height)
    for mark in marks:
        yield tag("line", class_="mark", x1=scale.at(mark.value), x2=scale.at(mark.value), y1=0, y2=height)


def _label_side(place: float, taken: Sequence[float], apart: float) -> str | None:
    """On which side of its mark a label has to stand, so that it isn't on another mark's."""
    if any(0 < other - place < apart for other in taken):
        return "end"
    return "start" if any(0 < place - other < apart for other in taken) else None


def _label(place: str, text: str, class_: str, anchor: str | None = None) -> Markup:
    at, off = _percent(place), {"start": _OFF, "end": -_OFF}.get(anchor or "")
    anchor = "start" if at < _AIR / 2 else "end" if at > 100 - _AIR / 2 else anchor
    return tag("text", text, x=place, y=13, dx=off, class_=f"{class_} {anchor}" if anchor else class_)


def _apart(most: int) -> float:
    """Percent of the width that two labels need, where there is room for so many."""
    return 70 / most


def _percent(place: str) -> float:
    return float(place.rstrip("%"))
