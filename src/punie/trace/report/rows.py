"""A table of text, as the reports have it that aren't documents yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from punie.trace.report.inert import one_line as one_line

NOT_KNOWN: Final = "not known"


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; `right` names the columns that are numbers. `strong` marks rows that carry a subtotal."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str]
    strong: frozenset[int] = frozenset()
