"""Does the server stay within its memory."""

from __future__ import annotations

import pytest

from punie.trace.analysis.verdicts.assessment import Assessment
from punie.trace.analysis.verdicts.memory import UNIT, MemoryUse, memory_verdict
from punie.trace.model import Verdict

GB = 10**9


def test_whole_finding() -> None:
    evidence = MemoryUse(28 * GB, "footprint", limit_bytes=32 * GB, recommended_bytes=25_600_000_000)
    assert memory_verdict(evidence) == Assessment(
        name="memory",
        verdict=Verdict.NO,
        estimate=28e9,
        interval=None,
        unit=UNIT,
        basis="Peak 28.0 GB (footprint); limit 32.0 GB, recommended by the machine 25.6 GB.",
        next_step=(
            "Above: recommended by the machine. Use fewer bits, a shorter context or a smaller prompt cache."
        ),
        details={
            "peak_bytes": 28 * GB,
            "limit_bytes": 32 * GB,
            "recommended_bytes": 25_600_000_000,
            "source": "footprint",
            "exceeded": ["recommended by the machine"],
        },
    )


@pytest.mark.parametrize(
    ("peak", "limit", "recommended", "verdict"),
    [
        (20, 32, 25, Verdict.YES),
        (32, 32, None, Verdict.YES),
        (33, 32, None, Verdict.NO),
        (20, None, 25, Verdict.YES),
        (26, None, 25, Verdict.NO),
        (20, None, None, Verdict.UNDECIDED),
        (None, 32, 25, Verdict.UNDECIDED),
    ],
)
def test_bounds(peak: int | None, limit: int | None, recommended: int | None, verdict: Verdict) -> None:
    evidence = MemoryUse(peak, "footprint", limit, recommended)
    found = memory_verdict(evidence)
    assert found.verdict is verdict
    assert found.estimate == peak


def test_without_evidence() -> None:
    found = memory_verdict(None)
    assert (found.verdict, found.estimate) == (Verdict.UNDECIDED, None)
    assert found.basis == "The server's memory was not measured."
