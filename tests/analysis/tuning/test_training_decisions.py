"""What is decided about a training, from values alone: can it pay, what is trained on, what is kept, the verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from punie.trace.analysis.records import QueryLedger, QueryRecord
from punie.trace.analysis.statistics.spread import Interval, Method
from punie.trace.analysis.tuning.checkpoints import Checkpoint, best_checkpoint
from punie.trace.analysis.tuning.fusing import Fused, FuseWay, first_to_pass
from punie.trace.analysis.tuning.judgement import (
    Criterion,
    JudgedArm,
    ModelVariant,
    Times,
    compare_accuracy,
    judge,
)
from punie.trace.analysis.tuning.linting import (
    ArgumentsForm,
    Problem,
    PromptMatch,
    RowFacts,
    TrainingMemory,
    lint,
)
from punie.trace.analysis.tuning.output_kinds import OutputKinds
from punie.trace.analysis.tuning.trajectories import Trajectory, shortest_right
from punie.trace.analysis.tuning.worth import can_pay, predicted_worth
from punie.trace.errors import InputError
from punie.trace.model import PHASES, Phase, Verdict
from punie.trace.tuning.examples import own_rows


def record(query: int, *, decode_ms: int, tokens: int, wall_ms: int = 1000) -> QueryRecord:
    """One right answer that took `decode_ms` of `wall_ms` to write."""
    ns = dict.fromkeys(PHASES, 0) | {
        Phase.DECODE: decode_ms * 10**6,
        Phase.PREFILL: (wall_ms - decode_ms) * 10**6,
    }
    ledger = QueryLedger(f"q{query}", query * 10**12, wall_ms * 10**6, ns, dict.fromkeys(PHASES, 0), {})
    return QueryRecord(f"q{query}", f"t{query}", ledger, ok=True, output_tokens=tokens)


def test_where_decode_is_small_training_cannot_pay() -> None:
    assert can_pay([record(n, decode_ms=40 + n, tokens=50) for n in range(12)]) is Verdict.NO
    assert can_pay([record(n, decode_ms=500 + n, tokens=50) for n in range(12)]) is Verdict.YES


def test_repeats_from_a_warm_cache_are_no_time_that_training_saves() -> None:
    """Their prompt took no time, so that writing takes more of theirs than of a user's question."""
    records = [record(n, decode_ms=600, tokens=100) for n in range(12)]
    warm = [
        structs.replace(record(n, decode_ms=600, tokens=100, wall_ms=610), is_cached_repeat=True)
        for n in range(12)
    ]
    shortest = {f"q{n}": 50 for n in range(12)}
    assert predicted_worth([*records, *warm], shortest) == predicted_worth(records, shortest)


def test_the_predicted_saving_is_decode_in_proportion_to_the_tokens_spared() -> None:
    records = [record(n, decode_ms=600, tokens=100) for n in range(12)]
    worth = predicted_worth(records, {f"q{n}": 50 for n in range(12)})
    assert worth.saving is not None
    assert worth.saving.estimate == pytest.approx(0.3)
    assert worth.tokens_saved == pytest.approx(0.5)
    assert worth.verdict is Verdict.YES


@pytest.mark.parametrize(("shortest", "verdict"), [(95, Verdict.NO), (100, Verdict.NO), (130, Verdict.NO)])
def test_answers_that_are_no_shorter_are_nothing_to_train_on(shortest: int, verdict: Verdict) -> None:
    records = [record(n, decode_ms=600, tokens=100) for n in range(12)]
    assert predicted_worth(records, {f"q{n}": shortest for n in range(12)}).verdict is verdict


def test_a_saving_whose_interval_reaches_below_the_threshold_is_undecided() -> None:
    records = [record(n, decode_ms=600, tokens=100) for n in range(6)]
    shortest = {f"q{n}": 20 if n == 0 else 95 for n in range(6)}
    assert predicted_worth(records, shortest).verdict is Verdict.UNDECIDED
    assert predicted_worth(records, {}).verdict is Verdict.UNDECIDED


def test_the_shortest_right_answer_is_chosen_and_none_made_up() -> None:
    asked = [
        Trajectory("a", "1", is_right=True, output_tokens=40),
        Trajectory("a", "2", is_right=True, output_tokens=30),
        Trajectory("a", "3", is_right=False, output_tokens=5),
        Trajectory("a", "4", is_right=True, output_tokens=30),
        Trajectory("b", "5", is_right=False, output_tokens=9),
        Trajectory("c", "6", is_right=True, output_tokens=None),
    ]
    chosen = shortest_right(asked)
    assert {query: one.place for query, one in chosen.items()} == {"a": "2"}


ROW = RowFacts("q, turn 0", 100, 60, True, PromptMatch.SAME_TOKENS, ArgumentsForm.ALIKE)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (ROW, None),
        (replace(ROW, served=PromptMatch.NOT_KNOWN), None),
        (replace(ROW, served=PromptMatch.SAME_COUNT), None),
        (replace(ROW, tokens=201), Problem.CUT),
        (replace(ROW, prompt_tokens=100), Problem.UNTRAINED),
        (replace(ROW, prompt_is_prefix=False), Problem.SHIFTED_MASK),
        (replace(ROW, served=PromptMatch.OTHER_TOKENS), Problem.OTHER_TOKENS),
        (replace(ROW, served=PromptMatch.OTHER_COUNT), Problem.OTHER_TOKENS),
    ],
)
def test_the_linter_leaves_out_what_would_spoil_a_training(row: RowFacts, problem: Problem | None) -> None:
    found = lint([row], max_seq_length=200, batch_size=1, memory=None)
    assert found.left_out == ({problem: (row.name,)} if problem else {})
    assert found.refused == ((Problem.TOO_FEW_ROWS,) if problem else ())
    assert found.trained_tokens == (0 if problem else 40)


def test_too_few_rows_and_too_little_memory_forbid_a_training() -> None:
    memory = TrainingMemory(30 * 10**9, 10**6, 3 * 10**9, limit_bytes=32 * 10**9)
    found = lint([ROW], max_seq_length=200, batch_size=2, memory=memory)
    assert found.refused == (Problem.TOO_FEW_ROWS, Problem.NO_MEMORY)
    unknown = replace(memory, limit_bytes=None)
    assert lint([ROW], max_seq_length=200, batch_size=1, memory=unknown).refused == ()


def test_of_checkpoints_the_one_that_lost_least_is_kept_then_the_shortest() -> None:
    short = Checkpoint("a", 0, 100, right=8, asked=10, lost=("x",), output_tokens=20.0)
    whole = Checkpoint("b", 0, 200, right=9, asked=10, lost=(), output_tokens=40.0)
    shorter = replace(whole, name="c", iteration=300, output_tokens=35.0)
    assert best_checkpoint([short, whole, shorter]) == shorter
    assert best_checkpoint([]) is None


FORM = Fused("fused-base-bits", FuseWay.BASE_BITS, (), 5, 5, tokens=50, adapter_tokens=48, decode=0.9)


@pytest.mark.parametrize(
    "bad",
    [replace(FORM, lost=("uses-order",)), replace(FORM, tokens=97.0), replace(FORM, asked=0)],
    ids=["lost an answer", "as wordy as before", "nothing compared"],
)
def test_a_fused_form_that_lost_what_the_adapter_had_is_refused(bad: Fused) -> None:
    eight = replace(FORM, name="fused-8-bits", way=FuseWay.EIGHT_BITS)
    assert FORM.passes
    assert not bad.passes
    assert first_to_pass([eight, FORM]) == FORM
    assert first_to_pass([bad, eight]) == eight
    assert first_to_pass([bad]) is None


def arm(
    kind: ModelVariant, tokens: float, times: Times | None, *, queries: int = 60, lost: int = 0
) -> JudgedArm:
    base = {f"q{n}": [True] for n in range(queries)}
    now = {f"q{n}": [n >= lost] for n in range(queries)}
    kinds, beside = OutputKinds(None, None, 0), compare_accuracy(base, now)
    return JudgedArm(kind.value, kind, tokens, kinds, 1e9, share(tokens / 100), times, None, beside)


def share(of_base: float) -> Interval:
    return Interval(of_base - 0.05, of_base + 0.05, 0.95, Method.BOOTSTRAP_T, 60)


BASE = arm(ModelVariant.BASE, 100, None)
BRIEF = arm(ModelVariant.BRIEF, 90, Times(1.05, 0.98, 1.1))
ADAPTER = replace(arm(ModelVariant.ADAPTER, 60, Times(1.3, 1.2, 1.4)), against_told=Times(1.24, 1.1, 1.4))


def test_shorter_faster_kept_and_better_than_told_is_worth_it() -> None:
    judged = judge([BASE, BRIEF, ADAPTER], 0.1)
    assert judged.verdict is Verdict.YES
    assert set(judged.answers.values()) == {Verdict.YES}
    assert judged.chosen == ADAPTER


def test_an_instruction_that_loses_answers_is_no_rival() -> None:
    told = replace(BRIEF, kept=arm(ModelVariant.BRIEF, 1, None, lost=20).kept)
    kept = arm(ModelVariant.ADAPTER, 1, None, lost=4).kept
    judged = judge([BASE, told, replace(ADAPTER, kept=kept, against_told=Times(1.0, 0.96, 1.05))], 0.1)
    assert (judged.answers[Criterion.KEPT], judged.verdict) == (Verdict.UNDECIDED, Verdict.UNDECIDED)
    assert judged.answers[Criterion.BETTER_THAN_INSTRUCTION] is Verdict.YES


@pytest.mark.parametrize(
    ("arms", "question", "verdict"),
    [
        ([BASE, BRIEF, replace(ADAPTER, times=Times(0.97, 0.9, 1.05))], Criterion.FASTER, Verdict.NO),
        ([BASE, BRIEF, replace(ADAPTER, times=Times(1.2, 0.9, 1.5))], Criterion.FASTER, Verdict.UNDECIDED),
        ([BASE, BRIEF, replace(ADAPTER, times=Times(0.97, 0.5, 2.0))], Criterion.FASTER, Verdict.UNDECIDED),
        ([BASE, BRIEF, replace(ADAPTER, tokens_share=share(1.06))], Criterion.SHORTER, Verdict.NO),
        ([BASE, BRIEF, replace(ADAPTER, tokens_share=share(0.96))], Criterion.SHORTER, Verdict.UNDECIDED),
        (
            [BASE, BRIEF, replace(ADAPTER, against_told=Times(0.93, 0.87, 0.99))],
            Criterion.BETTER_THAN_INSTRUCTION,
            Verdict.NO,
        ),
        (
            [BASE, BRIEF, replace(ADAPTER, against_told=Times(1.0, 0.96, 1.05))],
            Criterion.BETTER_THAN_INSTRUCTION,
            Verdict.NO,
        ),
        (
            [BASE, BRIEF, replace(ADAPTER, against_told=Times(1.2, 0.6, 1.8))],
            Criterion.BETTER_THAN_INSTRUCTION,
            Verdict.UNDECIDED,
        ),
        (
            [
                BASE,
                BRIEF,
                replace(ADAPTER, kept=arm(ModelVariant.ADAPTER, 1, None, lost=20).kept),
            ],
            Criterion.KEPT,
            Verdict.NO,
        ),
        (
            [
                BASE,
                BRIEF,
                replace(ADAPTER, kept=arm(ModelVariant.ADAPTER, 1, None, queries=10).kept),
            ],
            Criterion.KEPT,
            Verdict.UNDECIDED,
        ),
    ],
)
def test_one_no_is_not_worth_it_and_too_few_queries_are_undecided(
    arms: list[JudgedArm], question: Criterion, verdict: Verdict
) -> None:
    judged = judge(arms, 0.1)
    assert judged.answers[question] is verdict
    assert judged.verdict is verdict


def test_an_instruction_that_loses_answers_does_not_win() -> None:
    fast = replace(BRIEF, times=Times(1.5, 1.4, 1.6), kept=arm(ModelVariant.BRIEF, 1, None, lost=3).kept)
    slower = replace(ADAPTER, against_told=Times(0.87, 0.8, 0.95))
    assert judge([BASE, fast, slower], 0.1).verdict is Verdict.YES
    assert judge([BASE, replace(fast, kept=BRIEF.kept), slower], 0.1).verdict is Verdict.NO


def test_what_changed_is_named_by_query() -> None:
    base = {"a": [True, True], "b": [True, False], "c": [True], "only-here": [True]}
    now = {"a": [True, False], "b": [True, True], "c": [True]}
    beside = compare_accuracy(base, now)
    assert (beside.worse, beside.better, beside.compared, beside.right, beside.asked) == (
        ("a",),
        ("b",),
        2,
        2,
        3,
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"mine\.jsonl:2: not"),
        ('{"messages": []}', r"mine\.jsonl:2: not"),
        ('{"messages": [{"role": "user", "content": "x"}]}', r"mine\.jsonl:2: the last message is of user"),
    ],
)
def test_a_row_of_the_users_that_is_none_is_named(line: str, message: str) -> None:
    good = '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}'
    assert own_rows([good, ""], str(Path("mine.jsonl")))[0].name == "mine.jsonl:1"
    with pytest.raises(InputError, match=message):
        own_rows([good, line], "mine.jsonl")
