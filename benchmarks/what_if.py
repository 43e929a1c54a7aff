"""Do the predictions of `report` come true? `python benchmarks/what_if.py`.

Each pair runs the same suite twice on the demo model, before and after one change that can be made for real, and
holds what the first run's spans predict against what the second run measured, mean seconds a query:

| change | before | after | predicted by |
| --- | --- | --- | --- |
| prompt cache | `--cache off` | `--cache server` | the tokens that were read again, times their fitted cost |
| shorter output | general questions | with `--max-tokens` | each query's real output tokens, times their fitted cost |
| faster decode | plain | with the demo draft | the measured ratio of decode, over decode's time |

The second and third say whether the rest of a query stays what it was: how much shorter or faster is taken from the
second run, what that is worth is predicted from the first alone. Pairs are repeated with new server starts, in turn
before-after and after-before; the intervals are Student's over the pairs. A prediction is refuted if the interval of
its error, predicted less measured in the same pair, leaves out zero; else it is as right as so many pairs can tell.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from punie.trace.__main__ import main as punie_trace
from punie.trace.analysis.cache.bill import cache_bill
from punie.trace.analysis.pipeline import read_queries
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.distributions import t_quantile
from punie.trace.analysis.what_if.cost_model import Costs, cost_model
from punie.trace.analysis.what_if.improvements import IMPROVEMENTS, Scenario, combined, saved_ns
from punie.trace.analysis.what_if.observed import ObservedQuery, observe
from punie.trace.model import Phase
from punie.trace.store.runs.run_folder import RunFolder

GENERAL = """name = "general"
version = 1
""" + "".join(
    f'\n[[query]]\nid = "{name}"\ntext = "{text}"\nexpect = "direct"\nmentions = ["{mention}"]\n'
    for name, text, mention in (
        ("injection", "What is dependency injection in Django?", "depend"),
        ("orm", "What is the difference between Django ORM and raw SQL?", "sql"),
        ("middleware", "What is middleware in Django?", "request"),
        ("decorator", "What is a decorator?", "function"),
        ("generator", "What is a generator?", "value"),
        ("index", "What is a database index?", "row"),
    )
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run read back: every asked query, cut ones too, and the fitted costs (None if they can't be told)."""

    queries: Mapping[str, ObservedQuery]
    costs: Costs | None
    decode_ns: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One change: the arguments of `run` before and after, and the predicted mean saving in ns from both runs."""

    name: str
    suite: bool
    before: tuple[str, ...]
    after: tuple[str, ...]
    predict: Callable[[Run, Run], float]


def _cache(before: Run, after: Run) -> float:
    del after
    change = next(change for change in IMPROVEMENTS if change.slug == "cache")
    return _mean(before, lambda query: change, most=True)


def _shorter(before: Run, after: Run) -> float:
    def factor(query: ObservedQuery) -> Scenario:
        had = sum(turn.output_tokens for turn in query.turns)
        has = sum(turn.output_tokens for turn in after.queries[query.query_id].turns)
        return replace(IMPROVEMENTS[0], output=has / had)

    return _mean(before, factor)


def _faster(before: Run, after: Run) -> float:
    change = replace(IMPROVEMENTS[0], output=1.0, speed=before.decode_ns / after.decode_ns)
    return _mean(before, lambda query: change)


def _mean(before: Run, change: Callable[[ObservedQuery], Scenario], *, most: bool = False) -> float:
    if before.costs is None:
        raise SystemExit("the costs of a turn could not be fitted: use more queries or repeats")
    costs = before.costs
    return statistics.fmean(
        saved_ns(query, combined((change(query),)), costs, most_read_again=most)
        for query in before.queries.values()
    )


TRIALS = (
    Trial("prompt cache", False, ("--cache", "off"), ("--cache", "server"), _cache),
    Trial("shorter output", True, (), ("--max-tokens", "12"), _shorter),
    Trial("faster decode", False, ("--cache", "off"), ("--cache", "off", "--draft", "demo"), _faster),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every trial, print predicted beside measured."""
    parser = argparse.ArgumentParser(
        description="Predicted savings against measured ones, on the demo model."
    )
    parser.add_argument("--pairs", type=int, default=4, help="pairs of runs a change (default: 4)")
    parser.add_argument("--repeats", type=int, default=3, help="passes over the suite in a run (default: 3)")
    options = parser.parse_args(arguments)
    print(f"{'change':<16}{'measured':>22}{'predicted':>22}{'error':>22}")
    with tempfile.TemporaryDirectory() as folder:
        for trial in TRIALS:
            pairs = [_pair(trial, Path(folder), number, options.repeats) for number in range(options.pairs)]
            measured, predicted = ([pair[side] / 1e6 for pair in pairs] for side in (0, 1))
            error = [told - was for was, told in zip(measured, predicted, strict=True)]
            print(
                f"{trial.name:<16}{_text(measured):>22}{_text(predicted):>22}{_text(error):>22}", flush=True
            )
    return 0


def _pair(trial: Trial, folder: Path, number: int, repeats: int) -> tuple[float, float]:
    sides = [("before", trial.before), ("after", trial.after)]
    runs = {}
    for side, flags in sides if number % 2 == 0 else reversed(sides):
        runs[side] = _run(trial, flags, folder / f"{trial.name}-{number}-{side}", repeats)
    before, after = runs["before"], runs["after"]
    measured = _wall(before) - _wall(after)
    return measured, trial.predict(before, after)


def _wall(run: Run) -> float:
    return statistics.fmean(query.wall_ns for query in run.queries.values())


def _run(trial: Trial, flags: Sequence[str], folder: Path, repeats: int) -> Run:
    suite: list[str] = []
    if trial.suite:
        path = folder.parent / "general.toml"
        path.write_text(GENERAL)
        suite = ["--suite", str(path)]
    common = ["run", "--no-export", "--runs", str(folder), "--repeat", str(repeats), *suite, *flags]
    code = punie_trace([*common, "--format", "json", "-o", str(folder.parent / f"{folder.name}.json")])
    if code:
        raise SystemExit(f"punie-trace {' '.join(common)} ended with {code}")
    run = RunFolder.open(next(folder.iterdir()))
    read = read_queries(run.load_spans(), run.read_plan().planned)
    asked = [replace(record, truncated=0) for record in read.records if not record.warmup]
    observed = observe(asked, read.requests, read.tools, cache_bill(read.requests))
    model = cost_model(observed.queries)
    return Run(_means(observed.queries), model.costs if model else None, _decode_ns(asked))


def _decode_ns(records: Sequence[QueryRecord]) -> int:
    return sum(record.ledger.phases_ns[Phase.DECODE] for record in records)


def _means(queries: Sequence[ObservedQuery]) -> Mapping[str, ObservedQuery]:
    """One query an id: the repeat whose wall time is the median."""
    by_id: dict[str, list[ObservedQuery]] = {}
    for query in queries:
        by_id.setdefault(query.query_id, []).append(query)
    return {name: sorted(group, key=lambda q: q.wall_ns)[len(group) // 2] for name, group in by_id.items()}


def _text(values_ms: Sequence[float]) -> str:
    mean = statistics.fmean(values_ms)
    if len(values_ms) < 2:
        return f"{mean:.1f} ms"
    half = t_quantile(0.975, len(values_ms) - 1) * statistics.stdev(values_ms) / math.sqrt(len(values_ms))
    return f"{mean:.1f} ±{half:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
