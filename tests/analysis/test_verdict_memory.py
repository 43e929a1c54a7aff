"""Does the server stay within its memory."""

from __future__ import annotations

import pytest

from punie.trace import semconv
from punie.trace.analysis.verdicts.assessment import Advice, Assessment, Question
from punie.trace.analysis.verdicts.memory import (
    MemoryReason,
    MemorySource,
    MemoryUse,
    memory_use,
    memory_verdict,
)
from punie.trace.model import AttributeValue, Span, Verdict
from punie.trace.report.wording.advice import next_step
from punie.trace.report.wording.verdicts import basis

GB = 10**9


def test_whole_assessment() -> None:
    memory = MemoryUse(28 * GB, limit_bytes=32 * GB, recommended_bytes=25_600_000_000)
    found = memory_verdict(memory)
    assert found == Assessment(
        Question.MEMORY, Verdict.NO, MemoryReason.ABOVE, Advice.USE_LESS_MEMORY, memory, estimate=28e9
    )
    assert basis(found) == (
        "Peak 28.0 GB (sampled footprint of the server's process and its children); "
        "limit 32.0 GB, recommended by the machine 25.6 GB."
    )
    assert next_step(found) == (
        "Above: recommended by the machine. Use fewer bits, a shorter context or a smaller prompt cache."
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
    memory = MemoryUse(peak, MemorySource.PROCESS_OR_ALLOCATOR, limit, recommended)
    found = memory_verdict(memory)
    assert found.verdict is verdict
    assert found.estimate == peak


def test_without_memory() -> None:
    found = memory_verdict(None)
    assert (found.verdict, found.estimate) == (Verdict.UNDECIDED, None)
    assert basis(found) == "The server's memory was not measured."


def test_the_largest_peak_and_the_least_recommendation_of_any_span_count() -> None:
    def span(**attributes: AttributeValue) -> Span:
        names = {"peak": semconv.SERVER_PEAK_FOOTPRINT, "least": semconv.MACHINE_RECOMMENDED_MEMORY}
        return Span(
            "1" * 32, "2" * 16, None, "query", 1, 2, attributes={names[n]: v for n, v in attributes.items()}
        )

    spans = [span(peak=20 * GB, least=25 * GB), span(), span(peak=22 * GB, least=24 * GB), span(peak=True)]
    assert memory_use(spans, limit_bytes=32 * GB) == MemoryUse(
        22 * GB, limit_bytes=32 * GB, recommended_bytes=24 * GB
    )
    assert memory_use([span()], limit_bytes=None) == MemoryUse(None)
