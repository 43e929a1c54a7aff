"""How often `improve` sells luck as speed, and confirms what is there: `python benchmarks/improve_rates.py`.

Each simulated `improve` goes the whole way: the real ranking, planner, stopping rule and analysis; only the executor is
replaced. Its times are drawn from recorded A/A cells: server starts of one and the same configuration, asked the same
queries one after the other (`improve_noise.json`; `--record RUN` makes that file from `punie-trace run --starts 48`).
A block takes consecutive cells from a random place of the record, so that starts, drift and tails are as they were
recorded; an arm's times are divided by its planted speed-up. With `--made-up` the noise is a generator's.

Shown are, with exact 95 % bounds (Clopper and Pearson): how often useless levers are sold as a speed-up (at most 5 %),
and how often a planted one is confirmed with an interval that holds it (at least 90 %).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.observation import Observation, TurnOutput
from punie.trace.analysis.experiment.plan import ExperimentPlan
from punie.trace.analysis.improvement.measurement import measure
from punie.trace.analysis.improvement.model import (
    Budget,
    ImprovementEnding,
    LeverCandidate,
    LeverSet,
    Stage,
    StageMeasurement,
    StagePlan,
)
from punie.trace.analysis.improvement.planner import ImprovementState
from punie.trace.analysis.improvement.ranking import rank
from punie.trace.analysis.records import QueryLedger, QueryRecord
from punie.trace.analysis.statistics.distributions import clopper_pearson_lower
from punie.trace.bench.improving import improve
from punie.trace.model import PHASES, Phase

RECORDED = Path(__file__).with_name("improve_noise.json")
USELESS = 4  # levers that do nothing, in every simulation
PLANTED = (1.0, 1.1, 1.3, 2.0)
MACHINES = {"quiet": (0.03, 0.05), "busy": (0.05, 0.08)}  # how much server starts, and answers, vary
_QUERIES_NS = (850e6, 1500e6, 900e6, 550e6, 400e6)


@dataclass(frozen=True, slots=True)
class Noise:
    """Recorded cells in the order in which they ran: nanoseconds of each query."""

    cells: tuple[tuple[int, ...], ...]
    about: str = ""

    @classmethod
    def read(cls, path: Path) -> Noise:
        """The cells of a file that `--record` wrote."""
        table = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(tuple(cell) for cell in table["cells_ns"]), table["about"])

    @classmethod
    def made_up(cls, generator: random.Random, machine: str = "quiet", cells: int = 96) -> Noise:
        """As of a `MACHINES`: starts and answers vary, it drifts by 2 %, 3 % of answers take 1.4 times as long."""
        starts, answers = MACHINES[machine]
        made = []
        for number in range(cells):
            start = math.exp(generator.gauss(0, starts) + 0.02 * math.sin(number / 10))
            made.append(tuple(round(ns * start * _answer(generator, answers)) for ns in _QUERIES_NS))
        return cls(
            tuple(made),
            f"made up: starts {starts:.0%}, answers {answers:.0%}, drift 2 %, 3 % of answers 1.4 times as long",
        )

    def stretch(self, count: int, generator: random.Random) -> tuple[tuple[int, ...], ...]:
        """`count` consecutive cells from a random place; the record's end is followed by its beginning."""
        place = generator.randrange(len(self.cells))
        return tuple(self.cells[(place + step) % len(self.cells)] for step in range(count))


def _answer(generator: random.Random, spread: float) -> float:
    return math.exp(generator.gauss(0, spread)) * (1.4 if generator.random() < 0.03 else 1)


@dataclass
class Simulated:
    """An executor whose servers are recorded cells. `true` is the speed-up of each lever; levers multiply."""

    noise: Noise
    true: Mapping[str, float]
    generator: random.Random
    seen: dict[Stage, list[Observation]] = field(default_factory=dict)
    cells: int = 0

    async def measure(self, plan: StagePlan) -> StageMeasurement:
        """The blocks of `plan` that aren't there yet, and all of the stage so far."""
        seen = self.seen.setdefault(plan.stage, [])
        experiment = self._experiment(plan)
        for block in range(len({one.block for one in seen}), plan.blocks):
            seen += self._block(experiment.arms, block)
        return measure(plan.stage, Measured(experiment, tuple(seen)))

    def _experiment(self, plan: StagePlan) -> ExperimentPlan:
        named = [Arm("+".join(levers), levers=levers, output=ExpectedOutput.SAME) for levers in plan.arms]
        return ExperimentPlan(
            bench_id="simulated",
            arms=(Arm("baseline", output=ExpectedOutput.SAME), *named),
            baseline="baseline",
            suite_name="simulated",
            suite_hash="",
            queries=tuple(str(number) for number in range(len(self.noise.cells[0]))),
            blocks=plan.blocks,
            repeats=1,
            seed=0,
            created="",
        )

    def budget(self) -> Budget:
        """Any amount of time."""
        return Budget(None, self.cells, 1)

    def speed_up(self, levers: LeverSet) -> float:
        """The true one of these levers together."""
        product = 1.0
        for name in levers:
            product *= self.true[name]
        return product

    def _block(self, arms: Sequence[Arm], block: int) -> Iterator[Observation]:
        order = self.generator.sample(arms, len(arms))
        for arm, cell in zip(order, self.noise.stretch(len(order), self.generator), strict=True):
            self.cells += 1
            for number, ns in enumerate(cell):
                yield _observation(arm.name, block, number, round(ns / self.speed_up(arm.levers)))


def _observation(arm: str, block: int, number: int, wall_ns: int) -> Observation:
    phases = dict.fromkeys(PHASES, 0) | {Phase.DECODE: wall_ns}
    key = f"{arm}/{block}/{number}"
    ledger = QueryLedger(key, number, wall_ns, phases, {}, {})
    record = QueryRecord(str(number), key, ledger, ok=True, model_requests=1, output_tokens=40)
    return Observation(arm, block, f"{arm}/{block}", record, outputs=(TurnOutput("same"),))


@dataclass(frozen=True, slots=True)
class Run:
    """How one simulated `improve` ended; `holds`: its interval holds the true speed-up of what it confirmed."""

    ending: ImprovementEnding
    true: float
    holds: bool
    blocks: int


def improve_with(executor: Simulated) -> tuple[ImprovementState, ImprovementEnding]:
    """The whole way, with the levers that the executor knows."""
    candidates = tuple(LeverCandidate(name, name, name, ExpectedOutput.SAME) for name in executor.true)
    return asyncio.run(improve(executor, lambda _baseline: ImprovementState(rank(candidates), {})))


def simulate(noise: Noise, planted: float, generator: random.Random) -> Run:
    """One `improve` with a lever of `planted` speed-up among useless ones."""
    true = {f"useless-{number}": 1.0 for number in range(USELESS)} | {"planted": planted}
    executor = Simulated(noise, true, generator)
    state, ending = improve_with(executor)
    found = state.confirmation
    speed_up = executor.speed_up(state.winner or ())
    holds = found is not None and found.interval is not None and found.interval.holds(speed_up)
    return Run(ending, speed_up, holds, found.blocks if found else 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the rates, or record noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="simulated improves for each planted speed-up")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planted", type=float, nargs="+", default=PLANTED, help="these lines alone")
    parser.add_argument("--noise", type=Path, default=RECORDED, help="a file that --record wrote")
    parser.add_argument(
        "--made-up", nargs="?", const="quiet", choices=MACHINES, help="noise from a generator (quiet)"
    )
    parser.add_argument(
        "--record", type=Path, help="a run folder of many server starts: write its cells to --noise"
    )
    options = parser.parse_args(arguments)
    if options.record:
        options.noise.write_text(recorded(options.record), encoding="utf-8")
        return 0
    generator = random.Random(options.seed)  # noqa: S311 # simulation
    noise = Noise.made_up(generator, options.made_up) if options.made_up else Noise.read(options.noise)
    sys.stdout.write(f"noise: {noise.about}, {len(noise.cells)} cells\n")
    for planted in options.planted:
        generator = random.Random(f"{options.seed}/{planted}")  # noqa: S311 # simulation
        runs = [simulate(noise, planted, generator) for _ in range(options.runs)]
        sys.stdout.write(line(planted, runs))
        sys.stdout.flush()
    return 0


def line(planted: float, runs: Sequence[Run]) -> str:
    """One line of the table."""
    endings = Counter(run.ending for run in runs)
    improved = [run for run in runs if run.ending is ImprovementEnding.IMPROVED]
    sold = sum(run.true <= 1 for run in improved)
    right = sum(run.holds and run.true > 1 for run in improved)
    blocks = sorted(run.blocks for run in improved)
    shares = " ".join(
        f"{ending.value} {endings[ending] / len(runs):.1%}" for ending in ImprovementEnding if endings[ending]
    )
    median = f", median of {blocks[len(blocks) // 2]} blocks to confirm" if blocks else ""
    return (
        f"planted {planted:.2f}: {shares}{median}\n"
        f"  useless sold as a speed-up {_share(sold, len(runs))}"
        + (f"; confirmed, and its interval holds the truth {_share(right, len(runs))}" if planted > 1 else "")
        + "\n"
    )


def _share(count: int, runs: int) -> str:
    low = clopper_pearson_lower(count, runs, level=0.975)
    high = 1 - clopper_pearson_lower(runs - count, runs, level=0.975)
    return f"{count / runs:.1%} ({low:.1%}–{high:.1%})"


def recorded(folder: Path) -> str:
    """The cells of a run as text of a noise file: server starts in which every query was answered."""
    from punie.trace.usecases.load import load_source
    from punie.trace.usecases.run_report import VerdictTargets, build_report

    report = build_report(load_source(str(folder)), VerdictTargets())
    starts: dict[int, dict[str, int]] = {}
    for record in report.analysis.records:
        if record.error is None and not record.truncated:
            starts.setdefault(record.server_start, {})[record.query_id] = record.wall_ns
    queries = sorted({query for start in starts.values() for query in start})
    cells = [
        [starts[n][query] for query in queries] for n in sorted(starts) if len(starts[n]) == len(queries)
    ]
    about = f"{report.about.model}, recorded {report.about.created}, {len(cells)} server starts of one configuration"
    return json.dumps({"about": about, "queries": queries, "cells_ns": cells}) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
