"""Does the model server stay within the memory that it may use?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.verdicts.assessment import Assessment
from punie.trace.model import Verdict
from punie.trace.units import bytes_text

NAME: Final = "memory"
UNIT: Final = "bytes, peak footprint"


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """The peak footprint of the server's process and its children, in bytes, and what it is held against.

    `source` says how the peak was measured. `limit_bytes` is the user's, `recommended_bytes` the machine's
    (on Apple silicon the recommended working set, less than the memory that is built in). None: not known.
    """

    peak_bytes: int | None
    source: str
    limit_bytes: int | None = None
    recommended_bytes: int | None = None


def memory_verdict(memory: MemoryUse | None) -> Assessment:
    """`yes` if the peak is within every bound that is known, `no` if it is above one of them.

    `undecided` without a measured peak or without any bound.
    """
    if memory is None or memory.peak_bytes is None:
        return _without_peak(memory)
    bounds = _bounds(memory)
    exceeded = [name for name, bound in bounds.items() if memory.peak_bytes > bound]
    if not bounds:
        verdict, held = Verdict.UNDECIDED, "no bound to hold it against"
    else:
        verdict = Verdict.NO if exceeded else Verdict.YES
        held = ", ".join(f"{name} {bytes_text(bound)}" for name, bound in bounds.items())
    return Assessment(
        name=NAME,
        verdict=verdict,
        estimate=float(memory.peak_bytes),
        interval=None,
        unit=UNIT,
        basis=f"Peak {bytes_text(memory.peak_bytes)} ({memory.source}); {held}.",
        next_step=_next_step(verdict, exceeded),
        details={
            "peak_bytes": memory.peak_bytes,
            "limit_bytes": memory.limit_bytes,
            "recommended_bytes": memory.recommended_bytes,
            "source": memory.source,
            "exceeded": exceeded,
        },
    )


def _bounds(memory: MemoryUse) -> dict[str, int]:
    candidates = {
        "limit": memory.limit_bytes,
        "recommended by the machine": memory.recommended_bytes,
    }
    return {name: bound for name, bound in candidates.items() if bound is not None}


def _next_step(verdict: Verdict, exceeded: list[str]) -> str:
    if verdict is Verdict.UNDECIDED:
        return "Say what it may use with --max-memory."
    if verdict is Verdict.YES:
        return "Nothing to do; keep the limit as a gate."
    return f"Above: {', '.join(exceeded)}. Use fewer bits, a shorter context or a smaller prompt cache."


def _without_peak(memory: MemoryUse | None) -> Assessment:
    return Assessment(
        name=NAME,
        verdict=Verdict.UNDECIDED,
        estimate=None,
        interval=None,
        unit=UNIT,
        basis="The server's memory was not measured"
        + (f" ({memory.source})." if memory and memory.source else "."),
        next_step="Let run start the server itself: the memory of another's process isn't known.",
        details={
            "peak_bytes": None,
            "limit_bytes": memory.limit_bytes if memory else None,
            "recommended_bytes": memory.recommended_bytes if memory else None,
            "source": memory.source if memory else None,
            "exceeded": [],
        },
    )
