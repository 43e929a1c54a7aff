"""What the reports of all benchmarks share: how much was asked, cells in their order, noise, acceptance, figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from punie.trace.analysis.experiment.drafting import Drafting
from punie.trace.analysis.experiment.measured import CellFacts
from punie.trace.analysis.experiment.observation import Observation
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.experiment.results import Experiment
from punie.trace.analysis.experiment.speedup import SpeedUp
from punie.trace.analysis.speculative.benchmark import BenchAnalysis
from punie.trace.analysis.speculative.model import THRESHOLD, BenchPlan
from punie.trace.analysis.statistics.spread import Interval
from punie.trace.analysis.verdicts.accuracy import AccuracyFigures
from punie.trace.analysis.verdicts.assessment import Assessment
from punie.trace.report import figures
from punie.trace.report.charts import Axis, Plot, Point, Series
from punie.trace.report.document import Cell, Note, Section, Table
from punie.trace.report.figures import Figure, Unit
from punie.trace.units import count_text, percent_text

_STARTS: Final = ("start", "block", "arms", "took", "")


def cells_plot(observations: Sequence[Observation]) -> tuple[Plot, ...]:
    """The mean wall time of each cell's answers, over the order in which the cells began; nothing without any."""
    cells: dict[tuple[str, int, str], list[Observation]] = {}
    for seen in sorted(observations, key=lambda seen: seen.record.ledger.start_ns):
        cells.setdefault((seen.arm, seen.block, seen.server_start), []).append(seen)
    by_arm: dict[str, list[Point]] = {}
    for order, ((arm, block, _), observations) in enumerate(cells.items(), start=1):
        times = [seen.wall_ns for seen in observations if seen.record.counts]
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


def tokens_plot(arms: Iterable[tuple[str, float | None, float]]) -> tuple[Plot, ...]:
    """Each arm as a point: `(name, output tokens a query, lower bound of its accuracy)`; nothing of fewer than two."""
    series = tuple(
        Series(name, (Point(tokens, accuracy),)) for name, tokens, accuracy in arms if tokens is not None
    )
    x, y = Axis("output tokens a query", Unit.COUNT), Axis("accuracy, lower bound", Unit.SHARE)
    return (Plot("Tokens against accuracy", x, y, series),) if len(series) > 1 else ()


def starts_section(cells: Iterable[CellFacts], set_aside: Sequence[CellFacts]) -> Section:
    """Every server start with how long it took, in the order in which they began; what was run again, and why."""
    began = sorted(cells, key=lambda cell: (cell.began_ns or 0, cell.name))
    cases = [f"{cell.name}: {'; '.join(cell.disturbed)}" for cell in set_aside]
    again = (Note("run again, since the machine was disturbed:", tuple(cases)),) if cases else ()
    return Section(
        "Server starts in the order in which they ran",
        table=Table(_STARTS, tuple(map(_start_row, began))),
        notes=again,
        charts=_starts_plot(began),
    )


def _start_row(cell: CellFacts) -> tuple[Cell, ...]:
    happened = "; ".join((*cell.disturbed, *((f"failed: {cell.error}",) if cell.error else ())))
    arms = ", ".join(cell.arms)
    return cell.name[:4], figures.count(cell.block + 1), arms, figures.duration(cell.took_ns), happened


def _starts_plot(cells: Sequence[CellFacts]) -> tuple[Plot, ...]:
    series: dict[str, list[Point]] = {}
    for number, cell in enumerate(cells, start=1):
        if cell.took_ns is not None:
            series.setdefault(", ".join(cell.arms), []).append(Point(number, cell.took_ns))
    lines = tuple(Series(name, tuple(points), joined=True) for name, points in series.items())
    x, y = Axis("server start", Unit.COUNT), Axis("took", Unit.NANOSECONDS)
    return (Plot("How long each server start took", x, y, lines),) if lines else ()


def size_text(plan: ExperimentPlan | BenchPlan) -> str:
    """How much is asked of how many arms."""
    return (
        f"suite {plan.suite_name}: {count_text(len(plan.queries), 'query', 'queries')} × "
        f"{count_text(len(plan.arms), 'arm')} × {count_text(plan.blocks, 'block')} × "
        f"{count_text(plan.repeats, 'repeat')}"
    )


def integrity_lines(analysis: Experiment | BenchAnalysis) -> Iterator[str]:
    """What is wrong in the traces of all cells; that nothing is, if nothing is missing either."""
    wrong = [item for item in analysis.integrity if item.count]
    yield from (f"integrity: {item.slug} ({item.count}, {item.effect})" for item in wrong)
    if not wrong and not analysis.missing:
        yield f"integrity: nothing wrong in {count_text(analysis.planned, 'execution')}"


def noise_lines(same_again: SpeedUp | None) -> Iterator[str]:
    """How far two starts of the baseline differ; nothing where that has no interval."""
    if same_again is not None and same_again.interval is not None:
        low, high = same_again.interval.low, same_again.interval.high
        floor = percent_text(max(abs(1 - low), abs(high - 1)))
        yield f"noise: the baseline against itself is {speed_up_figure(same_again)}; less than {floor} is noise"


def speed_up_figure(
    speed_up: SpeedUp | None, interval: Interval | None = None, *, times: str = "×"
) -> Figure:
    """A speed-up with its interval; `interval` in place of the speed-up's own."""
    if speed_up is None:
        return figures.factor(None)
    ends = interval or speed_up.interval
    return figures.speed_up(speed_up.estimate, ends, times=times, threshold=THRESHOLD)


def right_figure(accuracy: Assessment[AccuracyFigures]) -> Figure:
    """How many of the scored answers are right: `9/10`."""
    shown = f"{accuracy.figures.answers_right}/{accuracy.figures.answers}"
    return Figure(accuracy.estimate, Unit.SHARE, shown)
