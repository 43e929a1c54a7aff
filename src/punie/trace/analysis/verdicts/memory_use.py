"""How much memory the server took, read off the query spans."""

from __future__ import annotations

from collections.abc import Iterable

from punie.trace import semconv
from punie.trace.analysis.verdicts.memory import MemoryUse
from punie.trace.model import Span


def memory_use(spans: Iterable[Span], *, limit_bytes: int | None) -> MemoryUse:
    """The largest peak footprint that a query span carries, beside what the machine recommends."""
    peaks: list[int] = []
    recommended: list[int] = []
    for span in spans:
        peak = semconv.integer(span.attributes, semconv.SERVER_PEAK_FOOTPRINT)
        bound = semconv.integer(span.attributes, semconv.MACHINE_RECOMMENDED_MEMORY)
        if peak is not None:
            peaks.append(peak)
        if bound is not None:
            recommended.append(bound)
    return MemoryUse(
        peak_bytes=max(peaks, default=None),
        source="sampled footprint of the server's process and its children" if peaks else "",
        limit_bytes=limit_bytes,
        recommended_bytes=min(recommended, default=None),
    )
