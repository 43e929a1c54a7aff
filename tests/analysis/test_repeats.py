"""What doesn't count as an answer that a user waited for: warm repeats; and what is no wrong answer."""

from __future__ import annotations

from typing import Any

import pytest
from records import build_record

from punie.trace.analysis.queries.repeats import mark_cached_repeats
from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.summary.parts import part_of
from punie.trace.analysis.summary.summary import RunAnalysis, analyse
from punie.trace.analysis.verdicts.target import TargetReason
from punie.trace.model import Phase, Verdict

MS = 1_000_000


def asked(name: str, at: int, ms: int, cached: int | None, **more: Any) -> QueryRecord:  # noqa: ANN401 - fields of it
    fields: dict[str, Any] = {"cache": "server", "cached_tokens": cached, "repeat": at} | more
    return build_record(name, {Phase.DECODE: 40, Phase.PREFILL: ms - 40}, start_ns=at * 1000 * MS, **fields)


def marks(*records: QueryRecord) -> list[bool]:
    return [record.is_cached_repeat for record in mark_cached_repeats(records)]


def test_only_the_first_asking_in_a_server_start_counts() -> None:
    first, second = asked("q", 0, 500, 80), asked("q", 1, 60, 900)
    again = asked("q", 2, 500, 80, server_start=1)
    other = asked("r", 3, 300, 400)
    assert marks(first, second, again, other) == [False, True, False, False]


@pytest.mark.parametrize(
    ("cache", "first", "repeat", "is_cached"),
    [
        ("off", None, None, False),
        ("server", None, None, True),
        ("unknown", None, None, True),  # the time tells: 20 ms of reading in place of 460
        ("unknown", 80, 900, True),
        ("server", 80, 80, False),  # the system prompt alone, as at first
        ("server", 0, 0, False),
        (None, 80, 900, False),  # asked by no run
    ],
)
def test_a_repeat_is_cached_if_it_had_more_from_the_cache(
    cache: str | None, first: int | None, repeat: int | None, is_cached: bool
) -> None:
    one, two = asked("q", 0, 500, first, cache=cache), asked("q", 1, 60, repeat, cache=cache)
    assert marks(one, two) == [False, is_cached]


@pytest.mark.parametrize(("ms", "is_cached"), [(500, False), (271, False), (269, True)])
def test_where_nobody_reports_tokens_the_time_to_read_tells(ms: int, is_cached: bool) -> None:
    """The first execution read for 460 ms; half of that is the bound."""
    unknown = {"cached": None, "cache": "unknown"}
    assert marks(asked("q", 0, 500, **unknown), asked("q", 1, ms, **unknown)) == [False, is_cached]  # type: ignore[arg-type]


def test_without_prefill_apart_all_of_generation_tells() -> None:
    fields: dict[str, Any] = {"cache": "unknown", "cached_tokens": None}
    first, slow, quick = (
        build_record("q", {Phase.MODEL: ms}, start_ns=at * MS, repeat=at, **fields)
        for at, ms in enumerate((500, 251, 249))
    )
    assert marks(first, slow, quick) == [False, False, True]


def test_a_warm_up_is_no_first_asking() -> None:
    assert marks(asked("q", 0, 500, 0, warmup=True), asked("q", 1, 500, 80)) == [False, False]


def test_the_first_asking_stays_the_first_though_it_failed() -> None:
    assert marks(asked("q", 0, 500, 0, ok=False), asked("q", 1, 60, 900)) == [False, True]


def analysed(*records: QueryRecord) -> RunAnalysis:
    return analyse(mark_cached_repeats(records), target_ns=200 * MS)


def test_repeats_change_neither_sums_nor_shares_nor_the_target() -> None:
    """Three warm repeats under the target don't outvote the one execution that is over it."""
    first = asked("q", 0, 500, 80)
    alone = analysed(first)
    found = analysed(first, *(asked("q", at, 60, 900) for at in (1, 2, 3)))
    assert found.totals == alone.totals
    assert found.verdicts.generation.estimate == alone.verdicts.generation.estimate
    assert (found.verdicts.target.verdict, found.verdicts.target.estimate) == (Verdict.NO, 500 * MS)
    assert found.cached_repeats == 3
    assert found.verdicts.accuracy.figures.answers == 4, "they are answers all the same"


def test_days_and_models_leave_out_what_the_report_leaves_out() -> None:
    records = mark_cached_repeats([asked("q", 0, 500, 80), *(asked("q", at, 60, 900) for at in (1, 2, 3))])
    part, whole = part_of("", records), analyse(records).totals
    assert whole is not None
    assert (part.answers, part.wall_ns, part.wall) == (whole.answers, whole.wall_ns, whole.wall)
    assert (part.cached_repeats, part.failed) == (3, 0)


def test_a_target_needs_askings_that_count() -> None:
    fast = [asked("q", at, 60, 80 if not at else 900) for at in range(3)]
    assert analysed(*fast).verdicts.target.verdict is Verdict.UNDECIDED
    starts = [asked("q", at, 60, 80, server_start=at) for at in range(3)]
    assert analysed(*starts).verdicts.target.verdict is Verdict.YES


def test_a_warm_repeat_that_failed_still_fails_the_target() -> None:
    found = analysed(asked("q", 0, 60, 80), asked("q", 1, 60, 900, ok=False))
    assert found.verdicts.target.reason is TargetReason.FAILED_ATTEMPTS


def test_what_wrong_answers_took_is_beside_the_ledger() -> None:
    found = analysed(
        asked("q", 0, 500, 0), asked("r", 1, 300, 0, ok=False), asked("s", 2, 200, 0, error="X: no")
    )
    assert found.totals is not None
    assert found.totals.wall_ns == 500 * MS
    assert found.failed_totals is not None
    assert (found.failed_totals.answers, found.failed_totals.wall_ns) == (2, 500 * MS)
    nothing_right = analysed(asked("r", 1, 300, 0, ok=False))
    assert nothing_right.totals is None
    assert nothing_right.failed_totals is not None


@pytest.mark.parametrize("error", ["KeyboardInterrupt: ", "CancelledError: "])
def test_interrupted_is_not_wrong(error: str) -> None:
    found = analysed(asked("q", 0, 500, 0), asked("r", 1, 300, 0, ok=None, error=error))
    accuracy = found.verdicts.accuracy
    assert (accuracy.figures.answers, accuracy.figures.unscored, accuracy.figures.wrong) == (1, 1, {})
    assert accuracy.verdict is Verdict.UNDECIDED
    assert [record.query_id for record in found.failed] == ["r"], "and excluded from averages"
