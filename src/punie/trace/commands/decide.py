"""`decide`: what to do about the time, step by step, from a run and what was measured beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from punie.trace.commands.options import OutputOptions, TargetOptions
from punie.trace.errors import ExitCode
from punie.trace.garbage import without_collections
from punie.trace.options import argument, group, path

HELP: Final = "advise what to do next: a draft, training, or something else"
DESCRIPTION: Final = (
    "The decision as a whole, each step with its verdict: where the time goes; whether a lever makes it faster at the "
    "same accuracy; whether a lossless draft makes it 20 % faster; whether the target is met; and only then whether to "
    "train the model to write shorter answers."
)
EXAMPLES: Final = (
    "decide runs/2026-11-23T14-05-09-demo",
    "decide runs/2026-11-23T14-05-09-demo improvements/2026-11-23T14-30-00-demo benches/2026-11-23T15-05-09-demo",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What `decide` was asked for."""

    run: str = argument("RUN", "what `report` takes: a run folder, a file of spans, jaeger://…")
    benches: tuple[Path, ...] = argument(
        "BENCH",
        "folders that `bench`, `improve` and `train` made of the same model and suite",
        nargs="*",
        parse=path,
    )
    judgement: TargetOptions = group("judgement", TargetOptions)
    output: OutputOptions = group("output", OutputOptions)


@without_collections()
def execute(options: Options) -> int:
    """Write the decision. Raises UsageError or InputError."""
    from punie.trace.commands.output import Output
    from punie.trace.report.builders.decision import build_decision
    from punie.trace.report.formats import Material
    from punie.trace.usecases.decision import decide_from
    from punie.trace.usecases.run_report import VerdictTargets

    output = Output.of(options.output, (Material.VERDICTS,))
    judgement = VerdictTargets(options.judgement.target_ns, options.judgement.max_memory_bytes)
    output.write(build_decision(decide_from(options.run, options.benches, judgement)))
    return ExitCode.OK
