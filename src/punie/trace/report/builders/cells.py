"""A benchmark as it ran: each cell in its order, by which drift and warm-up can be seen; drafts' acceptance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie.trace.report.charts import Axis, Plot, Point, Series
from punie.trace.report.figures import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from punie.trace.analysis.experiment.drafting import Drafting
    from punie.trace.analysis.experiment.observation import Observation


def cells_plot(observations: Sequence[Observation]) -> tuple[Plot, ...]:
    """The mean wall time of each cell's answers, over the order in which the cells began; nothing without any."""
    cells: dict[tuple[str, int, str], list[Observation]] = {}
    for seen in sorted(observations, key=lambda seen: seen.record.ledger.start_ns):
        cells.setdefault((seen.arm, seen.block, seen.server_start), []).append(seen)
    by_arm: dict[str, list[Point]] = {}
    for order, ((arm, block, _), asked) in enumerate(cells.items(), start=1):
        times = [seen.wall_ns for seen in asked if seen.record.counts]
        if times:
            point = Point(order, sum(times) / len(times), f"block {block + 1}")
            by_arm.setdefault(arm, []).append(point)
    series = tuple(Series(arm, tuple(points)) for arm, points in by_arm.items())
    x, y = Axis("cells in the order in which they ran", Unit.COUNT), Axis("a query", Unit.NANOSECONDS)
    return (Plot("Wall time of a query in each cell", x, y, series),) if series else ()


def acceptance_plot(drafting: Mapping[str, Drafting]) -> tuple[Plot, ...]:
    """How often the draft's 1st, 2nd, … token of a step was accepted, by arm; nothing without drafts."""
    series = tuple(Series(arm, tuple(_by_place(of)), joined=True) for arm, of in drafting.items() if of.steps)
    x, y = Axis("place in the draft", Unit.COUNT), Axis("accepted", Unit.SHARE)
    return (Plot("Accepted tokens by their place in the draft", x, y, series),) if series else ()


def _by_place(drafting: Drafting) -> Iterable[Point]:
    for place, accepted in enumerate(drafting.accepted_by_position, start=1):
        yield Point(place, accepted / drafting.steps)
