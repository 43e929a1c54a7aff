"""The data of a training: the model's own answers are asked for, the shortest right ones chosen, rendered, linted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.tuning.trajectories import shortest_right
from punie.trace.errors import InputError
from punie.trace.store.documents import read_text
from punie.trace.tuning import experiments
from punie.trace.tuning.examples import TrainingRow, own_rows, rows_of, trajectories
from punie.trace.tuning.render_process import RenderedRow
from punie.trace.tuning.rows import lint_rows, render_rows, training_memory
from punie.trace.units import count_text

if TYPE_CHECKING:
    from punie.trace.analysis.tuning.linting import Lint, TrainingMemory
    from punie.trace.analysis.tuning.trajectories import Trajectory
    from punie.trace.model import Span
    from punie.trace.tuning.folder import TrainingFolder
    from punie.trace.tuning.plan import TrainingPlan
    from punie.trace.usecases.training_experiments import TrainingExperiments


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The data of a training.

    examples: queries that gave one. rendered: their rows, and the user's. shortest: output tokens of each query's
    shortest right answer.
    """

    examples: tuple[str, ...]
    rendered: tuple[RenderedRow, ...]
    lint: Lint
    memory: TrainingMemory | None
    shortest: Mapping[str, int]


async def prepare(training: TrainingExperiments) -> TrainingData:
    """Ask for samples, choose, render and lint. Raises InputError where no right answer can be trained on."""
    plan, folder, progress = training.plan, training.folder, training.progress
    progress.log(
        f"samples: {count_text(len(plan.split.train), 'query', 'queries')}, {plan.samples} times each"
    )
    await training.run(experiments.SAMPLING, experiments.sampling(plan))
    candidates, traces = _sampled(folder)
    best = shortest_right(candidates)
    rows = [row for query_id, one in best.items() for row in rows_of(query_id, traces[one.place])]
    rows += _own_rows(plan)
    if not rows:
        raise InputError(
            f"{folder.path}: no right answer with its content was recorded: nothing can be trained on",
            remedy="Look at the sampled answers: punie-trace report on a folder in samples/cells.",
        )
    rendered = await render_rows(rows, plan.model, folder.path / "rows", progress.working)
    memory = training_memory(plan.model, rendered, plan.settings, training.recommended_bytes)
    return TrainingData(
        examples=tuple(sorted(best)),
        rendered=rendered,
        lint=lint_rows(rendered, plan.settings, memory),
        memory=memory,
        shortest={query_id: one.output_tokens or 0 for query_id, one in best.items()},
    )


def _sampled(folder: TrainingFolder) -> tuple[list[Trajectory], dict[str, list[Span]]]:
    candidates: list[Trajectory] = []
    traces: dict[str, list[Span]] = {}
    for run in folder.experiment(experiments.SAMPLING).finished_runs():
        spans, plan = run.load_spans(), run.read_plan()
        cell = run.path.name
        for span in spans.spans:
            traces.setdefault(f"{cell}/{span.trace_id}", []).append(span)
        read = read_queries(spans, plan.planned, now_ns=plan.now_ns)
        candidates += trajectories(read.records, cell)
    return candidates, traces


def _own_rows(plan: TrainingPlan) -> tuple[TrainingRow, ...]:
    return own_rows(read_text(Path(plan.examples)).splitlines(), plan.examples) if plan.examples else ()
