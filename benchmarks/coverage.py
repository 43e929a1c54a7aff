"""How often intervals hold the truth, in simulation: `python benchmarks/coverage.py`, of shares and of `compare`.

Wall times are lognormal, shares logistic-normal and correlated with them (long queries generate more), repeats
differ by a few percent, and server starts shift decode and overhead apart. The truth is the share of a very
long suite. An interval that promises 95 % should come close to 95 % at every number of queries. What it doesn't: where
queries differ in length by orders of magnitude, and where a kind of query is rare enough to be missing from a few.

`--savings` is about what `what-if` predicts, of turns whose costs are linear in their tokens: the truth is the mean
saving of endless queries of that kind.

`--compared` is about the difference and the ratio of two sides instead (`planted_starts.py`), whose decode differs by a
planted factor: the truth is that of the same queries over endless starts and repeats.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from planted_starts import Noise, Shape, planted, true_means_ns

from punie.trace.analysis.comparison.design import design_of
from punie.trace.analysis.comparison.measures import END_TO_END
from punie.trace.analysis.records import QueryLedger, QueryRecord
from punie.trace.analysis.statistics.ratio import RatioUnit, half_width, jackknife_t, ratio
from punie.trace.analysis.statistics.share import share_over_wall
from punie.trace.analysis.what_if.cost_model import cost_model
from punie.trace.analysis.what_if.observed import ObservedQuery, ObservedTurn
from punie.trace.analysis.what_if.prediction import savings_of
from punie.trace.model import Group, Phase

LEVEL = 0.95
TRUTH_QUERIES = 400_000
PERCENTILE_RESAMPLES = 999


@dataclass(frozen=True, slots=True)
class Population:
    """What queries are like: spread of log wall time and of log-odds share, their correlation, the noise."""

    name: str
    log_odds: float
    wall_sigma: float = 0.7
    share_sigma: float = 0.6
    correlation: float = 0.5
    repeat_sigma: float = 0.03
    start_sigma: float = 0.0
    without_model: float = 0.0

    def query(self, generator: random.Random) -> RatioUnit:
        """One query: seconds of generation and of wall time, before noise."""
        common, own = generator.gauss(), generator.gauss()
        mixed = self.correlation * common + math.sqrt(1 - self.correlation**2) * own
        wall = math.exp(self.wall_sigma * common)
        if self.without_model and generator.random() < self.without_model:
            return RatioUnit(0.0, wall)
        return RatioUnit(wall / (1 + math.exp(-self.log_odds - self.share_sigma * mixed)), wall)

    def truth(self) -> float:
        """The share of a very long suite."""
        generator = random.Random(0)  # noqa: S311 - simulation
        return ratio([self.query(generator) for _ in range(TRUTH_QUERIES)]) or 0.0

    def run(self, generator: random.Random, queries: int, starts: int, repeats: int) -> list[QueryRecord]:
        """One simulated run. A start multiplies the generation of all its queries by one factor."""
        suite = [self.query(generator) for _ in range(queries)]
        records = []
        for start in range(starts):
            shift = math.exp(self.start_sigma * generator.gauss())
            for repeat in range(repeats):
                for number, unit in enumerate(suite):
                    noise = math.exp(self.repeat_sigma * generator.gauss())
                    records.append(_record(number, repeat, start, unit, shift * noise))
        return records


SLOWER_BY = 1.15
QUIET, STARTS, BUSY = Noise(0.0, 0.0, 0.05), Noise(0.0, 0.03, 0.05), Noise(0.2, 0.03, 0.05)
COMPARED = (
    ("1 + 1 starts, asked once, starts alike", QUIET, Shape(1, 1, repeats=1)),
    ("1 + 1 starts, 3 repeats, starts alike", QUIET, Shape(1, 1)),
    ("1 + 1 starts, 3 repeats, not covered", STARTS, Shape(1, 1)),
    ("1 + 4 starts, 3 repeats", STARTS, Shape(1, 4)),
    ("2 + 2 starts, 3 repeats", STARTS, Shape(2, 2)),
    ("2 + 5 starts, 3 repeats", STARTS, Shape(2, 5)),
    ("3 + 3 starts, 3 repeats", STARTS, Shape(3, 3)),
    ("4 + 4 starts, 3 repeats", STARTS, Shape(4, 4)),
    ("8 + 8 starts, 3 repeats", STARTS, Shape(8, 8)),
    ("8 pairs in turns, 3 repeats, a busy machine", BUSY, Shape(8, 8, in_turns=True)),
)
POPULATIONS = (
    Population("share near 70 %", 0.85),
    Population("share near 90 %", 2.2),
    Population("uncorrelated", 0.85, correlation=0.0),
    Population("lengths differ by orders of magnitude", 0.55, wall_sigma=1.2),
    Population("one query of ten needs no model", 1.2, without_model=0.1),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print coverage and mean width for every population and number of queries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400, help="simulated runs for each figure")
    parser.add_argument("--queries", type=int, nargs="+", default=[5, 10, 40])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compared", action="store_true", help="of two sides' difference and ratio instead")
    parser.add_argument("--savings", action="store_true", help="of what changes would save instead")
    options = parser.parse_args(arguments)
    lines = _compared if options.compared else _savings if options.savings else _shares
    for line in lines(options):
        sys.stdout.write(line)
        sys.stdout.flush()
    return 0


def _compared(options: argparse.Namespace) -> Iterator[str]:
    for name, noise, shape in COMPARED:
        for queries in options.queries:
            asked = replace(shape, queries=queries)
            line = _over_comparisons(noise, asked, options.runs, options.seed)
            yield f"{name:<46} {queries:4} queries  {line}\n"


NS_PER_OUTPUT, NS_PER_PROMPT = 10e6, 1e6


def _savings(options: argparse.Namespace) -> Iterator[str]:
    for sigma in (0.4, 1.0):
        for queries in options.queries:
            generator = random.Random(options.seed)  # noqa: S311 - simulation
            seen: dict[str, list[tuple[bool, float]]] = {}
            for _ in range(options.runs):
                asked = [_observed(number, sigma, generator) for number in range(queries)]
                for slug, held in _held(asked, _true_savings(sigma)):
                    seen.setdefault(slug, []).append(held)
            for slug, held_by in seen.items():
                known = f"known in {len(held_by) / options.runs:.0%}"
                yield f"answers' lengths {sigma:.1f}, {queries:3} queries, {slug:9} {known}: {_coverage(held_by)}\n"


def _observed(number: int, sigma: float, generator: random.Random) -> ObservedQuery:
    """One or two turns; `sigma` is the spread of the logarithm of the answers' lengths."""

    def noisy(value: float, spread: float) -> int:
        return max(1, round(value * math.exp(spread * generator.gauss())))

    wordy, clock, turns = math.exp(sigma * generator.gauss()), 0, []
    for _ in range(1 + (generator.random() < 0.6)):
        output, prompt = noisy(60 * wordy, 0.4), noisy(300, 0.5)
        again = round(prompt * generator.random() / 2)
        prefill, decode = noisy(prompt * NS_PER_PROMPT, 0.05), noisy(output * NS_PER_OUTPUT, 0.05)
        end = clock + prefill + decode + noisy(50e6, 0.2)
        turns.append(ObservedTurn(clock, end, prompt, output, prefill, decode, (again, again)))
        clock = end
    return ObservedQuery(f"q{number}", 0, 0, clock, tuple(turns), 0)


@lru_cache
def _true_savings(sigma: float) -> dict[str, float]:
    generator = random.Random(0)  # noqa: S311 - simulation
    turns = [turn for number in range(20_000) for turn in _observed(number, sigma, generator).turns]
    return {
        "output-20": sum(0.2 * NS_PER_OUTPUT * turn.output_tokens for turn in turns) / 20_000,
        "cache": sum(NS_PER_PROMPT * (turn.read_again or (0, 0))[0] for turn in turns) / 20_000,
    }


def _held(
    asked: Sequence[ObservedQuery], truth: dict[str, float]
) -> Iterator[tuple[str, tuple[bool, float]]]:
    """Of each saving that is predicted with an interval, whether that holds the true one, and its relative width."""
    model = cost_model(asked)
    for saving in savings_of(asked, model) if model else ():
        if saving.slug in truth and saving.low_ns is not None and saving.high_ns is not None:
            true_ns = truth[saving.slug]
            held = saving.low_ns <= true_ns <= saving.high_ns
            yield saving.slug, (held, (saving.high_ns - saving.low_ns) / true_ns)


def _shares(options: argparse.Namespace) -> Iterator[str]:
    for population in POPULATIONS:
        truth = population.truth()
        yield f"{population.name}: truth {truth:.3f}\n"
        for queries in options.queries:
            yield from _over_queries(population, truth, queries, options.runs, options.seed)
    for start_sigma in (0.1, 0.4):
        for starts in (2, 3, 5):
            yield _over_starts(start_sigma, 5, starts, options.runs, options.seed)
    for queries, starts in ((20, 8), (20, 20), (40, 10)):  # of which both count about alike
        yield _over_starts(0.78 * math.sqrt(starts / queries), queries, starts, options.runs, options.seed)


def _over_queries(population: Population, truth: float, queries: int, runs: int, seed: int) -> Iterator[str]:
    generator = random.Random(seed)  # noqa: S311 - simulation
    outcomes: dict[str, list[tuple[bool, float]]] = {"ours": [], "jackknife-t": [], "percentile": []}
    for _ in range(runs):
        units = [population.query(generator) for _ in range(queries)]
        share = ratio(units) or 0.0
        width = half_width(units, level=LEVEL)
        if width is None:
            raise SystemExit("--queries: at least 2")
        jackknife = jackknife_t(units, level=LEVEL)
        ends = {
            "ours": (share - width.value, share + width.value),
            "jackknife-t": (share - jackknife, share + jackknife),
            "percentile": _percentile(units, generator),
        }
        for name, (low, high) in ends.items():
            outcomes[name].append((low <= truth <= high, min(1.0, high) - max(0.0, low)))
    for name, seen in outcomes.items():
        yield f"  {queries:4} queries  {name:12} {_coverage(seen)}\n"


def _over_starts(start_sigma: float, queries: int, starts: int, runs: int, seed: int) -> str:
    """Coverage with server starts that shift the share: 2 repeats."""
    generator = random.Random(seed)  # noqa: S311 - simulation
    population = replace(POPULATIONS[0], start_sigma=start_sigma)
    truth = _truth_with_starts(population)
    seen = []
    for _ in range(runs):
        estimate = share_over_wall(population.run(generator, queries, starts, 2), _generation_ns)
        if estimate is None or estimate.interval is None:
            raise AssertionError("a simulated run has wall time and an interval")
        interval = estimate.interval
        seen.append((interval.holds(truth), interval.high - interval.low))
    return f"{starts} starts, shift {start_sigma:.2f}, {queries} queries, ours: {_coverage(seen)}\n"


def _truth_with_starts(population: Population) -> float:
    generator = random.Random(0)  # noqa: S311 - simulation
    units = []
    for _ in range(TRUTH_QUERIES):
        query = population.query(generator)
        extra = query.part * (math.exp(population.start_sigma * generator.gauss()) - 1)
        units.append(RatioUnit(query.part + extra, query.whole + extra))
    return ratio(units) or 0.0


def _percentile(units: Sequence[RatioUnit], generator: random.Random) -> tuple[float, float]:
    shares = sorted(ratio(generator.choices(units, k=len(units))) or 0.0 for _ in range(PERCENTILE_RESAMPLES))
    return shares[24], shares[974]


def _over_comparisons(noise: Noise, shape: Shape, runs: int, seed: int) -> str:
    """Coverage of the wall time's difference and ratio, B with slower decode, and the mean width for A's mean."""
    generator = random.Random(seed)  # noqa: S311 - simulation
    a_ns, b_ns = true_means_ns(noise, shape, SLOWER_BY)
    difference, of_ratio = [], []
    for _ in range(runs):
        sides = planted(noise, shape, generator, SLOWER_BY)
        design = design_of(*sides, [END_TO_END])
        means = design.means(0) if design else None
        if means is None:
            raise AssertionError(f"{shape} has no interval")
        half = means.half_width
        difference.append((abs(means.difference - (b_ns - a_ns)) <= half, 2 * half / a_ns))
        low, high = means.ratio_interval() or (0.0, math.inf)
        of_ratio.append((low <= b_ns / a_ns <= high, high - low))
    return f"difference {_coverage(difference)}; ratio {_coverage(of_ratio)}"


def _coverage(seen: Sequence[tuple[bool, float]]) -> str:
    holds = sum(held for held, _ in seen) / len(seen)
    error = math.sqrt(holds * (1 - holds) / len(seen))
    width = sum(width for _, width in seen) / len(seen)
    return f"covers {holds:6.1%} (+- {error:.1%}), mean width {width:.3f}"


def _generation_ns(record: QueryRecord) -> int:
    return record.ledger.group_ns(Group.GENERATION)


def _record(number: int, repeat: int, start: int, unit: RatioUnit, factor: float) -> QueryRecord:
    decode_ns, rest_ns = round(unit.part * factor * 1e9), round((unit.whole - unit.part) * 1e9)
    phases = dict.fromkeys(Phase, 0) | {Phase.DECODE: decode_ns, Phase.FRAMEWORK: rest_ns}
    key = f"{number}-{repeat}-{start}"
    ledger = QueryLedger(key, 0, decode_ns + rest_ns, phases, {}, {})
    return QueryRecord(str(number), key, ledger, repeat=repeat, server_start=start, ok=True)


if __name__ == "__main__":
    raise SystemExit(main())
