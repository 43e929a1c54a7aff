"""Which levers are worth a measurement, in which order: the most predicted saving first, the unpredictable last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.analysis.improvement.model import LeverCandidate

LEAST_SHARE: Final = 0.02
"""Of the wall time: what saves less at the very most isn't tried, since no affordable measurement would show it."""


class LeverExclusion(StrEnum):
    """Why a lever isn't tried."""

    NOT_HERE = "not-here"  # the candidate says why
    CANT_MATTER = "cant-matter"
    NOT_CHOSEN = "not-chosen"  # by --only or --without
    NO_BUDGET = "no-budget"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The levers to try, in order, and those that aren't tried, each with the reason."""

    tried: tuple[LeverCandidate, ...]
    left_out: tuple[tuple[LeverCandidate, LeverExclusion], ...]

    def candidate(self, name: str) -> LeverCandidate:
        """The lever called `name`. Raises KeyError."""
        return {item.name: item for item in self.tried}[name]


@dataclass(frozen=True, slots=True)
class LeverChoice:
    """Which levers the user wants tried: `only` these (empty: all), `without` those."""

    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def allows(self, candidate: LeverCandidate) -> bool:
        """Whether it is wanted, by its name or its kind."""
        names = {candidate.name, candidate.kind}
        return not names & self.without and (not self.only or bool(names & self.only))


def rank(candidates: Sequence[LeverCandidate], choice: LeverChoice = LeverChoice()) -> Ranking:
    """Order what can be tried; what the user names by `only` is tried however little it is predicted to save."""
    reasons = [(candidate, _reason(candidate, choice)) for candidate in candidates]
    tried = sorted((c for c, reason in reasons if reason is None), key=_expected, reverse=True)
    return Ranking(tuple(tried), tuple((c, reason) for c, reason in reasons if reason is not None))


def _reason(candidate: LeverCandidate, choice: LeverChoice) -> LeverExclusion | None:
    if not choice.allows(candidate):
        return LeverExclusion.NOT_CHOSEN
    if candidate.why_not:
        return LeverExclusion.NOT_HERE
    predicted = candidate.prediction
    if predicted is not None and predicted.at_most < LEAST_SHARE and not choice.only:
        return LeverExclusion.CANT_MATTER
    return None


def _expected(candidate: LeverCandidate) -> float:
    return candidate.prediction.share if candidate.prediction else -1.0
