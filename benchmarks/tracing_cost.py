"""What tracing costs a query: `python benchmarks/tracing_cost.py --pairs 500`.

The same queries in three arms:

| arm | agent | server |
| --- | --- | --- |
| everything | instrumented | with its spans |
| client | instrumented | plain |
| off | not instrumented | plain |

A pair is one query asked in all three arms, one right after the other, in an order drawn anew for each pair: what
drifts (heat, other programs) hits all arms alike. A burst of other work hits one of them: the mean has it in its
interval, the median, which says what a usual query pays, hardly moves, so both are given. Both servers run the whole
time, with the same model and without prompt cache, so that a repeated query does the same work; they are started anew
`--starts` times, for a server process may be a little faster than another for as long as it lives. Answers have to be
equal in all arms.

This is the one place with a stopwatch: where nothing is traced there is no span to read a duration from. It runs from
before the query's span is opened to after it is closed, and round the bare call where there is none. What client and
server do later, while nobody waits, is in no figure: one `fsync` a query in a thread, and in the server the spans and
the tokens of each message. The benchmark waits `PAUSE_S` between two queries, so that it is in none of the next; what
a turn leaves behind does reach into the next turn of its query, as it does for a user. The HTTP transports stay
wrapped in the arm "off": a request outside of our spans passes through after two comparisons.

`--replay` asks a server without a model, which answers at once (`replay_server.py`): only the client's cost, as an
upper bound, for nothing of it hides behind a model that computes, but with little noise even on a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from punie.trace.analysis.statistics.distributions import at_least
from punie.trace.analysis.statistics.ratio import RatioUnit, half_width, ratio
from punie.trace.analysis.statistics.spread import LEVEL, median_ns, percentile
from punie.trace.demo.paths import target_model_path, workspace_path
from punie.trace.server.address import ServerAddress
from punie.trace.server.command import build_server_command
from punie.trace.server.config import DEFAULT_MODEL, ServerConfig
from punie.trace.server.process import ServerProcess
from punie.trace.telemetry.clock import wall_clock_ns
from punie.trace.telemetry.instrument import instrument
from punie.trace.telemetry.mlx.hook import HOOK, SPANS_VARIABLE
from punie.trace.telemetry.provider import Telemetry, configure
from punie.trace.telemetry.query import QueryLabels, query_span
from punie.trace.units import NS_PER_MS, duration_text
from punie.trace.workload.agent import default_subject, server_model
from punie.trace.workload.agent_runner import AgentRunner, Reply
from punie.trace.workload.subject import Subject
from punie.trace.workload.suite import Suite, SuiteQuery, default_suite, load_suite

PAUSE_S = 0.01
TIMEOUT_S = 300.0
AIM_NS = 2 * NS_PER_MS
AIM_SHARE = 0.01
LONG_QUERY_NS = 200 * NS_PER_MS


class Arm(StrEnum):
    """How much is traced."""

    EVERYTHING = "everything"
    CLIENT = "client"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Pair:
    """One query in every arm: nanoseconds by the stopwatch, and of processor time in this process (the client's)."""

    query_id: str
    start: int
    took_ns: dict[Arm, int]
    client_cpu_ns: dict[Arm, int]


@dataclass(frozen=True, slots=True)
class Bench:
    """What stays the same over a server start: who asks in each arm."""

    runners: dict[Arm, AgentRunner]
    telemetry: Telemetry

    async def time(self, arm: Arm, query: SuiteQuery) -> tuple[int, int, Reply]:
        """Ask once, by the stopwatch: what it took, how much of that this process computed, and the reply."""
        await asyncio.sleep(PAUSE_S)
        runner = self.runners[arm]
        begun_ns, cpu_begun_ns = time.perf_counter_ns(), time.process_time_ns()
        if arm is Arm.OFF:
            reply = await runner.answer(query.text)
        else:
            with query_span(
                self.telemetry, QueryLabels(run_id="cost", query_id=query.id, text=query.text)
            ) as span:
                reply = await runner.answer(query.text)
                span.answered(reply.answered_ns, reply.answer.text)
        took_ns, cpu_ns = time.perf_counter_ns() - begun_ns, time.process_time_ns() - cpu_begun_ns
        if reply.error:
            raise SystemExit(f"{query.id}, {arm}: {reply.error}")
        return took_ns, cpu_ns, reply

    async def pair(self, query: SuiteQuery, start: int, order: random.Random) -> Pair:
        """Ask in all arms, in a random order. Raises SystemExit if the answers aren't the same."""
        arms = order.sample(list(self.runners), len(self.runners))
        timed = {arm: await self.time(arm, query) for arm in arms}
        answers = {reply.answer.text for _, _, reply in timed.values()}
        if len(answers) > 1:
            raise SystemExit(f"{query.id}: the arms gave different answers: {answers}")
        return Pair(
            query.id,
            start,
            took_ns={arm: took_ns for arm, (took_ns, _, _) in timed.items()},
            client_cpu_ns={arm: cpu_ns for arm, (_, cpu_ns, _) in timed.items()},
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What tracing costs a query.")
    parser.add_argument("--pairs", type=int, default=500, help="in all, over all queries (default: 500)")
    parser.add_argument(
        "--starts", type=int, default=5, help="server starts they are spread over (default: 5)"
    )
    parser.add_argument("--model", type=Path, help="an mlx_lm model folder (default: the demo model)")
    parser.add_argument(
        "--replay", action="store_true", help="a server without a model: the client's cost alone"
    )
    parser.add_argument("--suite", type=Path, help="a suite of queries (default: discrimination)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    suite = load_suite(options.suite) if options.suite else default_suite()
    model = None if options.replay else options.model or target_model_path()
    with tempfile.TemporaryDirectory() as folder:
        pairs = asyncio.run(measure(suite, model, Path(folder), options.pairs, options.starts, options.seed))
    sys.stdout.writelines(f"{line}\n" for line in report(pairs))
    return 0


async def measure(
    suite: Suite, model: Path | None, folder: Path, count: int, starts: int, seed: int
) -> list[Pair]:
    """`count` pairs spread over `starts` starts of both servers; without a `model` of the replaying one."""
    order = random.Random(seed)  # noqa: S311 - the order of arms, no secret
    pairs: list[Pair] = []
    for start in range(starts):
        async with _bench(model, folder / str(start)) as bench:
            for query in suite.queries:  # the first ones of a process are slower
                await bench.pair(query, start, order)
            gc.collect()
            own = range(start, count, starts)
            queries = (suite.queries[number % len(suite.queries)] for number in range(len(own)))
            pairs += [await bench.pair(query, start, order) for query in queries]
        sys.stderr.write(f"server start {start + 1} of {starts}: {len(pairs)} of {count} pairs\n")
    return pairs


@asynccontextmanager
async def _bench(model: Path | None, folder: Path) -> AsyncIterator[Bench]:
    telemetry = configure(folder / "spans")
    traced, bare = default_subject(workspace_path()), default_subject(workspace_path())
    instrument(traced.agent, telemetry=telemetry)
    async with AsyncExitStack() as stack:
        stack.callback(telemetry.shutdown)
        if model is None:
            url = stack.enter_context(_replaying())
            yield Bench(
                {
                    Arm.CLIENT: _asker(traced, ServerAddress.of(url)),
                    Arm.OFF: _asker(bare, ServerAddress.of(url)),
                },
                telemetry,
            )
            return
        hooked = await stack.enter_async_context(_server(model, folder, HOOK))
        plain = await stack.enter_async_context(_server(model, folder, None))
        runners = {
            Arm.EVERYTHING: _asker(traced, hooked.address),
            Arm.CLIENT: _asker(traced, plain.address),
            Arm.OFF: _asker(bare, plain.address),
        }
        yield Bench(runners, telemetry)


@contextmanager
def _replaying() -> Iterator[str]:
    command = [sys.executable, str(Path(__file__).with_name("replay_server.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def _server(model: Path, folder: Path, hook: str | None) -> ServerProcess:
    return ServerProcess(
        ServerConfig(model=model, temperature=0.0, max_tokens=1024, prompt_cache_size=0),
        folder / f"{'hooked' if hook else 'plain'}.log",
        env=os.environ | {SPANS_VARIABLE: str(folder / "spans")},
        build_command=partial(_command, hook=hook),
    )


def _command(config: ServerConfig, port: int, *, hook: str | None) -> tuple[str, ...]:
    return build_server_command(config, port=port, hook=hook)


def _asker(subject: Subject, address: ServerAddress) -> AgentRunner:
    model = server_model(address, DEFAULT_MODEL, {}, timeout_s=TIMEOUT_S)
    return AgentRunner(subject, model, stream=True, timeout_s=TIMEOUT_S, clock=wall_clock_ns)


# --- the figures ---


def report(pairs: Sequence[Pair]) -> Iterator[str]:
    """The tables as lines of text."""
    starts = len({pair.start for pair in pairs})
    yield f"{len(pairs)} pairs of {len({pair.query_id for pair in pairs})} queries over {starts} server starts"
    yield f"{'arm':<12}{'mean':>12}{'median':>12}{'p95':>12}"
    arms = [arm for arm in Arm if arm in pairs[0].took_ns]
    for arm in arms:
        took = [pair.took_ns[arm] for pair in pairs]
        figures = (sum(took) / len(took), median_ns(took), percentile(took, 95))
        yield f"{arm:<12}" + "".join(f"{duration_text(figure):>12}" for figure in figures)
    for arm in arms[:-1]:
        yield from _compared(arm, pairs)
    yield from _by_query(pairs)


def _compared(arm: Arm, pairs: Sequence[Pair]) -> Iterator[str]:
    yield f"\n{arm} against off, {LEVEL:.0%} intervals over pairs, and over server starts"
    long = _of_long_queries(pairs)
    extra = [_extra(arm, pair) for pair in pairs]
    aim = f"aim: at most {duration_text(AIM_NS)}"
    yield f"  mean difference    {_mean(arm, pairs)}   {aim}, {_met([RatioUnit(ns, 1) for ns in extra], AIM_NS)}"
    low, middle, high = _median(extra)
    met = _sided(low, high, AIM_NS)
    yield f"  median difference  {_ms(middle)} ({_ms(low)} to {_ms(high)})   {aim}, {met}"
    cpu = [pair.client_cpu_ns[arm] - pair.client_cpu_ns[Arm.OFF] for pair in pairs]
    units = [RatioUnit(ns, 1) for ns in cpu]
    yield (
        f"  of that the client's processor time   "
        f"mean {_ms(ratio(units) or 0.0)} ({_plus_minus(units)}), median {_ms(median_ns(cpu))}"
    )
    yield f"  ratio        {_ratio(arm, pairs)}"
    if long:
        yield (
            f"  ratio of queries of {duration_text(LONG_QUERY_NS)} and more ({len(long)} pairs)  "
            f"{_ratio(arm, long)}   aim: at most {AIM_SHARE:.0%}, "
            f"{_met([_unit(arm, [pair]) for pair in long], AIM_SHARE)}"
        )


def _extra(arm: Arm, pair: Pair) -> int:
    return pair.took_ns[arm] - pair.took_ns[Arm.OFF]


def _met(units: Sequence[RatioUnit], aim: float) -> str:
    """Of the mean, or the ratio of sums: the whole interval over pairs has to be on one side."""
    width = half_width(units, level=LEVEL)
    if width is None:
        return "undecided"
    middle = ratio(units) or 0.0
    return _sided(middle - width.value, middle + width.value, aim)


def _sided(low: float, high: float, aim: float) -> str:
    if high <= aim:
        return "met"
    return "not met" if low > aim else "undecided"


def _median(values: Sequence[int]) -> tuple[int, int, int]:
    """The median between the order statistics that hold it at `LEVEL`, whatever the values' distribution is."""
    ordered, count = sorted(values), len(values)
    ranks = range(count // 2, count)
    rank = next((rank for rank in ranks if at_least(rank, count, 0.5) <= (1 - LEVEL) / 2), count)
    return ordered[count - rank], median_ns(values), ordered[rank - 1]


def _of_long_queries(pairs: Sequence[Pair]) -> list[Pair]:
    """By the query's median when nothing is traced: choosing single pairs by it would bias their ratio."""
    untraced = {
        pair.query_id: [p.took_ns[Arm.OFF] for p in pairs if p.query_id == pair.query_id] for pair in pairs
    }
    return [pair for pair in pairs if median_ns(untraced[pair.query_id]) >= LONG_QUERY_NS]


def _mean(arm: Arm, pairs: Sequence[Pair]) -> str:
    extra = [_extra(arm, pair) for pair in pairs]
    units = [RatioUnit(ns, 1) for ns in extra]
    of_starts = [
        RatioUnit(sum(ns for ns, pair in zip(extra, pairs, strict=True) if pair.start == start), count)
        for start, count in _starts(pairs).items()
    ]
    return f"{_ms(ratio(units) or 0.0)} ({_plus_minus(units)}; {_plus_minus(of_starts)})"


def _ratio(arm: Arm, pairs: Sequence[Pair]) -> str:
    """Extra time as a share of the time without tracing, as a ratio of sums."""
    units = [_unit(arm, [pair]) for pair in pairs]
    of_starts = [_unit(arm, [pair for pair in pairs if pair.start == start]) for start in _starts(pairs)]
    widths = [half_width(found, level=LEVEL) for found in (units, of_starts)]
    shown = "; ".join("–" if width is None else f"± {width.value:.2%}" for width in widths)
    return f"{ratio(units) or 0.0:+.2%} ({shown})"


def _unit(arm: Arm, pairs: Sequence[Pair]) -> RatioUnit:
    extra = sum(pair.took_ns[arm] - pair.took_ns[Arm.OFF] for pair in pairs)
    return RatioUnit(extra, sum(pair.took_ns[Arm.OFF] for pair in pairs))


def _starts(pairs: Sequence[Pair]) -> dict[int, int]:
    """Server starts and how many pairs each has."""
    return {start: sum(pair.start == start for pair in pairs) for start in sorted({p.start for p in pairs})}


def _plus_minus(units: Sequence[RatioUnit]) -> str:
    width = half_width(units, level=LEVEL)
    return "–" if width is None else f"± {width.value / NS_PER_MS:.2f} ms"


def _ms(ns: float) -> str:
    return f"{ns / NS_PER_MS:+.2f} ms"


def _by_query(pairs: Sequence[Pair]) -> Iterator[str]:
    arms = [arm for arm in Arm if arm in pairs[0].took_ns and arm is not Arm.OFF]
    yield f"\n{'query, medians':<24}{'off':>12}" + "".join(f"{arm:>12}" for arm in arms)
    for query_id in sorted({pair.query_id for pair in pairs}):
        own = [pair for pair in pairs if pair.query_id == query_id]
        off = median_ns([pair.took_ns[Arm.OFF] for pair in own])
        extra = [median_ns([pair.took_ns[arm] - pair.took_ns[Arm.OFF] for pair in own]) for arm in arms]
        yield f"{query_id:<24}{duration_text(off):>12}" + "".join(f"{_ms(ns):>12}" for ns in extra)


if __name__ == "__main__":
    raise SystemExit(main())
