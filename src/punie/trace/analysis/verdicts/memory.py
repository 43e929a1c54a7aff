"""Does the model server stay within the memory that it may use?"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from punie.trace import semconv
from punie.trace.analysis.verdicts.assessment import Advice, Assessment, Question
from punie.trace.model import Attributes, Span, Verdict


class MemorySource(StrEnum):
    """What the peak was read from."""

    PROCESS = "process"
    PROCESS_OR_ALLOCATOR = "process-or-allocator"


class MemoryBound(StrEnum):
    """What the peak is held against."""

    LIMIT = "limit"
    RECOMMENDED = "recommended by the machine"


class MemoryReason(StrEnum):
    """Why the verdict is what it is."""

    NOT_MEASURED = "not-measured"
    NO_BOUND = "no-bound"
    WITHIN = "within"
    ABOVE = "above"


class MemoryUse(msgspec.Struct, frozen=True):
    """The peak footprint of the server's process and its children, in bytes, and what it is held against.

    `limit_bytes` is the user's, `recommended_bytes` the machine's (on Apple silicon the recommended working set, less
    than the memory that is built in). None: not known.
    """

    peak_bytes: int | None = None
    source: MemorySource = MemorySource.PROCESS
    limit_bytes: int | None = None
    recommended_bytes: int | None = None

    @property
    def bounds(self) -> dict[MemoryBound, int]:
        """The bounds that are known."""
        bounds = {MemoryBound.LIMIT: self.limit_bytes, MemoryBound.RECOMMENDED: self.recommended_bytes}
        return {name: size for name, size in bounds.items() if size is not None}

    @property
    def exceeded(self) -> list[MemoryBound]:
        """The bounds that the peak is above."""
        return [name for name, size in self.bounds.items() if (self.peak_bytes or 0) > size]


def memory_verdict(memory: MemoryUse | None) -> Assessment[MemoryUse]:
    """`yes` if the peak is within every bound that is known, `no` if it is above one of them.

    `undecided` without a measured peak or without any bound.
    """
    memory = memory or MemoryUse()
    verdict, reason, advice = _judge(memory)
    estimate = None if memory.peak_bytes is None else float(memory.peak_bytes)
    return Assessment(Question.MEMORY, verdict, reason, advice, memory, estimate)


def _judge(memory: MemoryUse) -> tuple[Verdict, MemoryReason, Advice]:
    if memory.peak_bytes is None:
        return Verdict.UNDECIDED, MemoryReason.NOT_MEASURED, Advice.START_THE_SERVER
    if not memory.bounds:
        return Verdict.UNDECIDED, MemoryReason.NO_BOUND, Advice.SET_LIMIT
    if memory.exceeded:
        return Verdict.NO, MemoryReason.ABOVE, Advice.USE_LESS_MEMORY
    return Verdict.YES, MemoryReason.WITHIN, Advice.KEEP_AS_GATE


def memory_use(spans: Iterable[Span], *, limit_bytes: int | None) -> MemoryUse:
    """The largest peak footprint that a query span carries, beside the least that the machine recommends."""
    attributes = [span.attributes for span in spans]
    peaks = _known(attributes, semconv.SERVER_PEAK_FOOTPRINT)
    recommended = _known(attributes, semconv.MACHINE_RECOMMENDED_MEMORY)
    return MemoryUse(
        peak_bytes=max(peaks, default=None),
        limit_bytes=limit_bytes,
        recommended_bytes=min(recommended, default=None),
    )


def _known(attributes: list[Attributes], name: str) -> list[int]:
    return [
        size
        for of_span in attributes
        if name in of_span and (size := semconv.integer(of_span, name)) is not None
    ]
