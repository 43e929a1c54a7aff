"""Counts what a draft model proposed and what the model took of it, from the tokens that come out.

mlx_lm yields each token with a mark, `from_draft`, and drops the proposals. They follow from the marks: a step
proposes `min(tokens left, K)` tokens and ends with the first token that the model made itself.
Source: `speculative_generate_step` in mlx_lm/generate.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class DraftCounts:
    """What was proposed and taken, in some steps.

    `drafted` counts proposals, those of a last step that was cut short included; `accepted` the proposals that
    became output; `accepted_by_position[i]` those at place `i` of a step, so `accepted_by_position[i] / steps`
    is the share of steps that got at least that far.
    """

    accepted_by_position: list[int] = field(default_factory=list)
    drafted: int = 0
    accepted: int = 0
    steps: int = 0


class ToolCallText:
    """Whether the text that comes out is that of a tool call: between the markers of the model's template.

    A marker's own tokens are tool-call text from the one on that completes it. Without markers all is prose.
    """

    def __init__(self, start: str | None, end: str | None) -> None:
        self._start = start
        self._end = end
        self._tail = ""
        self.inside = False

    def read(self, text: str) -> None:
        """The next piece of text is out."""
        marker = self._end if self.inside else self._start
        if not marker:
            return
        self._tail += text
        at = self._tail.rfind(marker)
        if at < 0:
            self._tail = self._tail[-len(marker) :]
            return
        self._tail = self._tail[at + len(marker) :]
        self.inside = not self.inside


class DraftCounter(DraftCounts):
    """Feed every token of one answer in order; the counts are over all steps, `tool_calls` over those in tool calls.

    `tool_call_tokens` are output tokens, whoever made them. A step belongs to the kind of text in which it began.
    """

    __slots__ = (
        *("_counts", "_max_tokens", "_num_draft_tokens", "_position", "_tokens"),
        *("text", "tool_call_tokens", "tool_calls"),
    )

    def __init__(self, num_draft_tokens: int, max_tokens: int, text: ToolCallText | None = None) -> None:
        super().__init__([0] * num_draft_tokens)
        self.tool_calls = DraftCounts([0] * num_draft_tokens)
        self.tool_call_tokens = 0
        self.text = text or ToolCallText(None, None)
        self._num_draft_tokens = num_draft_tokens
        self._max_tokens = max_tokens
        self._tokens = 0
        self._position: int | None = None  # in the open step; None between two steps
        self._counts: tuple[DraftCounts, ...] = (self,)  # those that the open step belongs to

    def token(self, *, from_draft: bool, text: str = "") -> None:
        """One more token of the answer, and the text that came out with it."""
        position = self._begin_step() if self._position is None else self._position
        self._tokens += 1
        self.text.read(text)
        self.tool_call_tokens += self.text.inside
        if not from_draft:
            self._position = None
            return
        for counts in self._counts:
            counts.accepted += 1
            counts.accepted_by_position[position] += 1
        self._position = position + 1

    def _begin_step(self) -> int:
        self._counts = (self, self.tool_calls) if self.text.inside else (self,)
        for counts in self._counts:
            counts.steps += 1
            counts.drafted += min(self._max_tokens - self._tokens, self._num_draft_tokens)
        return 0
