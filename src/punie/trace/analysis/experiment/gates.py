"""What a faster arm must not cost: right answers, the same answers where that is promised, memory, swap.

Accuracy is paired by query, against the baseline of the same stage. A query counts as right only if all of its repeats
were. With k of n such queries worse, the exact 95 % upper bound of the share that gets worse is shown (Clopper and
Pearson): 0 of 5 still allows 45 %.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.analysis.statistics.distributions import clopper_pearson_lower
from punie.trace.analysis.statistics.spread import LEVEL
from punie.trace.model import Verdict

LEAST_SWAP_BYTES: Final = 64 * 2**20  # below it, whatever else the machine does


class GateKind(StrEnum):
    """What is held against an arm."""

    ACCURACY = "accuracy"
    SAME_ANSWERS = "same-answers"
    MEMORY = "memory"
    SWAP = "swap"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: `no` closes it, `undecided` says that it couldn't be looked at.

    `queries` are those that it is about: got worse, or answered otherwise. `better` are wrong before and right now.
    `of` counts the queries that could have got worse; `bound` is the exact upper bound of the share that does. `value`
    is what was held against `limit`, in bytes.
    """

    kind: GateKind
    verdict: Verdict
    queries: tuple[str, ...] = ()
    better: tuple[str, ...] = ()
    of: int = 0
    bound: float | None = None
    value: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One answer: right or not (None: not scored), and its output, turn by turn, as digests (None: not known)."""

    query_id: str
    right: bool | None
    digests: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """The most memory that the server of an arm took, and what the machine wrote to swap meanwhile; None: not known."""

    peak_bytes: int | None = None
    swapped_out_bytes: int | None = None


def accuracy_gate(baseline: Iterable[ScoredAnswer], arm: Iterable[ScoredAnswer]) -> Gate:
    """`no` if a query that is right in every repeat of the baseline is wrong in one of the arm's."""
    before, now = _right(baseline), _right(arm)
    both = sorted(before.keys() & now.keys())
    right_before = [query for query in both if before[query]]
    worse = tuple(query for query in right_before if not now[query])
    better = tuple(query for query in both if now[query] and not before[query])
    count = len(right_before)
    return Gate(
        GateKind.ACCURACY,
        Verdict.NO if worse else Verdict.YES if both else Verdict.UNDECIDED,
        queries=worse,
        better=better,
        of=count,
        bound=1 - clopper_pearson_lower(count - len(worse), count, level=LEVEL) if count else None,
    )


def same_answers_gate(baseline: Iterable[ScoredAnswer], arm: Iterable[ScoredAnswer]) -> Gate:
    """`no` if the arm answers a query as the baseline never did, and the baseline always answers alike."""
    before, now = _digests_by_query(baseline), _digests_by_query(arm)
    both = sorted(before.keys() & now.keys())
    steady = [query for query in both if None not in before[query] | now[query] and len(before[query]) == 1]
    other = tuple(query for query in steady if now[query] != before[query])
    known = bool(both) and len(steady) == len(both)
    verdict = Verdict.NO if other else Verdict.YES if known else Verdict.UNDECIDED
    return Gate(GateKind.SAME_ANSWERS, verdict, queries=other, of=len(steady))


def memory_gate(arm: Resources, limit_bytes: int | None) -> Gate | None:
    """Against the user's limit; None without one."""
    if limit_bytes is None:
        return None
    peak = arm.peak_bytes
    verdict = Verdict.UNDECIDED if peak is None else Verdict.YES if peak <= limit_bytes else Verdict.NO
    return Gate(GateKind.MEMORY, verdict, value=peak, limit=limit_bytes)


def swap_gate(baseline: Resources, arm: Resources) -> Gate:
    """`no` if the machine swapped while the arm ran, and more than while the baseline did."""
    before, now = baseline.swapped_out_bytes, arm.swapped_out_bytes
    if before is None or now is None:
        return Gate(GateKind.SWAP, Verdict.UNDECIDED)
    limit = before + LEAST_SWAP_BYTES
    return Gate(GateKind.SWAP, Verdict.YES if now <= limit else Verdict.NO, value=now, limit=limit)


def closed(gates: Sequence[Gate], *, scored: bool = True) -> tuple[Gate, ...]:
    """The gates that keep an arm out: those that say no.

    Where answers have to be judged (`scored`), accuracy that couldn't be looked at keeps it out as well.
    """
    return tuple(
        gate
        for gate in gates
        if gate.verdict is Verdict.NO
        or (scored and gate.kind is GateKind.ACCURACY and gate.verdict is Verdict.UNDECIDED)
    )


def _right(answers: Iterable[ScoredAnswer]) -> Mapping[str, bool]:
    right: dict[str, bool] = {}
    for answer in answers:
        if answer.right is not None:
            right[answer.query_id] = right.get(answer.query_id, True) and answer.right
    return right


def _digests_by_query(answers: Iterable[ScoredAnswer]) -> Mapping[str, set[tuple[str, ...] | None]]:
    outputs: dict[str, set[tuple[str, ...] | None]] = defaultdict(set)
    for answer in answers:
        outputs[answer.query_id].add(answer.digests)
    return outputs
