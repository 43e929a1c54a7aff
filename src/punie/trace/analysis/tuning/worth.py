"""Can training for brevity pay? Decode's share of the wall time times what the model's own short answers save of it.

The saving of a query is taken from its recorded time in decode: in proportion to the tokens that its shortest right
answer spares. It is a prediction of the best case: a trained model seldom reaches its own shortest answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.decode import DecodeShare, decode_ns, decode_share
from punie.trace.analysis.statistics.share import ShareEstimate, share_over_wall
from punie.trace.model import Verdict

THRESHOLD: Final = 0.10
"""The share of the wall time below which training isn't begun."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What training could save: `saving` is a share of the wall time, None where nothing could be compared.

    verdict: `yes` if all of the interval is above the threshold, `no` if all of it is below, else `undecided`.
    tokens_saved: the share of output tokens that the shortest right answers spare.
    """

    verdict: Verdict
    saving: ShareEstimate | None
    tokens_saved: float | None
    queries: int

    @property
    def pays(self) -> bool:
        """Whether training may go on by itself."""
        return self.verdict is Verdict.YES


def ceiling(records: Sequence[QueryRecord]) -> DecodeShare | None:
    """All that training can save: decode's share. None without wall time."""
    return decode_share([record for record in records if record.counts])


def can_pay(records: Sequence[QueryRecord]) -> Verdict:
    """Before anything is asked: `no` where not even all of decode is worth it, `undecided` where it isn't known."""
    most = ceiling(records)
    if most is None:
        return Verdict.UNDECIDED
    at_most = most.at_most
    high = at_most.interval.high if at_most.interval else at_most.estimate
    if high < THRESHOLD:
        return Verdict.NO
    return Verdict.YES if most.share is not None else Verdict.UNDECIDED


def predicted_worth(records: Sequence[QueryRecord], shortest: Mapping[str, int]) -> Worth:
    """`records` are of the run as it is, `shortest` the output tokens of each query's shortest right answer."""
    compared = [
        record for record in records if record.counts and record.output_tokens and record.query_id in shortest
    ]

    def saved_ns(record: QueryRecord) -> int:
        return round(decode_ns(record) * _saved_share(record.output_tokens or 0, shortest[record.query_id]))

    saving = share_over_wall(compared, saved_ns)
    usual = sum(record.output_tokens or 0 for record in compared)
    least = sum(min(record.output_tokens or 0, shortest[record.query_id]) for record in compared)
    return Worth(
        verdict=_verdict(saving),
        saving=saving,
        tokens_saved=1 - least / usual if usual else None,
        queries=len({record.query_id for record in compared}),
    )


def _saved_share(usual: int, shortest: int) -> float:
    return max(0.0, 1 - shortest / usual)


def _verdict(saving: ShareEstimate | None) -> Verdict:
    interval = saving.interval if saving else None
    if interval is None or interval.holds(THRESHOLD):
        return Verdict.UNDECIDED
    return Verdict.YES if interval.low > THRESHOLD else Verdict.NO
