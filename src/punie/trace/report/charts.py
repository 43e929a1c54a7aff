"""What a report draws, as data: raw numbers with their unit. A writer decides how, or draws nothing.

Builders make charts from the same numbers as the tables beside them; a chart says nothing that no table says.
"""

from __future__ import annotations

from dataclasses import dataclass

from punie.trace.report.figures import Figure, Unit


@dataclass(frozen=True, slots=True)
class Mark:
    """A value that others are held against, such as a threshold, and what it is called."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: what it is (a phase, say) and how much; nothing below 0."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Bar:
    """Parts that add up to a whole, `figure`. `full` is what the whole width of the drawing stands for."""

    label: str
    segments: tuple[Segment, ...]
    figure: Figure
    full: float

    def check(self) -> None:
        """The parts fill no more than the width. Raises AssertionError: that is a bug in the builder."""
        lengths = [segment.value for segment in self.segments]
        if min(lengths, default=0) < 0 or sum(lengths) > self.full * (1 + 1e-9):
            raise AssertionError(f"bar {self.label}: {lengths} in {self.full}")


@dataclass(frozen=True, slots=True)
class StackedBars:
    """A bar a row, each cut into parts that have the same names in all of them."""

    title: str
    unit: Unit
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """An estimate with its interval; `beside` is another of the same thing (measured beside predicted, say)."""

    label: str
    figure: Figure
    beside: Figure | None = None


@dataclass(frozen=True, slots=True)
class Ranges:
    """Estimates on one axis, held against `marks`. `names` say what a row's figure and the one beside it are.

    `as_bars` draws lengths from zero in place of points.
    """

    title: str
    rows: tuple[Range, ...]
    marks: tuple[Mark, ...] = ()
    names: tuple[str, ...] = ()
    as_bars: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a plot, with the interval of `y` where there is one."""

    x: float
    y: float
    label: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one kind; `joined` by a line where one follows the other."""

    name: str
    points: tuple[Point, ...]
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """What is counted along an axis."""

    label: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Plot:
    """Points over two axes: cells of a benchmark in the order in which they ran, tokens against accuracy."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()


Chart = StackedBars | Ranges | Plot
