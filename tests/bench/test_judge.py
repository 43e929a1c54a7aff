"""From timings and marks to a prediction: planted cost curves, dense and of experts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from punie.trace.analysis.speculative.model import BenchPlan, Preflight, TargetKind
from punie.trace.analysis.speculative.preset import as_benchmark
from punie.trace.bench.options import BenchOptions
from punie.trace.bench.preflight.judge import Bounds, verification
from punie.trace.bench.preflight.judge import judge as judge_measurements
from punie.trace.bench.preflight.measurements import PreflightMeasurements
from punie.trace.bench.speculative_plan import make_plan
from punie.trace.errors import ServerError
from punie.trace.machine.environment import Environment
from punie.trace.model import Verdict
from punie.trace.report.builders.preflight import build_preflight
from punie.trace.report.formats import TEXT
from punie.trace.workload.suite import default_suite

TOKEN_NS = 20_000_000
NO_BOUNDS = Bounds(None, None)


def plan() -> BenchPlan:
    return as_benchmark(make_plan(BenchOptions(), default_suite(), "bench", Environment("now", {}, {})))


def judge(written: dict[str, Any], plan: BenchPlan, bounds: Bounds) -> Preflight:
    return judge_measurements(msgspec.convert(written, PreflightMeasurements), plan, bounds)


def steps(count: int, taken: float, places: int = 5) -> dict[str, Any]:
    """`count` steps whose proposals are taken with the chance `taken` each, as near as whole numbers come."""
    return {"steps": count, "accepted_by_position": [round(count * taken ** (i + 1)) for i in range(places)]}


def raw(*, verification: list[float], cost: float, taken: float, mixture: bool = False) -> dict[str, Any]:
    """What the measuring process writes, if its timings wobbled by a percent."""
    wobble = (0.99, 1.0, 1.01, 1.0)
    return {
        "mixture": mixture,
        "target_bytes": 20 * 10**9,
        "rounds": [[TOKEN_NS * v * (w if m else 1) for m, v in enumerate(verification)] for w in wobble],
        "logit_noise": 0.01,
        "seconds": 30.0,
        "texts": [
            {
                "prompt_tokens": 100,
                "shared_tokens": 80,
                "prefill_ns": 5 * TOKEN_NS,
                "decode_ns": 49 * TOKEN_NS,
                "output_tokens": 50,
                "finished": True,
            }
            for _ in range(3)
        ],
        "drafts": [
            {
                "weight_bytes": 10**9,
                "answers": [
                    {"prose": steps(60, taken), "tool_call": steps(20, taken)},
                    {"prose": steps(50, taken), "tool_call": {"steps": 0, "accepted_by_position": []}},
                    {"prose": steps(70, taken), "tool_call": steps(10, taken)},
                ],
                "rounds": [(cost * TOKEN_NS * w, TOKEN_NS) for w in wobble],
                "prefills": [(cost * w, 1.0) for w in wobble],
                "cache_bytes": 10**8,
                "cached_tokens": 100,
                "active_bytes": 21 * 10**9,
                "peak_bytes": 21 * 10**9 + 5 * 10**8,
                "footprint_bytes": 22 * 10**9,
            }
        ],
    }


DENSE = [1.0] * 6
EXPERTS = [1.0, 1.8, 2.5, 3.1, 3.6, 4.0]


def test_a_dense_model_with_a_cheap_draft_gains() -> None:
    found = judge(raw(verification=DENSE, cost=0.05, taken=0.8), plan(), NO_BOUNDS)
    assert found.target_kind is TargetKind.DENSE
    assert found.best is not None
    assert found.best.k == 5
    assert found.best.decode.value == pytest.approx((1 - 0.8**6) / 0.2 / 1.25, rel=0.05)
    assert found.best.decode.low < found.best.decode.value < found.best.decode.high
    assert found.worth is Verdict.YES


def test_a_burst_of_other_work_leaves_the_costs_as_they_are() -> None:
    rounds = [[TOKEN_NS * w, 1.5 * TOKEN_NS] for w in (0.9, 0.95, 1.0, 1.05, 1.1)] * 4
    quiet = verification(rounds)[1].relative
    for number in (2, 9):
        rounds[number] = [TOKEN_NS, 40.0 * TOKEN_NS]
    noisy = verification(rounds)[1].relative
    assert noisy.value == pytest.approx(quiet.value, rel=0.06)
    assert noisy.low < 1.5 < noisy.high < 2


def test_a_mixture_of_experts_gets_slower_with_the_same_draft() -> None:
    found = judge(raw(verification=EXPERTS, cost=0.3, taken=0.6, mixture=True), plan(), NO_BOUNDS)
    assert found.target_kind is TargetKind.MIXTURE
    assert found.worth is Verdict.NO
    assert all(prediction.decode.high < 1 for prediction in found.predictions)
    assert found.best is not None
    assert found.best.k == 2  # the least that can be lost


def test_the_cost_of_experts_moves_the_best_k_down() -> None:
    dense = judge(raw(verification=DENSE, cost=0.1, taken=0.7), plan(), NO_BOUNDS).best
    experts = judge(raw(verification=EXPERTS, cost=0.1, taken=0.7), plan(), NO_BOUNDS).best
    assert dense is not None
    assert experts is not None
    assert experts.k < dense.k


def test_memory_is_both_models_their_caches_and_the_process() -> None:
    memory = judge(
        raw(verification=DENSE, cost=0.1, taken=0.7), plan(), Bounds(32 * 10**9, 20 * 10**9)
    ).memory
    assert memory is not None
    assert memory.cache_bytes == 10**6 * (100 + 1024)
    assert memory.other_bytes == 15 * 10**8
    assert memory.fits is Verdict.NO


def test_all_proposals_taken_is_not_certainty() -> None:
    rate = judge(raw(verification=DENSE, cost=0.1, taken=1.0), plan(), NO_BOUNDS).drafts[0].acceptance
    assert rate.value == rate.high == 1.0
    assert 0.9 < rate.low < 1.0


def test_prose_and_tool_calls_are_told_apart() -> None:
    told = raw(verification=DENSE, cost=0.1, taken=0.5)
    told["drafts"][0]["answers"][0]["tool_call"] = steps(20, 1.0)
    told["drafts"][0]["answers"][2]["tool_call"] = steps(10, 1.0)
    (note,) = [line for line in judge(told, plan(), NO_BOUNDS).notes if line.startswith("draft 0")]
    assert "50 % in prose, 100 % in tool calls" in note


@pytest.mark.parametrize("taken", [0.1, 0.8])
def test_the_preflight_alone_says_whether_to_go_on_in_80_columns(taken: float) -> None:
    found = judge(raw(verification=EXPERTS, cost=0.1, taken=taken), plan(), NO_BOUNDS)
    shown = TEXT.write(build_preflight("benches/b", plan(), found, ("a note",)))
    assert f"worth measuring? {found.worth.value} " in " ".join(shown.split())
    assert "draft0-k5" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_without_a_step_nothing_is_predicted() -> None:
    told = raw(verification=DENSE, cost=0.1, taken=0.5)
    told["drafts"][0]["answers"] = [{"prose": steps(0, 0.5), "tool_call": steps(0, 0.5)}]
    with pytest.raises(ServerError, match="saw no step of draft 0"):
        judge(told, plan(), NO_BOUNDS)
