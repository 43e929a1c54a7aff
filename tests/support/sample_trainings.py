"""Trainings with planted figures: planned, ended early, worth it, and all that can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from hostile_texts import HOSTILE
from records import build_record

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.spread import Interval, Method
from punie.trace.analysis.tuning.checkpoints import Checkpoint, best_checkpoint
from punie.trace.analysis.tuning.fusing import Fused, FuseWay
from punie.trace.analysis.tuning.judgement import (
    AccuracyComparison,
    JudgedArm,
    Judgement,
    ModelVariant,
    Times,
    compare_accuracy,
    judge,
)
from punie.trace.analysis.tuning.linting import ArgumentsForm, Lint, Problem, PromptMatch, TrainingMemory
from punie.trace.analysis.tuning.output_kinds import OutputKinds
from punie.trace.analysis.tuning.split import Split
from punie.trace.analysis.tuning.training import SeedLoss, Training, TrainingEnding, TrainingStep
from punie.trace.analysis.tuning.worth import ceiling, predicted_worth
from punie.trace.model import Phase
from punie.trace.report.builders.training import build_training
from punie.trace.report.document import Document

SECOND: Final = 10**9
TRAINED: Final = tuple(f"train-{number:02}" for number in range(12))
JUDGED: Final = tuple(f"held-{number:02}" for number in range(36))
SPLIT: Final = Split(TRAINED, ("check-00", "check-01", "check-02"), JUDGED[:32], JUDGED[32:])


def records() -> list[QueryRecord]:
    """What the runs held: 100 tokens a query, of which decode takes most of the time."""
    return [
        build_record(
            name,
            {
                Phase.DECODE: 700 + 9 * number,
                Phase.PREFILL: 150,
                Phase.TOOL: 60 + number,
                Phase.FRAMEWORK: 20,
            },
            output_tokens=100,
        )
        for number, name in enumerate(TRAINED)
    ]


def planned() -> Training:
    families = {name: name.partition("-")[0] for part in (TRAINED, SPLIT.validation, JUDGED) for name in part}
    return Training(
        source="trainings/2026-11-30T14-05-09-concise",
        created="2026-11-30T14:05:09+01:00",
        model="/models/small",
        adapter=None,
        suite="mine",
        split=SPLIT,
        texts={name: f"What is {name}?" for name in families},
        families=families,
        margin=0.1,
        settings={"iters": "300", "rank": "8", "learning_rate": "0.0001"},
        seeds=(0,),
        samples=8,
        temperature=0.8,
        ending=TrainingEnding.PLANNED,
        steps=(
            TrainingStep("samples", "96 questions", 90 * SECOND),
            TrainingStep("training", "300 iterations", None),
        ),
        decode=ceiling(records()),
        machine={"chip": "M4", "memory": "32 GB"},
        versions={"punie-trace": "0.1.0", "mlx-lm": "0.32.2"},
    )


def _lint(left_out: Mapping[Problem, tuple[str, ...]]) -> Lint:
    return Lint(
        kept=tuple(f"{name}, turn 0" for name in TRAINED),
        left_out=left_out,
        refused=(),
        longest_tokens=812,
        trained_tokens=480,
        served={PromptMatch.SAME_TOKENS: 12},
        arguments={ArgumentsForm.ALIKE: 8, ArgumentsForm.OBJECT: 4},
    )


def nothing_shorter() -> Training:
    """The model's own shortest answers are as long as the usual ones."""
    worth = predicted_worth(records(), dict.fromkeys(TRAINED, 99))
    return replace(
        planned(),
        ending=TrainingEnding.NOTHING_SHORTER,
        worth=worth,
        examples=TRAINED,
        rows=12,
        lint=_lint({}),
        memory=TrainingMemory(8 * SECOND, SECOND, 3 * SECOND, 25 * SECOND),
    )


def _arm(
    name: str,
    kind: ModelVariant,
    tokens: float,
    times: Times | None,
    beside: AccuracyComparison,
    told: Times | None = None,
) -> JudgedArm:
    kinds = OutputKinds(tool_calls=18.0, prose=tokens - 18, thinking=0.0)
    wall_ns = round(1.2 * SECOND / (times.estimate if times else 1))
    share = Interval(tokens / 96.2 - 0.04, tokens / 96.2 + 0.04, 0.95, Method.BOOTSTRAP_T, 36)
    return JudgedArm(name, kind, tokens, kinds, wall_ns, share, times, told, beside)


def _judgement(*, lost: tuple[str, ...], brief: Times) -> Judgement:
    right = {name: [True, True, True] for name in JUDGED}
    worse = right | {name: [True, False, True] for name in lost}
    arms = (
        _arm("base", ModelVariant.BASE, 96.2, None, compare_accuracy(right, right)),
        _arm(
            "brief",
            ModelVariant.BRIEF,
            90.1,
            brief,
            compare_accuracy(right, right | {JUDGED[0]: [False, True, True]}),
        ),
        _arm("adapter", ModelVariant.ADAPTER, 41.5, Times(1.92, 1.71, 2.08), compare_accuracy(right, worse)),
        _arm(
            "fused-8-bits",
            ModelVariant.FUSED,
            42.0,
            Times(2.05, 1.84, 2.2),
            compare_accuracy(right, worse),
            Times(2.05 / brief.estimate, 1.84 / brief.high, 2.2 / brief.low),
        ),
    )
    return judge(arms, 0.1)


def worth_it() -> Training:
    """Everything came out as hoped for; the first fused form did not."""
    checkpoints = tuple(
        Checkpoint(f"seed-{seed}-{iteration}", seed, iteration, 3 - len(lost), 3, lost, tokens)
        for seed, iteration, lost, tokens in (
            (0, 150, (), 52.0),
            (0, 300, (), 41.0),
            (1, 150, (), 49.5),
            (1, 300, ("check-01",), 33.0),
        )
    )
    return replace(
        nothing_shorter(),
        ending=TrainingEnding.JUDGED,
        seeds=(0, 1),
        worth=predicted_worth(records(), dict.fromkeys(TRAINED, 40)),
        losses=tuple(SeedLoss(seed, ((10, 1.9), (300, 0.12)), 9 * SECOND, seed) for seed in (0, 1)),
        checkpoints=checkpoints,
        best=best_checkpoint(checkpoints),
        fused=(
            Fused("fused-base-bits", FuseWay.BASE_BITS, (), 3, 3, 88.0, 41.0, 0.81),
            Fused("fused-8-bits", FuseWay.EIGHT_BITS, (), 3, 3, 42.0, 41.0, 0.84),
        ),
        judgement=_judgement(lost=(), brief=Times(1.06, 1.01, 1.1)),
    )


def failed() -> Training:
    """Answers lost, rows left out, no form that can be fused, an instruction that does as well, odd names."""
    lost = (f"check {HOSTILE}",)
    return replace(
        worth_it(),
        model=f"/models/{HOSTILE}",
        adapter="/adapters/before",
        lint=_lint({Problem.CUT: tuple(f"long {HOSTILE}, turn {turn}" for turn in range(7))}),
        fused=tuple(Fused(f"fused-{way}", way, lost, 2, 3, 41.0, 41.0, None) for way in FuseWay),
        judgement=_judgement(lost=JUDGED[3:12], brief=Times(2.4, 2.2, 2.6)),
        is_demo=True,
    )


TRAININGS: Final[Mapping[str, Callable[[], Document]]] = {
    "training empty": lambda: build_training(planned()),
    "training one": lambda: build_training(nothing_shorter()),
    "training many": lambda: build_training(worth_it()),
    "training failed": lambda: build_training(failed()),
}
