"""How often the benchmark of draft models decides rightly, in simulation: `python benchmarks/speculative_rates.py`.

A planted speed-up of 0, 10, 30 or 60 % should be decided rightly in at least 80 % of the runs and wrongly in at most
5 %; at 20 %, the threshold itself, `undecided` is the fair answer. Wall times vary by query, by block (what all arms
of a block share), by server start and from asking to asking; each is a lognormal factor. Every run goes the whole way
from records to the verdict of the best k, with three k of which one has the planted speed-up and the others less.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from punie.trace.analysis.experiment.arms import PromptCache
from punie.trace.analysis.experiment.observation import Observation, TurnOutput
from punie.trace.analysis.experiment.size import DEFAULT_BLOCKS, DEFAULT_REPEATS
from punie.trace.analysis.records import QueryLedger, QueryRecord
from punie.trace.analysis.speculative.benchmark import BenchmarkMeasurements, analyse_benchmark
from punie.trace.analysis.speculative.model import (
    BATCHED,
    SAME_AGAIN,
    SEQUENTIAL,
    BenchPlan,
    DecodingMode,
    SpeculativeArm,
)
from punie.trace.analysis.statistics.distributions import t_quantile
from punie.trace.model import PHASES, Phase, Verdict

PLANTED = (1.0, 1.1, 1.2, 1.3, 1.6)
OTHERS = (0.95, 0.9)  # the other two k, relative to the planted one
RIGHT = {1.0: Verdict.NO, 1.1: Verdict.NO, 1.3: Verdict.YES, 1.6: Verdict.YES}
QUERIES_S = (0.25, 0.7, 0.45, 1.6, 1.0)  # medians of the demo's five queries on two cores


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of log wall time, by where they come from."""

    name: str
    start: float
    block: float
    query: float
    asking: float


NOISES = (
    Noise("quiet machine", start=0.03, block=0.03, query=0.03, asking=0.05),
    Noise("busy machine", start=0.15, block=0.10, query=0.05, asking=0.22),
)
DRAFTS = tuple(SpeculativeArm(f"draft0-k{k}", DecodingMode.DRAFT, 0, k) for k in (2, 3, 5))
PLAIN = (
    SpeculativeArm(BATCHED, DecodingMode.BATCHED, prompt_cache=PromptCache.SERVER),
    SpeculativeArm(SAME_AGAIN, DecodingMode.BATCHED, prompt_cache=PromptCache.SERVER),
    SpeculativeArm(SEQUENTIAL, DecodingMode.SEQUENTIAL),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the share of yes, no and undecided for every noise, planted speed-up and number of blocks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400, help="simulated benchmarks for each line")
    parser.add_argument("--blocks", type=int, nargs="+", default=[DEFAULT_BLOCKS])
    parser.add_argument("--repeats", type=int, default=DEFAULT_REPEATS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    for noise in NOISES:
        for blocks in options.blocks:
            sys.stdout.write(
                f"{noise.name}: sd of log time start {noise.start}, block {noise.block}, query {noise.query}, "
                f"asking {noise.asking}; {blocks} blocks, {options.repeats} repeats\n"
            )
            for line in _lines(noise, blocks, options.repeats, options.runs, options.seed):
                sys.stdout.write(line)
    return 0


def _lines(noise: Noise, blocks: int, repeats: int, runs: int, seed: int) -> Iterator[str]:
    for planted in PLANTED:
        verdicts, held = simulate(noise, planted, blocks=blocks, repeats=repeats, runs=runs, seed=seed)
        right = RIGHT.get(planted)
        wrong = sum(
            n for verdict, n in verdicts.items() if right and verdict not in (right, Verdict.UNDECIDED)
        )
        shares = "  ".join(
            f"{v.value} {verdicts[v] / runs:6.1%} {_wilson(verdicts[v], runs)}" for v in Verdict
        )
        judged = (
            f"right {verdicts[right] / runs:6.1%}, wrong {wrong / runs:5.1%}" if right else "either is chance"
        )
        yield f"  planted {planted:.2f}  {shares}  {judged}; interval holds it {held / runs:6.1%}\n"


def simulate(
    noise: Noise, planted: float, *, blocks: int, repeats: int, runs: int, seed: int
) -> tuple[Counter[Verdict], int]:
    """The verdicts of `runs` simulated benchmarks, and how often the interval of the best held the planted one."""
    generator = random.Random(f"{seed}/{noise.name}/{planted}/{blocks}/{repeats}")  # noqa: S311 # simulation
    verdicts: Counter[Verdict] = Counter()
    held = 0
    for _ in range(runs):
        found = analyse_benchmark(measurements(noise, planted, blocks, repeats, generator))
        verdicts[found.verdict] += 1
        interval = found.best.interval if found.best else None
        held += interval is not None and interval.holds(planted)
    return verdicts, held


def measurements(
    noise: Noise, planted: float, blocks: int, repeats: int, generator: random.Random
) -> BenchmarkMeasurements:
    """One simulated benchmark."""
    factors = {BATCHED: 1.0, SAME_AGAIN: 1.0, SEQUENTIAL: 1.05}
    factors |= {
        arm.name: 1 / (planted * f) for arm, f in zip(DRAFTS, (OTHERS[0], 1.0, OTHERS[1]), strict=True)
    }
    plan = _plan(blocks, repeats)
    seen = []
    for block in range(blocks):
        shared = math.exp(noise.block * generator.gauss())
        queries = [median * math.exp(noise.query * generator.gauss()) for median in QUERIES_S]
        for server, arms in (("b", PLAIN[:1]), ("aa", PLAIN[1:2]), ("s", PLAIN[2:]), ("d", DRAFTS)):
            start = math.exp(noise.start * generator.gauss())
            for arm in arms:
                for repeat in range(repeats):
                    for number, seconds in enumerate(queries):
                        asking = math.exp(noise.asking * generator.gauss())
                        wall = seconds * shared * start * asking * factors[arm.name]
                        seen.append(_observation(arm, block, f"{server}{block}", number, repeat, wall))
    return BenchmarkMeasurements(plan, tuple(seen))


def _plan(blocks: int, repeats: int) -> BenchPlan:
    return BenchPlan(
        bench_id="simulated",
        model="target",
        drafts=("draft",),
        arms=(*PLAIN, *DRAFTS),
        suite_name="simulated",
        suite_hash="",
        queries=tuple(map(str, range(len(QUERIES_S)))),
        blocks=blocks,
        repeats=repeats,
        seed=0,
        created="",
    )


def _observation(
    arm: SpeculativeArm, block: int, start: str, number: int, repeat: int, seconds: float
) -> Observation:
    wall_ns = round(seconds * 1e9)
    phases = dict.fromkeys(PHASES, 0) | {Phase.DECODE: wall_ns}
    key = f"{arm.name}/{block}/{repeat}/{number}"
    ledger = QueryLedger(key, repeat, wall_ns, phases, {}, {})
    record = QueryRecord(str(number), key, ledger, repeat=repeat, ok=True, model_requests=1, output_tokens=40)
    return Observation(arm.name, block, start, record, outputs=(TurnOutput("same"),))


def _wilson(count: int, runs: int) -> str:
    """Wilson's 95 % interval of a share."""
    z = t_quantile(0.975, 10**6)
    share, spread = count / runs, z * z / runs
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / runs + spread / (4 * runs)) / (1 + spread)
    return f"({middle - half:.1%} to {middle + half:.1%})"


if __name__ == "__main__":
    raise SystemExit(main())
