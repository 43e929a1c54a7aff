"""A whole benchmark, analysed: its verdict, what bars an arm, why, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from benches import ARMS, CACHED_DRAFT, build_observation, build_plan, build_preflight, observe_all
from msgspec import structs

from punie.trace.analysis.experiment.losslessness import find_divergences
from punie.trace.analysis.experiment.observation import Observation, TurnOutput
from punie.trace.analysis.experiment.summary import Limits
from punie.trace.analysis.integrity.finding import IntegrityFinding
from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.speculative.advice import BenchAdvice, next_steps
from punie.trace.analysis.speculative.benchmark import (
    BenchAnalysis,
    BenchmarkMeasurements,
    BenchReason,
    Disqualification,
    analyse_benchmark,
)
from punie.trace.analysis.speculative.decomposition import DraftEffect
from punie.trace.analysis.speculative.model import Preflight
from punie.trace.model import Phase, Verdict
from punie.trace.report.wording.speculative import bench_advice, reason_text, verdict_basis

FAST = {"batched": 900, "batched-aa": 900, "sequential": 920, "draft0-k2": 560, "draft0-k3": 480}
SLOW = FAST | {"draft0-k2": 950, "draft0-k3": 990}
OTHER = (TurnOutput("x", (1, 9)),)


def _measured(
    decode_ms: Mapping[str, int] = FAST,
    arms: tuple[Any, ...] = ARMS,
    **fields: Any,  # noqa: ANN401 # of Measurements
) -> BenchmarkMeasurements:
    plan = build_plan(arms)
    return BenchmarkMeasurements(
        plan, observe_all(plan, decode_ms), **({"preflight": build_preflight()} | fields)
    )


def _spoil(measured: BenchmarkMeasurements, arm: str, **changes: Any) -> BenchmarkMeasurements:  # noqa: ANN401 # of Observation
    def spoilt(seen: Observation) -> Observation:
        return replace(seen, **changes) if seen.arm == arm else seen

    return replace(measured, observations=tuple(map(spoilt, measured.observations)))


def _corrupt(measured: BenchmarkMeasurements, arm: str) -> BenchmarkMeasurements:
    wrong = _spoil(measured, arm, outputs=OTHER)
    found = find_divergences(wrong.observations, wrong.plan.compared)
    return replace(wrong, gaps=tuple(replace(item, logit_gap=4.0) for item in found))


def test_a_draft_that_pays_is_found_and_told_how_to_use() -> None:
    found = analyse_benchmark(_measured())
    assert found.verdict is Verdict.YES
    assert found.best is not None
    assert found.best.speed_up.arm == "draft0-k3"
    assert bench_advice(found) == ("Use it: --draft /models/draft --num-draft-tokens 3 --cache off.",)


def test_a_draft_that_costs_is_no_and_says_what_costs_most() -> None:
    found = analyse_benchmark(_measured(SLOW))
    assert found.verdict is Verdict.NO
    assert "Largest cost of draft0-k2" in bench_advice(found)[0]


def test_a_corrupt_arm_can_not_be_the_best_however_fast() -> None:
    found = analyse_benchmark(_corrupt(_measured(), "draft0-k3"))
    assert found.best is not None
    assert found.best.speed_up.arm == "draft0-k2"
    assert [draft.barred for draft in found.drafts] == [None, Disqualification.CORRUPT]


def test_wrong_answers_that_the_baseline_does_not_give_bar_an_arm() -> None:
    measured = _measured()
    wrong = tuple(
        replace(seen, record=structs.replace(seen.record, ok=False))
        if (seen.arm, seen.block) == ("draft0-k3", 0)
        else seen
        for seen in measured.observations
    )
    found = analyse_benchmark(replace(measured, observations=wrong))
    assert found.drafts[1].barred is Disqualification.WRONG
    assert found.summary("draft0-k3").accuracy.verdict is Verdict.NO


def test_if_every_draft_is_barred_no_draft_helps() -> None:
    found = analyse_benchmark(_corrupt(_corrupt(_measured(), "draft0-k3"), "draft0-k2"))
    assert (found.verdict, found.best) == (Verdict.NO, None)


def test_the_cache_is_blamed_with_the_cost_of_doing_without() -> None:
    measured = _measured(FAST | {CACHED_DRAFT.name: 470}, (*ARMS, CACHED_DRAFT))
    found = analyse_benchmark(_corrupt(measured, CACHED_DRAFT.name))
    assert found.cache_is_to_blame
    step = bench_advice(found)[0]
    assert "--prompt-cache-size 0" in step
    both = _corrupt(_corrupt(measured, CACHED_DRAFT.name), "draft0-k3")
    assert not analyse_benchmark(both).cache_is_to_blame  # drafts without it are wrong too
    assert not analyse_benchmark(measured).cache_is_to_blame
    assert "180 ms of prefill" in step  # 3 queries, 100 ms without and 40 ms with


def test_an_unfinished_benchmark_claims_nothing_and_names_resume() -> None:
    measured = _measured()
    found = analyse_benchmark(replace(measured, observations=measured.observations[:-4]))
    assert (found.verdict, found.missing) == (Verdict.UNDECIDED, 4)
    assert "--resume" in bench_advice(found)[0]


def test_integrity_can_forbid_the_verdict() -> None:
    flaw = IntegrityFinding("cycle", Effect.NO_VERDICT, 1, "spans that are their own ancestors", ())
    found = analyse_benchmark(_measured(integrity=(flaw,)))
    assert (found.verdict, found.reason) == (Verdict.UNDECIDED, BenchReason.INCOMPLETE)
    assert reason_text(found) == "integrity: cycle (1)"


def test_nothing_measured_is_undecided_in_every_part() -> None:
    found = analyse_benchmark(BenchmarkMeasurements(build_plan(), ()))
    assert (found.verdict, found.best, found.ceiling) == (Verdict.UNDECIDED, None, None)
    assert found.gate.verdict is Verdict.UNDECIDED
    assert bench_advice(found)


def test_the_parts_of_the_difference_add_up_with_and_without_a_preflight() -> None:
    for preflight in (build_preflight(), None):
        for draft in analyse_benchmark(_measured(preflight=preflight)).drafts:
            assert draft.decomposition is not None
            draft.decomposition.check()


def test_the_parts_name_path_cache_and_the_costs_of_drafting() -> None:
    found = analyse_benchmark(_measured()).drafts[1].decomposition
    assert found is not None
    parts = {part.cause: part.ns / 1e6 for part in found.parts}
    assert parts[DraftEffect.BATCHING] == pytest.approx(3 * 20, abs=1)
    assert parts[DraftEffect.CACHE] == pytest.approx(3 * 60, abs=1)
    assert parts[DraftEffect.FEWER_STEPS] == pytest.approx(3 * 920 * (1 / 3 - 1), abs=1)
    assert parts[DraftEffect.DRAFT_COST] == pytest.approx(3 * 920 * 3 * 0.1 / 3, abs=1)
    assert parts[DraftEffect.VERIFICATION] == pytest.approx(3 * 920 * 0.06 / 3, abs=1)


def test_predictions_stand_beside_what_was_measured() -> None:
    found = analyse_benchmark(_measured())
    assert [(d.prediction.draft, d.prediction.k) for d in found.drafts if d.prediction] == [(0, 2), (0, 3)]


def test_every_interval_has_the_level_of_the_look() -> None:
    found = analyse_benchmark(replace(_measured(), level=0.975))
    draft = found.drafts[0]
    ups = (found.sequential, draft.end_to_end, draft.decode, draft.against_sequential,
           draft.decode_against_sequential, found.same_again)  # fmt: skip
    assert {up.interval.level for up in ups if up and up.interval} == {0.975}
    assert all(up and up.interval for up in ups)
    assert "97.5 % interval of the best of 2 arms" in verdict_basis(found)


def test_without_enough_decode_no_draft_can_help_and_it_says_so() -> None:
    plan = build_plan()
    asked = tuple(
        build_observation(arm.name, block, query, {Phase.DECODE: 10, Phase.PREFILL: 200 + block})
        for arm in plan.arms
        for block in range(plan.blocks)
        for query in plan.queries
    )
    found = analyse_benchmark(BenchmarkMeasurements(plan, asked))
    assert found.ceiling == pytest.approx(1.05, abs=0.01)
    assert "No draft can reach 1.20×" in bench_advice(found)[0]


def _with_memory(peak: int, footprint: int) -> BenchAnalysis:
    memory = {"peak_bytes": peak, "footprint_bytes": footprint, "recommended_bytes": 25_600}
    limits = Limits(target_ns=10**9, max_memory_bytes=32_000)
    return analyse_benchmark(_spoil(_measured(), "draft0-k3", **memory), limits)


@pytest.mark.parametrize(
    ("peak", "footprint", "verdict"),
    [(20_000, 21_000, Verdict.YES), (20_000, 26_000, Verdict.NO), (33_000, 1_000, Verdict.NO)],
)
def test_memory_is_judged_by_the_larger_of_peak_and_footprint(
    peak: int, footprint: int, verdict: Verdict
) -> None:
    assert _with_memory(peak, footprint).summary("draft0-k3").memory.verdict is verdict


def test_the_target_is_judged_for_each_arm() -> None:
    found = analyse_benchmark(_measured(), Limits(target_ns=700_000_000))
    assert found.summary("batched").target.verdict is Verdict.NO
    assert found.summary("draft0-k3").target.verdict is Verdict.YES


UNSURE = FAST | {"draft0-k2": 840, "draft0-k3": 830}


def _out_of_reach() -> Preflight:
    return replace(build_preflight(), worth=Verdict.NO)


def test_a_preflight_that_excludes_the_threshold_asks_for_no_more_blocks() -> None:
    plan = build_plan()
    measured = BenchmarkMeasurements(plan, observe_all(plan, UNSURE, jitter_ms=60), build_preflight())
    found = analyse_benchmark(measured)
    assert found.verdict is Verdict.UNDECIDED
    assert found.best is not None
    assert found.best.speed_up.estimate < 1.2
    excluded = analyse_benchmark(replace(measured, preflight=_out_of_reach()))
    assert next_steps(found)[0] in (BenchAdvice.MORE_BLOCKS, BenchAdvice.BLOCKS_HARDLY_DECIDE)
    assert next_steps(excluded)[0] is BenchAdvice.LEAVE_AS_PREDICTED
    assert not any("more blocks" in text.lower() or "--blocks" in text for text in bench_advice(excluded))


def test_what_was_measured_overrules_the_preflight() -> None:
    found = analyse_benchmark(_measured(preflight=_out_of_reach()))
    assert (found.verdict, next_steps(found)[0]) == (Verdict.YES, BenchAdvice.USE)


def test_a_fast_draft_whose_outputs_were_not_compared_is_not_advised() -> None:
    found = analyse_benchmark(_spoil(_measured(), "draft0-k3", outputs=()))
    assert (found.verdict, found.usable) == (Verdict.YES, Verdict.UNDECIDED)
    assert next_steps(found) == (BenchAdvice.COMPARE_OUTPUTS,)
    assert "no output of this arm could be compared" in bench_advice(found)[0]
