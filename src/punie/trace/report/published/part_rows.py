"""Queries by day or by model as a table: a row a part, or one row for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from punie.trace.model import PHASES
from punie.trace.report.document import Rows, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from punie.trace.analysis.summary.parts import Part

ALL: Final = "all"
_COUNTS: Final = ("answers", "failed", "warmup", "needs_tree", "network_known", "wall_ns")
_SPREAD: Final = ("mean_ns", "median_ns", "min_ns", "max_ns", "p95_ns", "p99_ns")
_COLUMNS: Final = (
    *("part", *_COUNTS, *_SPREAD),
    *(f"{phase.value}_ns" for phase in PHASES),
    *(f"{phase.value}_contested_ns" for phase in PHASES),
)


def part_rows(total: Part, parts: Sequence[Part] | None) -> Rows:
    """Times are integer nanoseconds. `parts` is None where nothing was put together: then the row is for all."""
    named = [(ALL, total)] if parts is None else [(part.name, part) for part in parts]
    return Rows(_COLUMNS, tuple((name, *_row(part)) for name, part in named))


def _row(part: Part) -> Iterator[Value]:
    yield from (getattr(part, name) for name in _COUNTS)
    yield from (getattr(part.wall, name) if part.wall else None for name in _SPREAD)
    yield from (entry.ns for entry in part.phases)
    yield from (entry.contested_ns for entry in part.phases)
