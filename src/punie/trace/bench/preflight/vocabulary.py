"""Do two tokenizers give the same id to every token? mlx_lm compares the sizes alone, and only warns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from punie.trace.errors import VocabularyError
from punie.trace.units import count_text

_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """A token and its id in either vocabulary, None where it isn't in it."""

    token: str
    target: int | None
    draft: int | None

    def __str__(self) -> str:
        ids = ("none" if number is None else str(number) for number in (self.target, self.draft))
        return f"{self.token!r} ({' / '.join(ids)})"


def compare(target: Mapping[str, int], draft: Mapping[str, int]) -> tuple[Difference, ...]:
    """Every token whose id differs, by the target's id, those that the target lacks last."""
    tokens = {token for token, _ in target.items() ^ draft.items()}
    found = [Difference(token, target.get(token), draft.get(token)) for token in tokens]
    return tuple(sorted(found, key=lambda d: (d.target is None, d.target or d.draft or 0, d.token)))


def check(found: Sequence[Sequence[Any]], draft: str, *, allow: bool) -> str:
    """A sentence about the differences `found` (each token, target's id, draft's id), empty if there are none.

    Raises VocabularyError that names them unless `allow`.
    """
    if not found:
        return ""
    differences = [Difference(*item) for item in found]
    named = ", ".join(map(str, differences[:_NAMED]))
    more = len(differences) - _NAMED
    listed = f"{named} and {count_text(more, 'other')}" if more > 0 else named
    told = f"{count_text(len(differences), 'token')} of {draft} differ from the model's (id there / here): {listed}"
    if not allow:
        raise VocabularyError(
            f"draft {draft}: its tokens aren't the model's: {listed}",
            remedy="take a draft of the same family; if these tokens can't matter, add --allow-vocab-mismatch",
        )
    return told
