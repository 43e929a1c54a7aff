"""What a lever is: a named difference to a baseline that knows where it applies and what it costs to try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from punie.trace.analysis.causes.model import Cause
    from punie.trace.analysis.causes.tools import ResultRead
    from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput
    from punie.trace.analysis.records import QueryRecord
    from punie.trace.analysis.summary.summary import RunAnalysis


class Scope(StrEnum):
    """What a lever changes: our mlx_lm.server's flags, every request, or the agent."""

    SERVER = "server"
    REQUEST = "request"
    AGENT = "agent"


class TrialCost(StrEnum):
    """What it costs to try a lever beside the time of its queries: nothing, or files that have to be there."""

    NOTHING = "nothing"
    OTHER_MODEL = "another-model"


@dataclass(frozen=True, slots=True)
class LeverSaving:
    """A predicted share of the wall time that a lever saves, with the ends of its 95 % interval.

    `assuming` is what the prediction takes for granted and nobody measured; empty if there is nothing.
    """

    share: float
    low: float
    high: float
    assuming: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a lever may look at: the baseline's arm, what its queries showed, and their analysis; None: not made.

    `causes` are those in the user's own code, `reads` the results of tools that its prompts have.
    """

    arm: Arm
    records: Sequence[QueryRecord]
    analysis: RunAnalysis | None = None
    causes: Sequence[Cause] = ()
    reads: Sequence[ResultRead] = ()


Apply = Callable[["Arm", str], "Arm"]
"""The arm with the lever at a value ("" where it takes none). Raises UsageError for a value that can't be read."""

Applies = Callable[["Arm"], str]
"""Why the lever can't change anything in this arm; "" where it can."""

Propose = Callable[[Evidence], tuple[str, ...]]
"""The values that are worth trying, in their order; `("",)` for a lever without one; () where there is none."""

Predict = Callable[[Evidence, str], "LeverSaving | None"]
"""What the lever would save at a value; None is not known."""


def _not_known(_evidence: Evidence, _value: str) -> None:
    return None


UNPREDICTED: Final[Predict] = _not_known


@dataclass(frozen=True, slots=True)
class Lever:
    """One kind of change.

    name: as `plan.toml` names it; with a value `NAME=VALUE`.
    title: what it does, in a few words.
    value: what its value is, for people, e.g. "tokens"; "" for a lever without one.
    unpredicted: why nobody can know what it saves, where `predict` doesn't.
    not_with: names of levers that it undoes, or that undo it.
    """

    name: str
    title: str
    scope: Scope
    output: ExpectedOutput
    apply: Apply
    applies: Applies
    propose: Propose
    value: str = ""
    cost: TrialCost = TrialCost.NOTHING
    predict: Predict = UNPREDICTED
    unpredicted: str = "the baseline's spans don't show what that needs"
    not_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeverSetting:
    """A lever at a value."""

    lever: Lever
    value: str = ""

    @property
    def name(self) -> str:
        """As `plan.toml` and `Arm.levers` name it: `brief`, `max-tokens=300`."""
        return f"{self.lever.name}={self.value}" if self.value else self.lever.name

    def to(self, arm: Arm) -> Arm:
        """The arm with this change; its name stays, `levers` has it at its end, its output may have to be judged.

        Raises UsageError.
        """
        changed = self.lever.apply(arm, self.value)
        return replace(changed, levers=(*arm.levers, self.name), output=self._output(arm))

    def _output(self, arm: Arm) -> ExpectedOutput:
        """The same as the baseline's only if every change promises that."""
        return self.lever.output if not arm.levers else _weaker(arm.output, self.lever.output)


def _weaker(one: ExpectedOutput, other: ExpectedOutput) -> ExpectedOutput:
    from punie.trace.analysis.experiment.arms import ExpectedOutput

    return ExpectedOutput.SAME if one is other is ExpectedOutput.SAME else ExpectedOutput.JUDGED


def once(_evidence: Evidence) -> tuple[str, ...]:
    """Proposes to try the lever, which takes no value."""
    return ("",)


def must_be_named(_evidence: Evidence) -> tuple[str, ...]:
    """Proposes no value: nobody but the user can name one."""
    return ()
