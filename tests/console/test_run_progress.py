"""What is said while a suite is asked: each query with its time, and how long the rest may take."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from punie.trace.analysis.records import PlannedQuery
from punie.trace.console.progress import RunProgress
from punie.trace.units import NS_PER_S, rough_duration_text
from punie.trace.workload.scoring.score import Score


def test_each_line_has_its_time_and_how_long_the_rest_may_take() -> None:
    out, times = io.StringIO(), [0]
    progress = RunProgress(3, Console(file=out, width=100), clock=lambda: times[0])
    results = [
        (Score(True), None),
        (Score(False, ("ungrounded",)), None),
        (Score(None), "TimeoutError: late"),
    ]
    times[0] = 50 * NS_PER_S  # the server had to start
    for place, (result, error) in enumerate(results):
        planned = PlannedQuery(f"query-{place}", 0, 0, place)
        progress.query_begins(planned)
        times[0] += (place + 1) * 2 * NS_PER_S
        progress.answered(planned, result, error)
    assert out.getvalue().splitlines() == [
        "  [1/3] query-0: ok, 2.000 s; about 4 s left",
        "  [2/3] query-1: ungrounded, 4.000 s; about 3 s left",
        "  [3/3] query-2: error, 6.000 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (119, "119 s"), (121, "2 min"), (7_199, "120 min"), (9_000, "2.5 h")]
)
def test_a_guess_has_no_decimals_that_nobody_knows(seconds: float, text: str) -> None:
    assert rough_duration_text(seconds * NS_PER_S) == text
