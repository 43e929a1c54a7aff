"""Is generation above 70 %: planted shares, contested time, too little evidence, the advice."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.statistics.decode import DecodeKnowledge
from punie.trace.analysis.statistics.spread import UnitKind
from punie.trace.analysis.verdicts.assessment import Advice, Assessment, QueryEvidence, Question
from punie.trace.analysis.verdicts.generation import (
    GenerationFigures,
    GenerationReason,
    MeasuredGeneration,
    PredictedSavings,
    generation_verdict,
)
from punie.trace.model import Group, Phase, Verdict
from punie.trace.report.wording.advice import next_step
from punie.trace.report.wording.verdicts import basis

RecordMaker = Callable[..., QueryRecord]
Y, N, U = Verdict.YES, Verdict.NO, Verdict.UNDECIDED


@dataclass(frozen=True)
class Broken:
    """An integrity finding."""

    slug: str
    effect: str
    count: int


def judge(
    records: Sequence[QueryRecord], *integrity: Broken, missing: int = 0
) -> Assessment[GenerationFigures]:
    planned = tuple(PlannedQuery(f"gone-{number}", 0, 0, number) for number in range(missing))
    return generation_verdict(QueryEvidence(tuple(records), integrity, planned))


def measured(found: Assessment[GenerationFigures]) -> MeasuredGeneration:
    assert found.figures.measured is not None
    return found.figures.measured


def suite(
    make: RecordMaker, share: float, *, noise: float = 0.0, queries: int = 5, repeats: int = 3, seed: int = 0
) -> list[QueryRecord]:
    """Queries of very different length whose share of decode scatters around `share`."""
    generator = random.Random(seed)  # noqa: S311 - planted noise
    records = []
    for query in range(queries):
        for repeat in range(repeats):
            wall = round(1_000 * (1 + query) * generator.uniform(0.95, 1.05))
            decode = round(wall * min(1.0, max(0.0, share + generator.uniform(-noise, noise))))
            records.append(
                make(f"q{query}", {Phase.DECODE: decode, Phase.TOOL: wall - decode}, repeat=repeat)
            )
    return records


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("share", "noise", "allowed"),
    [
        (0.50, 0.05, {N}),
        (0.69, 0.05, {N, U}),
        (0.69, 0.001, {N}),
        (0.70, 0.0, {U}),
        (0.71, 0.05, {Y, U}),
        (0.71, 0.001, {Y}),
        (0.90, 0.05, {Y}),
    ],
)
def test_planted_shares(
    make_record: RecordMaker, share: float, noise: float, allowed: set[Verdict], seed: int
) -> None:
    found = judge(suite(make_record, share, noise=noise, seed=seed))
    assert found.verdict in allowed
    assert found.estimate == pytest.approx(share, abs=0.05)


def test_whole_finding(make_record: RecordMaker) -> None:
    records = [
        make_record(f"q{query}", {Phase.PREFILL: 200, Phase.DECODE: 600 + query, Phase.TOOL: 200 - query})
        for query in range(5)
    ]
    found = judge(records)
    assert (found.question, found.verdict, found.reason) == (Question.GENERATION, Y, GenerationReason.ABOVE)
    assert found.estimate == pytest.approx(0.802)
    assert basis(found) == (
        "Generation is 80.2 % of 5.000 s in 5 answers to 5 queries; 95 % interval 80.0 % to 80.4 % "
        "(jackknife-t over 5 queries): all of it above 70 %."
    )
    assert next_step(found) == (
        "Training the model to write shorter answers is worth a try: decode is 60.2 %; half the output tokens would "
        "save about 30.1 % of the wall time."
    )
    seen = measured(found)
    assert (seen.generation_ns, seen.wall_ns) == (4_010_000_000, 5_000_000_000)
    assert seen.pooled_share == pytest.approx(0.802)
    assert seen.prefill_share == pytest.approx(0.2)
    assert seen.largest_other.group is Group.TOOL
    assert seen.largest_other.share == pytest.approx(0.198)
    assert seen.needed is None


def test_failed_queries_are_not_averaged(make_record: RecordMaker) -> None:
    records = suite(make_record, 0.9, noise=0.01)
    spoiled = [*records, make_record("q0", {Phase.TOOL: 10**6}, repeat=9, ok=False, failures=("wrong-tool",))]
    assert judge(spoiled).estimate == judge(records).estimate
    assert judge(spoiled).figures.failed_left_out == 1


def test_nothing_succeeded(make_record: RecordMaker) -> None:
    found = judge([make_record("a", {Phase.TOOL: 5}, error="Timeout: late", ok=None)])
    assert (found.verdict, found.estimate, found.interval) == (U, None, None)
    assert basis(found) == "No query succeeded in measurable time."


def test_spans_without_a_model_request_decide_nothing(make_record: RecordMaker) -> None:
    plain = [make_record(f"q{query}", {Phase.TOOL: 1_000 + query}, model_requests=0) for query in range(6)]
    found = judge(plain)
    assert (found.verdict, found.estimate, found.figures.queries) == (U, None, 6)
    assert basis(found).startswith("No model request in these spans of 6 answers")
    assert next_step(found).startswith("Trace the agent's model calls")
    assert basis(judge(plain, missing=1)).endswith("; 1 planned query missing.")
    asked = [make_record(f"q{query}", {Phase.TOOL: 1_000 + query}, model_requests=1) for query in range(6)]
    assert judge(asked).verdict is N
    assert judge([]).verdict is U
    assert judge([make_record("a", {})]).estimate is None


def test_one_query_has_a_share_and_no_interval(make_record: RecordMaker) -> None:
    found = judge([make_record("a", {Phase.DECODE: 9, Phase.TOOL: 1})])
    assert (found.verdict, found.estimate, found.interval) == (U, 0.9, None)
    assert "no interval from one query: at least 5 different queries are needed" in basis(found)


def test_four_queries_are_too_few_however_clear(make_record: RecordMaker) -> None:
    found = judge(suite(make_record, 0.95, queries=4, repeats=20))
    assert found.verdict is U
    assert next_step(found).startswith("Ask at least 5 different queries")


@pytest.mark.parametrize(("decode", "verdict"), [(70, U), (71, Y), (69, N)])
def test_identical_values(make_record: RecordMaker, decode: int, verdict: Verdict) -> None:
    records = [make_record(str(q), {Phase.DECODE: decode, Phase.TOOL: 100 - decode}) for q in range(6)]
    assert judge(records).verdict is verdict


def test_contested_generation_counts_against_yes(make_record: RecordMaker) -> None:
    phases = {Phase.DECODE: 800, Phase.TOOL: 200}
    clear = [make_record(f"q{q}", phases) for q in range(5)]
    contested = [make_record(f"q{q}", phases, contested_ms={Phase.DECODE: 150}) for q in range(5)]
    assert judge(clear).verdict is Y
    found = judge(contested)
    assert (found.verdict, found.estimate) == (U, 0.8)
    assert "contested time makes it 65.0 % to 80.0 %" in basis(found)
    assert next_step(found).startswith("Run without parallel work")


def test_no_holds_with_contested_generation_and_is_not_moved_by_contested_tools(
    make_record: RecordMaker,
) -> None:
    phases = {Phase.DECODE: 600, Phase.TOOL: 400}
    for contested in ({Phase.DECODE: 500}, {Phase.TOOL: 150}):
        assert judge([make_record(f"q{q}", phases, contested_ms=contested) for q in range(5)]).verdict is N


def test_integrity_and_missing_queries_forbid_a_verdict(make_record: RecordMaker) -> None:
    records = suite(make_record, 0.9, noise=0.01)
    broken = judge(records, Broken("missing-parent", "no-verdict", 3))
    assert broken.verdict is U
    assert "integrity: missing-parent (3)" in basis(broken)
    assert judge(records, Broken("missing-parent", "no-verdict", 0)).verdict is Y
    assert judge(records, Broken("duplicate", "shown", 7)).verdict is Y
    assert "2 planned queries missing" in basis(judge(records, missing=2))
    assert judge(records, missing=1).verdict is U


def test_downgraded_evidence_is_said(make_record: RecordMaker) -> None:
    found = judge(suite(make_record, 0.9, noise=0.01), Broken("clock-skew", "downgraded", 1))
    assert found.verdict is Y
    assert basis(found).endswith("; weakened by clock-skew.")
    assert found.figures.downgraded_by == ("clock-skew",)


def test_unsplit_model_time_gives_only_an_upper_bound_of_decode(make_record: RecordMaker) -> None:
    found = judge([make_record(f"q{q}", {Phase.MODEL: 900, Phase.TOOL: 100}) for q in range(5)])
    assert found.verdict is Y
    assert "decode is at most 90.0 %" in next_step(found)
    decode = measured(found).decode
    assert (decode.knowledge, decode.share) == (DecodeKnowledge.UNKNOWN, None)
    assert decode.at_most.estimate == 0.9


def test_partly_split_model_time(make_record: RecordMaker) -> None:
    phases = {Phase.MODEL: 300, Phase.DECODE: 600, Phase.TOOL: 100}
    found = judge([make_record(f"q{q}", phases) for q in range(5)])
    assert "decode is at least 60.0 %" in next_step(found)
    decode = measured(found).decode
    assert decode.share is not None
    assert decode.knowledge is DecodeKnowledge.PARTLY
    assert decode.share.estimate == pytest.approx(0.6)
    assert decode.at_most.estimate == pytest.approx(0.9)


def test_prefill_is_no_reason_to_train(make_record: RecordMaker) -> None:
    phases = {Phase.PREFILL: 700, Phase.DECODE: 200, Phase.TOOL: 100}
    found = judge([make_record(f"q{q}", phases) for q in range(5)])
    assert found.verdict is Y
    assert next_step(found).startswith("Shorten or cache the prompt first: prefill is 70.0 %, decode 20.0 %")


def test_no_points_at_the_largest_other_group(make_record: RecordMaker) -> None:
    phases = {Phase.DECODE: 300, Phase.TOOL: 600, Phase.HTTP: 100}
    found = judge([make_record(f"q{q}", phases) for q in range(5)])
    assert next_step(found) == (
        "Look at tool first (60.0 %): shorter answers can save at most decode's 30.0 %."
    )


def test_undecided_says_what_would_decide(make_record: RecordMaker) -> None:
    shares = (0.60, 0.75, 0.80, 0.85, 0.70)
    records = [
        make_record(f"q{q}", {Phase.DECODE: round(1000 * s) + 20 * r, Phase.TOOL: 1000 - round(1000 * s) - 20 * r},
                    repeat=r)
        for q, s in enumerate(shares)
        for r in range(3)
    ]  # fmt: skip
    found = judge(records)
    assert found.verdict is U
    needed = measured(found).needed
    assert needed is not None
    assert needed.units is not None
    assert needed.units > 5
    assert (needed.unit, needed.repeats, needed.repeats_known) == (UnitKind.QUERY, None, True)
    assert next_step(found) == (
        f"To decide: about {needed.units} queries like these 5. Not reachable by repeats alone."
    )


def test_undecided_from_noisy_repeats_asks_for_repeats(make_record: RecordMaker) -> None:
    offsets = ((-150, 0, 50), (-100, 160, 60), (20, -160, 20), (160, 110, -140), (-150, 150, 0))
    records = [
        make_record(f"q{q}", {Phase.DECODE: 725 + offset, Phase.TOOL: 275 - offset}, repeat=r)
        for q, of_query in enumerate(offsets)
        for r, offset in enumerate(of_query)
    ]
    found = judge(records)
    assert found.verdict is U
    assert "repeats of each query" in next_step(found)


def test_one_repeat_says_that_repeats_are_unknown(make_record: RecordMaker) -> None:
    decodes = (66, 70, 74, 80, 72)
    found = judge([make_record(str(d), {Phase.DECODE: d, Phase.TOOL: 100 - d}) for d in decodes])
    assert found.verdict is U
    assert next_step(found).endswith("What repeats would bring isn't known from one: try --repeat 3.")


def test_a_share_of_seventy_is_not_reachable(make_record: RecordMaker) -> None:
    records = [
        make_record(f"q{q}", {Phase.DECODE: 70, Phase.TOOL: 30}, repeat=r) for q in range(5) for r in (0, 1)
    ]
    assert next_step(judge(records)) == (
        "Not reachable by repeats or more queries: the share itself is about 70 %."
    )


def test_server_starts_that_differ_widen_the_interval(make_record: RecordMaker) -> None:
    records = [
        make_record(f"q{q}", {Phase.DECODE: decode, Phase.TOOL: 1000 - decode}, server_start=start)
        for start, decode in enumerate((950, 750, 850))
        for q in range(5)
    ]
    found = judge(records)
    assert found.verdict is U
    assert found.interval is not None
    assert (found.interval.over, found.interval.units) == (UnitKind.SERVER_START, 3)
    assert "(jackknife-t over 3 server starts and 5 queries)" in basis(found)
    assert next_step(found).startswith("To decide: about ")
    assert "server starts like these 3. Not reachable by repeats alone." in next_step(found)
    needed = measured(found).needed
    assert needed is not None
    assert (needed.unit, needed.repeats, needed.repeats_known) == (UnitKind.SERVER_START, None, True)
    assert judge(records[:5]).verdict is Y


def test_a_share_that_is_not_that_of_all_answers_is_said_beside_it(make_record: RecordMaker) -> None:
    alike = suite(make_record, 0.9, noise=0.0)
    more = [make_record("q0", {Phase.DECODE: 100, Phase.TOOL: 900}, repeat=r) for r in (1, 2)]
    assert " of " in basis(judge(alike)).partition("answers")[0]
    assert "mean of its repeats" not in basis(judge(alike))
    found = judge([*alike, *more])
    pooled = measured(found).pooled_share
    assert f"each query by the mean of its repeats ({100 * pooled:.1f} % of all " in basis(found)


def test_more_server_starts_leave_what_differs_between_queries(make_record: RecordMaker) -> None:
    shares, starts = (620, 860, 760, 880, 680), (-100, 100, 0)
    records = [
        make_record(f"q{q}", {Phase.DECODE: share + shift, Phase.TOOL: 1000 - share - shift}, server_start=s)
        for q, share in enumerate(shares)
        for s, shift in enumerate(starts)
    ]
    found = judge(records)
    needed = measured(found).needed
    assert needed is not None
    assert (needed.units, needed.unit, needed.beside) == (None, UnitKind.SERVER_START, UnitKind.QUERY)
    assert next_step(found) == "Not reachable by more server starts alone: it takes more queries as well."


ORDER = {N: 0, U: 1, Y: 2}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 80)), min_size=1, max_size=12),
    st.integers(0, 20),
)
def test_more_generation_never_moves_the_verdict_towards_no(
    make_record: RecordMaker, queries: list[tuple[int, int]], more: int
) -> None:
    def at(extra: int) -> Assessment[GenerationFigures]:
        return judge(
            [
                make_record(
                    str(n), {Phase.DECODE: wall * (share + extra), Phase.TOOL: wall * (100 - share - extra)}
                )
                for n, (wall, share) in enumerate(queries)
            ]
        )

    assert ORDER[at(0).verdict] <= ORDER[at(more).verdict]


def test_what_was_predicted_is_what_the_advice_says(make_record: RecordMaker) -> None:
    asked = QueryEvidence(tuple(suite(make_record, 0.9, noise=0.01)))
    alone, known, unknown = (
        generation_verdict(asked, savings)
        for savings in (None, PredictedSavings(0.123, 0.05), PredictedSavings(None, None))
    )
    assert {found.advice for found in (alone, known, unknown)} == {Advice.SAY_LESS}
    assert "half the output tokens would save about 45." in next_step(alone)
    assert "half the output tokens would save about 12.3 %" in next_step(known)
    assert "isn't known from these queries" in next_step(unknown)


def test_a_cache_that_saves_more_than_fewer_tokens_comes_first(make_record: RecordMaker) -> None:
    asked = QueryEvidence(tuple(suite(make_record, 0.9, noise=0.01)))
    found = generation_verdict(asked, PredictedSavings(0.10, 0.30))
    assert found.advice is Advice.SHORTEN_PROMPT
    assert "a prompt cache that hits everywhere would save about 30.0 %" in next_step(found)


@pytest.mark.parametrize(
    ("known", "contested", "advice"),
    [
        (True, 0, "Look at network first (50.0 %)"),
        (False, 0, "Look at network first (at least 50.0 %)"),
        (False, 100, "Look at network first (at least 40.0 %)"),
        (False, 350, "Look at tool first (20.0 %)"),
    ],
)
def test_no_points_at_what_is_known_or_at_a_bound_that_holds(
    make_record: RecordMaker, known: bool, contested: int, advice: str
) -> None:
    phases = {Phase.DECODE: 300, Phase.HTTP: 500, Phase.TOOL: 200}
    shared = {Phase.HTTP: contested}
    found = judge([make_record(f"q{q}", phases, contested_ms=shared, network_known=known) for q in range(5)])
    assert found.verdict is N
    assert next_step(found).startswith(advice)


def test_time_in_failed_calls_is_not_called_the_network(make_record: RecordMaker) -> None:
    phases = {Phase.DECODE: 300, Phase.RETRY: 500, Phase.HTTP: 200}
    found = judge([make_record(f"q{q}", phases, network_known=True) for q in range(5)])
    assert next_step(found).startswith("Look at failed model calls first (70.0 %)")


def test_with_the_cache_on_more_evidence_comes_from_server_starts(make_record: RecordMaker) -> None:
    decodes = (66, 70, 74, 80, 72)
    records = [make_record(str(d), {Phase.DECODE: d, Phase.TOOL: 100 - d}, cache="server") for d in decodes]
    assert next_step(judge(records)).endswith("isn't known from one: try --starts 3.")
