"""The steps of a training and how long they will take, from what its runs took. An estimate, and labelled as one."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from punie.trace import semconv
from punie.trace.analysis.tuning.training import TrainingStep
from punie.trace.model import Phase
from punie.trace.units import NS_PER_S, count_text

if TYPE_CHECKING:
    from punie.trace.model import Span
    from punie.trace.tuning.plan import TrainingPlan
    from punie.trace.usecases.training_plan import RecordedRuns

_PASSES: Final = 3.0
"""What an iteration costs in passes over its row: one forward, and a way back that costs about two."""
_START_NS: Final = 10 * NS_PER_S
"""A server's start, where nobody measured one; large models take longer."""
_FUSE_FORMS: Final = 1
_JUDGED_ARMS: Final = 5


def planned_steps(plan: TrainingPlan, recorded: RecordedRuns) -> tuple[TrainingStep, ...]:
    """Every step in its order."""
    return tuple(_steps(plan, recorded))


def _steps(plan: TrainingPlan, recorded: RecordedRuns) -> Iterator[TrainingStep]:
    split, query_ns = plan.split, _query_ns(recorded)
    questions = len(split.train) * plan.samples
    yield TrainingStep(
        "samples",
        f"{count_text(questions, 'question')} at temperature {plan.temperature:g}",
        _ns(questions, 2, query_ns),
    )
    iterations = plan.settings.iters * len(plan.seeds)
    yield TrainingStep("training", count_text(iterations, "iteration"), _training_ns(plan, recorded))
    checkpoints = len(plan.settings.judged) * len(plan.seeds)
    questions = (1 + checkpoints) * len(split.validation)
    yield TrainingStep(
        "validation",
        f"{count_text(questions, 'question')}, {count_text(checkpoints, 'checkpoint')}",
        _ns(questions, 1 + checkpoints, query_ns),
    )
    questions = 2 * _FUSE_FORMS * len(split.validation)
    yield TrainingStep(
        "fusing",
        f"{count_text(questions, 'question')} for each form that is tried",
        _ns(questions, 2, query_ns),
    )
    questions = _JUDGED_ARMS * plan.blocks * len(split.judged)
    yield TrainingStep(
        "judgement",
        f"{count_text(questions, 'question')} in {count_text(_JUDGED_ARMS * plan.blocks, 'server start')}",
        _ns(questions, _JUDGED_ARMS * plan.blocks, query_ns),
    )


def _ns(questions: int, starts: int, query_ns: int | None) -> int | None:
    return None if query_ns is None else questions * query_ns + starts * _START_NS


def _read_tokens(span: Span) -> int:
    """Tokens of the prompt that weren't in the cache."""
    count = semconv.integer(span.attributes, semconv.INPUT_TOKENS) or 0
    return count - (semconv.integer(span.attributes, semconv.CACHED_TOKENS) or 0)


def _query_ns(recorded: RecordedRuns) -> int | None:
    walls = [record.wall_ns for record in recorded.records if record.error is None]
    return round(statistics.fmean(walls)) if walls else None


def _training_ns(plan: TrainingPlan, recorded: RecordedRuns) -> int | None:
    """From the time that the server took to read a prompt's tokens; None where its spans don't show it."""
    read = [
        (span.duration_ns, tokens)
        for span in recorded.spans
        if semconv.text(span.attributes, semconv.PHASE) == Phase.PREFILL
        and (tokens := _read_tokens(span)) > 0
    ]
    rows = [
        (record.input_tokens + (record.output_tokens or 0)) / record.model_requests
        for record in recorded.records
        if record.input_tokens and record.model_requests
    ]
    if not read or not rows:
        return None
    token_ns = sum(ns for ns, _ in read) / sum(tokens for _, tokens in read)
    iterations = plan.settings.iters * len(plan.seeds) * plan.settings.batch_size
    return round(iterations * _PASSES * statistics.fmean(rows) * token_ns)
