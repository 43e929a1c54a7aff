"""A cap on what the model may write in one answer. A cut answer is a failure, so it only helps against rambling."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
from punie.trace.bench.levers.applicability import anywhere
from punie.trace.bench.levers.lever import Evidence, Lever, Scope
from punie.trace.bench.levers.predictions import capped_output
from punie.trace.bench.levers.values import whole

NAME: Final = "max-tokens"
_ROOM: Final = 1.25
"""The longest right answer that was seen isn't the longest that there is."""
_STEP: Final = 16


def _apply(arm: Arm, value: str) -> Arm:
    return replace(arm, request=replace(arm.request, max_tokens=whole(NAME, value)))


def _propose(evidence: Evidence) -> tuple[str, ...]:
    """A quarter above the longest right answer, if there were longer ones.

    Tokens are known for a query, over all of its requests: each request's are at most as many.
    """
    written = [(record.output_tokens, record.ok) for record in evidence.records]
    right = [tokens for tokens, ok in written if ok and tokens]
    if not right:
        return ()
    cap = math.ceil(max(right) * _ROOM / _STEP) * _STEP
    longer = any(tokens and tokens > cap for tokens, _ in written)
    present = evidence.arm.request.max_tokens
    return (str(cap),) if longer and (present is None or cap < present) else ()


LEVER: Final = Lever(
    name=NAME,
    title="a cap on the length of an answer",
    scope=Scope.REQUEST,
    output=ExpectedOutput.JUDGED,
    apply=_apply,
    applies=anywhere,
    propose=_propose,
    value="tokens",
    predict=capped_output,
)
