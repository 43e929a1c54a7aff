"""What would spoil a training unseen, looked for before it begins.

Rows that are cut, turns that aren't trained, another text than the server's.

mlx_lm cuts rows that are too long, trains on the last message alone (`--mask-prompt`), and renders the chat template by
itself: it says nothing where that gives other tokens than those that the server answers to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ArgumentsForm(StrEnum):
    """How a row's earlier tool calls hold their arguments: as JSON text, or as an object."""

    TEXT = "text"
    OBJECT = "object"
    ALIKE = "alike"


class PromptMatch(StrEnum):
    """How a row's prompt compares with what the server was given for the same turn."""

    SAME_TOKENS = "same-tokens"
    OTHER_TOKENS = "other-tokens"
    SAME_COUNT = "same-count"
    OTHER_COUNT = "other-count"
    NOT_KNOWN = "not-known"


@dataclass(frozen=True, slots=True)
class RowFacts:
    """One row as the tokenizer sees it.

    name: query and turn, for people.
    tokens: of the whole row; prompt_tokens: of what stands before the turn that is trained.
    prompt_is_prefix: whether the row begins with its prompt's tokens, so that the mask ends where it should.
    """

    name: str
    tokens: int
    prompt_tokens: int
    prompt_is_prefix: bool
    served: PromptMatch
    arguments: ArgumentsForm

    @property
    def trained_tokens(self) -> int:
        """Tokens that the loss counts."""
        return max(0, self.tokens - self.prompt_tokens)


class Problem(StrEnum):
    """What is wrong with a row, or with all of them."""

    CUT = "cut"
    UNTRAINED = "untrained"
    SHIFTED_MASK = "shifted-mask"
    OTHER_TOKENS = "other-tokens"
    TOO_FEW_ROWS = "too-few-rows"
    NO_MEMORY = "no-memory"


PROBLEM_TEXTS: Final[Mapping[Problem, str]] = {
    Problem.CUT: "longer than max_seq_length: its end, the turn that is trained, would be cut off",
    Problem.UNTRAINED: "nothing of it would be trained: the last turn is empty",
    Problem.SHIFTED_MASK: "the template writes earlier turns in another way once a later one is there: the mask is off",
    Problem.OTHER_TOKENS: "the template gives other tokens than those that the server was asked with",
    Problem.TOO_FEW_ROWS: "fewer rows than a batch",
    Problem.NO_MEMORY: "doesn't fit into this machine's memory",
}


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """An estimate of training's peak, in bytes, against what the machine recommends (None: not known)."""

    model_bytes: int
    adapter_bytes: int
    activation_bytes: int
    limit_bytes: int | None

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.model_bytes + self.adapter_bytes + self.activation_bytes

    @property
    def fits(self) -> bool | None:
        """None where the limit isn't known."""
        return None if self.limit_bytes is None else self.total_bytes <= self.limit_bytes


@dataclass(frozen=True, slots=True)
class Lint:
    """The linter's result: rows that may be trained on, rows left out by what is wrong with them.

    refused: what forbids to train at all.
    served: how often the prompts compare with the server's in each way; arguments: the same for tool arguments.
    """

    kept: tuple[str, ...]
    left_out: Mapping[Problem, tuple[str, ...]]
    refused: tuple[Problem, ...]
    longest_tokens: int
    trained_tokens: int
    served: Mapping[PromptMatch, int]
    arguments: Mapping[ArgumentsForm, int]


def lint(
    rows: Sequence[RowFacts], *, max_seq_length: int, batch_size: int, memory: TrainingMemory | None
) -> Lint:
    """Judges every row by itself, then all that are left together."""
    left_out: dict[Problem, list[str]] = {}
    kept: list[RowFacts] = []
    for row in rows:
        if (problem := _problem(row, max_seq_length)) is None:
            kept.append(row)
        else:
            left_out.setdefault(problem, []).append(row.name)
    return Lint(
        kept=tuple(row.name for row in kept),
        left_out={problem: tuple(names) for problem, names in left_out.items()},
        refused=tuple(_refused(len(kept), batch_size, memory)),
        longest_tokens=max((row.tokens for row in kept), default=0),
        trained_tokens=sum(row.trained_tokens for row in kept),
        served={kind: count for kind in PromptMatch if (count := sum(row.served is kind for row in rows))},
        arguments={
            kind: count for kind in ArgumentsForm if (count := sum(row.arguments is kind for row in rows))
        },
    )


def _problem(row: RowFacts, max_seq_length: int) -> Problem | None:
    if row.tokens > max_seq_length:
        return Problem.CUT
    if not row.trained_tokens:
        return Problem.UNTRAINED
    if not row.prompt_is_prefix:
        return Problem.SHIFTED_MASK
    return Problem.OTHER_TOKENS if row.served in (PromptMatch.OTHER_TOKENS, PromptMatch.OTHER_COUNT) else None


def _refused(kept: int, batch_size: int, memory: TrainingMemory | None) -> Iterator[Problem]:
    if kept < batch_size or not kept:
        yield Problem.TOO_FEW_ROWS
    if memory is not None and memory.fits is False:
        yield Problem.NO_MEMORY
