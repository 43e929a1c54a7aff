"""How predictions did: each lever that was measured, as it was predicted."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """One lever, predicted and measured: shares of the baseline's wall time that it saves (below 0: it costs).

    `kind` is the lever without its value; `low` and `high` are the ends of 95 % intervals, None where there is none.
    `when` is ISO 8601, `machine` the machine's name, `suite` the suite's digest. There is no content.
    """

    kind: str
    lever: str
    when: str
    machine: str
    suite: str
    predicted: float
    predicted_low: float | None
    predicted_high: float | None
    measured: float
    measured_low: float | None
    measured_high: float | None

    @property
    def held(self) -> bool | None:
        """Whether the two intervals meet; None without both."""
        ends = (self.predicted_low, self.predicted_high, self.measured_low, self.measured_high)
        low, high, measured_low, measured_high = ends
        if low is None or high is None or measured_low is None or measured_high is None:
            return None
        return low <= measured_high and measured_low <= high


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """Predictions of one kind of lever: how many, of how many of `judged` both intervals meet, the typical error.

    `error` is the median of |measured - predicted|, a share of the wall time.
    """

    kind: str
    count: int
    judged: int
    held: int
    error: float


def track_records(results: Iterable[PredictionResult]) -> tuple[TrackRecord, ...]:
    """One for each kind, by its name."""
    by_kind: dict[str, list[PredictionResult]] = {}
    for result in results:
        by_kind.setdefault(result.kind, []).append(result)
    return tuple(_record(kind, predictions) for kind, predictions in sorted(by_kind.items()))


def _record(kind: str, results: list[PredictionResult]) -> TrackRecord:
    judged = [result.held for result in results if result.held is not None]
    error = statistics.median(abs(result.measured - result.predicted) for result in results)
    return TrackRecord(kind, len(results), len(judged), sum(judged), error)
