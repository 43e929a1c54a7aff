"""How often `compare` cries wolf, and how often it finds 15 % more decode: `python benchmarks/compare_rates.py`.

With thresholds 0, a comparison is of N pairs of server starts made in turns, drawn from a pool without replacement:

| from the pool | right answer |
| --- | --- |
| pairs that differ in nothing, sides by chance | no difference; a failed gate is a false alarm |
| pairs whose B takes 15 % longer for every token but a request's first (`slow_decode.py`) | slower, by decode |
| pairs that differ in nothing, B's decode scaled by 1.15 | slower, by decode |

The pool is real (`server_starts.py`: the real server, agent and demo model, query by query in turns) and finite, so
comparisons drawn from it overlap; the intervals (Wilson, 95 %) are those of the draws. `--synthetic` needs no server:
starts, repeats and pairs vary by planted amounts (`planted_starts.py`), and other designs are tried, also few starts
that differ in each phase by itself, where most claims could be wrong.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace
from planted_starts import Noise, Shape, planted
from server_starts import SAME, SLOWER, SLOWER_BY, collect, pairs

from punie.trace.analysis.comparison.compare import Comparison, compare
from punie.trace.analysis.comparison.gate import GateOutcome, Thresholds, judge
from punie.trace.analysis.comparison.sides import side_of
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.distributions import t_quantile
from punie.trace.analysis.verdicts.assessment import QueryEvidence
from punie.trace.model import Phase
from punie.trace.store.runs.run_folder import RunFolder

ZERO = Thresholds(0.0, 0)
Starts = tuple[QueryEvidence, QueryEvidence]
"""The evidence of a pair, A and B."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect what is missing, draw, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--pool", type=Path, default=Path("runs/compare-rates"), help="where the starts are kept"
    )
    parser.add_argument("--pairs", type=int, default=14, help="pairs of each kind in the pool")
    parser.add_argument("--repeats", type=int, default=3, help="passes over the suite in each start")
    parser.add_argument("--side", type=int, nargs="+", default=[6, 8, 12], help="server starts on each side")
    parser.add_argument("--draws", type=int, default=200, help="comparisons for each rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--synthetic", action="store_true", help="planted noise, no server")
    options = parser.parse_args(arguments)
    lines = synthetic(options.draws, options.seed) if options.synthetic else real(options)
    for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


def real(options: argparse.Namespace) -> Iterator[str]:
    """The rates over the pool."""
    collect(options.pool, options.pairs, repeats=options.repeats)
    same, slower = (_load(options.pool, kind) for kind in (SAME, SLOWER))
    yield f"pool: {len(same)} pairs that differ in nothing, {len(slower)} with {SLOWER_BY:.0%} more decode in B"
    scaled = [(a, _scaled(b, 1 + SLOWER_BY)) for a, b in same]
    for name, pool in (("same", same), ("slower", slower)):
        yield f"{name}: {_planted(pool)}"
    for side in options.side:
        for name, pool, flip in (
            ("no change", same, True),
            ("slower server", slower, False),
            ("scaled decode", scaled, False),
        ):
            yield _rates(f"{side} pairs, {name}", _draw(pool, side, options.draws, options.seed, flip=flip))


def _planted(pool: Sequence[Starts]) -> str:
    """What B's decode was of A's, by pairs: the mean, its interval, and how far pairs are apart."""
    logs = [math.log(_decode_ns(b) / _decode_ns(a)) for a, b in pool]
    mean, spread = statistics.fmean(logs), statistics.stdev(logs)
    half = t_quantile(0.975, len(logs) - 1) * spread / math.sqrt(len(logs))
    low, high = math.exp(mean - half), math.exp(mean + half)
    return f"decode of B over A {math.exp(mean):.3f} [{low:.3f}, {high:.3f}], pairs {spread:.1%} apart (SD of the log)"


def _decode_ns(evidence: QueryEvidence) -> int:
    return sum(record.ledger.phases_ns[Phase.DECODE] for record in evidence.records)


def _load(pool: Path, kind: str) -> list[Starts]:
    return [(_evidence(pair.a), _evidence(pair.b)) for pair in pairs(pool, kind)]


def _evidence(path: Path) -> QueryEvidence:
    folder = RunFolder.open(path)
    read = read_queries(folder.load_spans(), folder.read_plan().planned)
    asked = tuple(replace(record, critical_path=None) for record in read.records if not record.warmup)
    return QueryEvidence(asked, tuple(read.findings), read.missing)


def _scaled(evidence: QueryEvidence, factor: float) -> QueryEvidence:
    """As if every nanosecond of decode had taken `factor` times as long and all after it had come later."""
    return replace(evidence, records=tuple(_with_decode(record, factor) for record in evidence.records))


def _with_decode(record: QueryRecord, factor: float) -> QueryRecord:
    ledger = record.ledger
    phases = dict(ledger.phases_ns)
    extra = round(phases[Phase.DECODE] * (factor - 1))
    phases[Phase.DECODE] += extra
    return replace(record, ledger=replace(ledger, phases_ns=phases, wall_ns=ledger.wall_ns + extra))


def _draw(pool: Sequence[Starts], side: int, draws: int, seed: int, *, flip: bool) -> Iterator[Comparison]:
    """`draws` comparisons of `side` pairs, each drawn without replacement; `flip` tosses which of a pair is A."""
    generator = random.Random(seed)  # noqa: S311 - simulation
    if side > len(pool):
        raise SystemExit(f"--side {side}: the pool has {len(pool)} pairs")
    for _ in range(draws):
        chosen = generator.sample(pool, side)
        turned = [(b, a) if flip and generator.random() < 0.5 else (a, b) for a, b in chosen]
        yield compare(side_of([a for a, _ in turned]), side_of([b for _, b in turned]))


_ALIKE, _BUSY, _APART = Noise(0.0, 0.03, 0.05), Noise(0.2, 0.03, 0.05), Noise(0.0, 0.05, 0.01, by_phase=True)
SYNTHETIC: Sequence[tuple[str, Noise, Shape]] = (
    ("1 start a side, 5 repeats", _ALIKE, Shape(1, 1, repeats=5)),
    ("3 starts a side", _ALIKE, Shape(3, 3)),
    ("4 starts a side", _ALIKE, Shape(4, 4)),
    ("8 starts a side", _ALIKE, Shape(8, 8)),
    ("8 pairs, a busy machine", _BUSY, Shape(8, 8, in_turns=True)),
    ("8 a side, busy, not in turns", _BUSY, Shape(8, 8)),
    ("1 + 2 starts, each phase by itself", _APART, Shape(1, 2)),
    ("2 + 2 starts, each phase by itself", _APART, Shape(2, 2)),
    ("2 + 3 starts, each phase by itself", _APART, Shape(2, 3)),
    ("3 + 3 starts, each phase by itself", _APART, Shape(3, 3)),
    ("4 + 4 starts, each phase by itself", _APART, Shape(4, 4)),
)


def synthetic(draws: int, seed: int) -> Iterator[str]:
    """The rates of several designs with planted noise."""
    for name, noise, shape in SYNTHETIC:
        for what, factor in (("no change", 1.0), (f"+{SLOWER_BY:.0%} decode", 1 + SLOWER_BY)):
            generator = random.Random(seed)  # noqa: S311 - simulation
            sides = (planted(noise, shape, generator, factor) for _ in range(draws))
            yield _rates(f"{name}, {what}", (compare(a, b) for a, b in sides))


def _rates(name: str, comparisons: Iterator[Comparison]) -> str:
    seen = list(comparisons)
    rates = (
        ("gate failed", lambda c: judge(c, ZERO).gate is GateOutcome.FAILED),
        ("decode slower", _decode_slower),
        ("any claim", lambda c: any(change.is_significant for change in c.changes)),
        ("of a group or phase", lambda c: any(change.is_significant for change in c.changes[1:])),
        ("undecided", lambda c: judge(c, ZERO).gate is GateOutcome.UNDECIDED),
    )
    return f"{name:<44}" + "".join(f"  {what} {_rate(seen, holds)}" for what, holds in rates)


def _decode_slower(comparison: Comparison) -> bool:
    return any(
        change.measure.name == Phase.DECODE.value and change.is_significant and change.difference_ns > 0
        for change in comparison.changes
    )


def _rate(seen: Sequence[Comparison], holds: Callable[[Comparison], bool]) -> str:
    count = sum(holds(comparison) for comparison in seen)
    low, high = wilson(count, len(seen))
    return f"{count / len(seen):6.1%} [{low:.1%}, {high:.1%}]"


def wilson(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a rate. Source: Wilson, JASA 22 (1927)."""
    z, rate = 1.959964, count / total
    scale = 1 + z * z / total
    middle = (rate + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


if __name__ == "__main__":
    raise SystemExit(main())
