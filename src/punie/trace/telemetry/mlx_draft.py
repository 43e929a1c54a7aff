"""Counts what a draft model proposed and what the model took of it, from the tokens that come out.

mlx_lm yields each token with a mark, `from_draft`, and drops the proposals. They follow from the marks: a step
proposes `min(tokens left, K)` tokens and ends with the first token that the model made itself.
Source: `speculative_generate_step` in mlx_lm/generate.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class DraftCounter:
    """Feed every token of one answer in order.

    `drafted` counts proposals, those of a last step that was cut short included; `accepted` the proposals that
    became output; `accepted_by_position[i]` those at place `i` of a step, so `accepted_by_position[i] / steps`
    is the share of steps that got at least that far.
    """

    num_draft_tokens: int
    max_tokens: int
    drafted: int = 0
    accepted: int = 0
    steps: int = 0
    accepted_by_position: list[int] = field(default_factory=list)
    _tokens: int = 0
    _position: int | None = None  # in the open step; None between two steps

    def __post_init__(self) -> None:
        self.accepted_by_position = [0] * self.num_draft_tokens

    def token(self, *, from_draft: bool) -> None:
        """One more token of the answer."""
        position = self._begin_step() if self._position is None else self._position
        self._tokens += 1
        if not from_draft:
            self._position = None
            return
        self.accepted += 1
        self.accepted_by_position[position] += 1
        self._position = position + 1

    def _begin_step(self) -> int:
        self.steps += 1
        self.drafted += min(self.max_tokens - self._tokens, self.num_draft_tokens)
        return 0
