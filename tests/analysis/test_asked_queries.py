"""What the verdicts may look at: which records count, and which findings weaken or forbid a claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from punie.trace.analysis.records import PlannedQuery, QueryRecord
from punie.trace.analysis.verdicts.assessment import Gap, QueryEvidence, forbidding
from punie.trace.analysis.verdicts.target import target_verdict
from punie.trace.model import Disturbance, Phase, Verdict

RecordMaker = Callable[..., QueryRecord]


@dataclass(frozen=True)
class Item:
    """An integrity finding."""

    slug: str
    effect: str
    count: int


FINDINGS = tuple(
    Item(f"{effect}-{count}", effect, count)
    for effect in ("shown", "downgraded", "no-verdict")
    for count in (0, 1, 2)
)


def test_only_findings_with_cases_weaken_or_forbid() -> None:
    asked = QueryEvidence((), FINDINGS)
    assert asked.downgrades == ("downgraded-1", "downgraded-2")
    assert asked.gaps == forbidding(FINDINGS) == (Gap("no-verdict-1", 1), Gap("no-verdict-2", 2))


def test_missing_queries_are_named_once_and_first() -> None:
    missing = (PlannedQuery("a", 0, 0, 0), PlannedQuery("b", 0, 0, 1))
    findings = (Item("broken-root", "no-verdict", 3), Item("missing-query", "no-verdict", 2))
    assert QueryEvidence((), findings, missing).gaps == (Gap("missing-query", 2), Gap("broken-root", 3))
    assert QueryEvidence((), findings).gaps == (Gap("broken-root", 3), Gap("missing-query", 2))


@pytest.mark.parametrize(
    ("values", "counts", "failed"),
    [
        ({}, True, False),
        ({"ok": True}, True, False),
        ({"ok": False}, False, True),
        ({"error": "ValueError: x"}, False, True),
        ({"ok": True, "error": "ValueError: x"}, False, True),
        ({"warmup": True}, False, False),
        ({"disturbed_by": Disturbance.SERVER_WORK}, False, False),
        ({"disturbed_by": Disturbance.TOOL_THREAD, "ok": True}, False, False),
        ({"disturbed_by": Disturbance.TOOL_THREAD, "ok": False}, False, True),
    ],
)
def test_what_counts_in_averages_and_what_failed(
    make_record: RecordMaker, values: dict[str, object], counts: bool, failed: bool
) -> None:
    record = make_record("q", {Phase.DECODE: 1_000_000}, **values)
    asked = QueryEvidence((record,))
    assert (asked.counted == (record,), asked.failed == (record,)) == (counts, failed)


def test_nothing_asked_has_no_verdict_on_the_target() -> None:
    found = target_verdict(QueryEvidence(()), 1)
    assert (found.verdict, found.figures.fewest, found.figures.failed, found.figures.medians) == (
        Verdict.UNDECIDED,
        0,
        0,
        {},
    )
