"""The decision as a whole: which step is open, which one pays, and in which order."""

from __future__ import annotations

import math

import pytest
from benches import build_plan, build_preflight, observe_all
from records import build_record

from punie.trace.analysis.causes.model import Cause, CauseKind
from punie.trace.analysis.decision.decision import BrevityReason, Decision, decide
from punie.trace.analysis.decision.levers import Trials, TriedArm
from punie.trace.analysis.experiment.gates import Gate, GateKind
from punie.trace.analysis.experiment.summary import Limits
from punie.trace.analysis.speculative.benchmark import BenchAnalysis, BenchmarkMeasurements, analyse_benchmark
from punie.trace.analysis.summary.summary import RunAnalysis, analyse
from punie.trace.model import Phase, Verdict
from punie.trace.report.wording.decision import DecisionStep, conclusion, steps
from punie.trace.report.wording.speculative import bench_advice

SLOW, QUICK = 500_000_000, 10**10
FAST_DRAFT = {"batched": 900, "batched-aa": 900, "sequential": 920, "draft0-k2": 560, "draft0-k3": 480}
SLOW_DRAFT = FAST_DRAFT | {"draft0-k2": 950, "draft0-k3": 990}


def _run(phases: dict[Phase, int], target_ns: int) -> RunAnalysis:
    records = [
        build_record(f"q{query}", {p: ms + query for p, ms in phases.items()}, repeat=repeat, start_ns=repeat)
        for query in range(5)
        for repeat in range(3)
    ]
    return analyse(records, target_ns=target_ns)


GENERATING = {Phase.DECODE: 800, Phase.PREFILL: 60, Phase.FRAMEWORK: 40}
READING = {Phase.DECODE: 200, Phase.PREFILL: 660, Phase.FRAMEWORK: 40}
WAITING = {Phase.DECODE: 120, Phase.PREFILL: 80, Phase.TOOL: 700}


def _bench(decode_ms: dict[str, int], target_ns: int = SLOW) -> BenchAnalysis:
    plan = build_plan()
    measured = BenchmarkMeasurements(plan, observe_all(plan, decode_ms), build_preflight())
    return analyse_benchmark(measured, Limits(target_ns=target_ns))


def _verdicts(decision: Decision) -> list[str]:
    """Of all steps but that of other levers than drafts, which has tests of its own."""
    return [step.verdict.value for step in steps(decision) if step.name != "levers"]


def _step(decision: Decision, name: str) -> DecisionStep:
    return next(step for step in steps(decision) if step.name == name)


def test_without_a_benchmark_step_two_names_the_command_and_training_waits() -> None:
    found = decide(_run(GENERATING, SLOW))
    assert _verdicts(found) == ["yes", "undecided", "no", "undecided"]
    assert not _step(found, "draft").measured
    assert "punie-trace bench speculative" in _step(found, "draft").next_step
    assert "punie-trace bench speculative" in conclusion(found)


def test_a_target_that_is_met_ends_it() -> None:
    found = decide(_run(GENERATING, QUICK))
    assert _verdicts(found) == ["yes", "undecided", "yes", "no"]
    assert "nothing has to change" in conclusion(found)


def test_a_draft_that_meets_the_target_makes_training_needless() -> None:
    found = decide(_run(GENERATING, 700_000_000), _bench(FAST_DRAFT, 700_000_000))
    assert _verdicts(found) == ["yes", "yes", "yes", "no"]
    assert "--num-draft-tokens 3" in conclusion(found)
    assert "the target is met with it" in conclusion(found)


def test_a_draft_that_is_not_enough_leads_to_training() -> None:
    found = decide(_run(GENERATING, SLOW), _bench(FAST_DRAFT))
    assert _verdicts(found) == ["yes", "yes", "no", "yes"]
    assert "the target is still missed. Then: Train" in conclusion(found)


def test_only_without_a_draft_that_helps_and_with_generation_above_70_it_is_training() -> None:
    found = decide(_run(GENERATING, SLOW), _bench(SLOW_DRAFT))
    assert _verdicts(found) == ["yes", "no", "no", "yes"]
    assert "Train" in conclusion(found)
    assert "88" in _step(found, "brevity").figure


@pytest.mark.parametrize(
    ("phases", "instead"), [(READING, "cache the prompt"), (WAITING, "Look at tool first")]
)
def test_what_takes_the_time_otherwise_is_named_instead(phases: dict[Phase, int], instead: str) -> None:
    found = decide(_run(phases, SLOW), _bench(SLOW_DRAFT))
    assert _step(found, "brevity").verdict is Verdict.NO
    assert instead in conclusion(found)


def test_a_target_that_is_open_leaves_training_open() -> None:
    records = [build_record(f"q{i}", GENERATING) for i in range(5)]
    found = decide(analyse(records, target_ns=QUICK), _bench(SLOW_DRAFT))
    assert _verdicts(found)[2:] == ["undecided", "undecided"]
    assert "--repeat 3" in conclusion(found)


def test_nothing_measured_decides_nothing() -> None:
    found = decide(analyse([]))
    assert _verdicts(found) == ["undecided"] * 4
    assert conclusion(found)


def test_training_is_open_where_decode_is_not_known() -> None:
    found = decide(_run({Phase.MODEL: 860, Phase.FRAMEWORK: 40}, SLOW), _bench(SLOW_DRAFT))
    assert _verdicts(found) == ["yes", "no", "no", "undecided"]
    assert found.brevity_reason is BrevityReason.DECODE_NOT_KNOWN
    assert conclusion(found).startswith("Before training, split decode from prefill")


def test_what_the_benchmark_advises_is_what_the_decision_says() -> None:
    bench = _bench(FAST_DRAFT)
    found = decide(_run(GENERATING, SLOW), bench)
    assert _step(found, "draft").next_step == bench_advice(bench)[0]


def test_a_run_alone_excludes_a_draft_that_could_not_reach_the_threshold() -> None:
    found = decide(_run(WAITING, SLOW))
    assert _verdicts(found) == ["no", "no", "no", "no"]
    assert found.ceiling == pytest.approx(1.157, abs=0.001)
    assert "Look at tool first" in conclusion(found)
    assert decide(_run(GENERATING, SLOW)).draft is Verdict.UNDECIDED
    one_query = analyse([build_record("q", WAITING)], target_ns=SLOW)
    assert decide(one_query).ceiling is None, "one query has no interval"


def test_a_run_that_only_decodes_has_no_ceiling_below_infinity() -> None:
    found = decide(_run({Phase.DECODE: 900}, SLOW))
    assert (found.ceiling, found.draft) == (math.inf, Verdict.UNDECIDED)


def _arm(
    verdict: Verdict = Verdict.YES,
    closed: tuple[Gate, ...] = (),
    *,
    speed_up: float = 2.0,
    target_ns: int = SLOW,
) -> TriedArm:
    target = _run(GENERATING, target_ns).verdicts.target
    return TriedArm(
        "prompt-cache", "improvements/a", speed_up, None, verdict, True, closed, target, from_improvement=True
    )


def test_a_lever_that_was_confirmed_is_used_first_and_what_is_left_decides_on_training() -> None:
    found = decide(_run(GENERATING, SLOW), _bench(SLOW_DRAFT), Trials((_arm(),)))
    assert _step(found, "levers").verdict is Verdict.YES
    assert conclusion(found).startswith(
        "Use it: prompt-cache (punie-trace run --config improvements/a/config.toml)."
    )
    assert "still missed. Then: Train" in conclusion(found)
    met = decide(_run(GENERATING, SLOW), _bench(SLOW_DRAFT), Trials((_arm(target_ns=QUICK),)))
    assert met.target.arm == "prompt-cache"
    assert met.brevity_reason is BrevityReason.TARGET_MET


def test_the_faster_of_lever_and_draft_is_named() -> None:
    assert decide(_run(GENERATING, SLOW), _bench(FAST_DRAFT), Trials((_arm(),))).target.arm == "prompt-cache"
    slower = decide(_run(GENERATING, SLOW), _bench(FAST_DRAFT), Trials((_arm(speed_up=1.1),)))
    assert slower.target.arm == "draft0-k3"
    assert "--num-draft-tokens 3" in conclusion(slower)


def test_levers_that_lose_answers_or_are_no_faster_are_left_away() -> None:
    wrong = Gate(GateKind.ACCURACY, Verdict.NO, queries=("q1",))
    for arm in (_arm(closed=(wrong,)), _arm(Verdict.NO)):
        assert _step(decide(_run(GENERATING, SLOW), None, Trials((arm,))), "levers").verdict is Verdict.NO
    in_vain = decide(_run(GENERATING, SLOW), None, Trials(in_vain=("improvements/a",)))
    assert _step(in_vain, "levers").verdict is Verdict.NO


def test_what_nobody_tried_is_open_and_said_first_where_it_promises_something() -> None:
    cause = Cause(CauseKind.REORDERED_TOOLS, 1, 2, 10, 20)
    found = decide(_run(GENERATING, SLOW), _bench(SLOW_DRAFT), causes=(cause,))
    step = _step(found, "levers")
    assert (step.verdict, step.measured) == (Verdict.UNDECIDED, False)
    assert "tools in another order" in step.basis
    assert "punie-trace improve" in conclusion(found)
