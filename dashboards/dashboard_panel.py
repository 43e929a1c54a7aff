"""What a panel is, before anything of Grafana's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from dashboard_queries import Query


class Shape(Enum):
    """How a panel is drawn."""

    FIGURES = auto()  # one figure a series, over the whole range
    ROWS = auto()  # a table, a row a run
    POINTS = auto()  # one point a step
    STACKED = auto()  # bars, one on the other
    LINES = auto()  # values that stay until the next


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. `nothing` is what it says without data; `found_in_jaeger` what a click searches for there."""

    title: str
    says: str
    cant_say: str
    shape: Shape
    unit: str
    nothing: str
    queries: Sequence[Query]
    width: int
    found_in_jaeger: str = ""
    line: float | None = None  # drawn across, as a limit
    columns: Sequence[tuple[str, str]] = ()  # of a table: unit and title, in the order of the queries

    @property
    def description(self) -> str:
        """What Grafana shows at the panel's corner."""
        return f"{self.says}\n\nCan't say: {self.cant_say}"


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below a title, all of one height."""

    title: str
    panels: Sequence[Panel]
    height: int = 8
