"""What one query, asked once in one arm, showed; and where its output parts from what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from punie.trace.analysis.experiment.drafting import Drafting
from punie.trace.analysis.records import QueryRecord
from punie.trace.model import Phase


@dataclass(frozen=True, slots=True)
class TurnOutput:
    """What the model said in one turn: its token ids, or only their digest where ids weren't kept."""

    digest: str | None
    tokens: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One query, asked once, in one arm of one block: its record with what only a benchmark looks at.

    `server_start` is the id of the server start, shared by the arms that one server served. `peak_bytes` is the
    accelerator's allocator peak, `footprint_bytes` the process's peak footprint so far in its server start,
    `recommended_bytes` what the machine recommends.
    """

    arm: str
    block: int
    server_start: str
    record: QueryRecord
    outputs: tuple[TurnOutput, ...] = ()
    drafting: Drafting | None = None
    peak_bytes: int | None = None
    footprint_bytes: int | None = None
    recommended_bytes: int | None = None

    @property
    def query_id(self) -> str:
        """The suite's id of the query."""
        return self.record.query_id

    @property
    def repeat(self) -> int:
        """Which execution of the query in this block and arm, from 0."""
        return self.record.repeat

    @property
    def wall_ns(self) -> int:
        """Wall time of the query."""
        return self.record.wall_ns

    @property
    def prefill_ns(self) -> int | None:
        """Time in which the model read the prompt; None where generation isn't known apart."""
        return self._phase_ns(Phase.PREFILL)

    @property
    def decode_ns(self) -> int | None:
        """Time in which the model wrote; None where generation isn't known apart."""
        return self._phase_ns(Phase.DECODE)

    def _phase_ns(self, phase: Phase) -> int | None:
        phases = self.record.ledger.phases_ns
        return None if phases.get(Phase.MODEL, 0) else phases.get(phase, 0)

    @property
    def output_tokens(self) -> int | None:
        """Tokens written, over all turns."""
        return self.record.output_tokens

    @property
    def truncated(self) -> bool:
        """Whether a turn ended by the token limit: a short time that is no answer."""
        return self.record.truncated > 0

    @property
    def failed(self) -> bool:
        """Whether an error ended it or it was scored as wrong."""
        return self.record.failed

    @property
    def counts(self) -> bool:
        """Whether its time may be compared: answered, not wrong, not disturbed, not cut off."""
        return self.record.succeeded and not self.truncated


class DivergenceKind(StrEnum):
    """Why an output differs: the target's logits were as good as equal, or its context was another, or not known."""

    TIE = "tie"
    CORRUPTION = "corruption"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference of a query's outputs in one arm from the sequential baseline's.

    `token` is the index in the turn's output, None where only digests were kept; `expected` and `actual` are token
    ids there, None past an end. `logit_gap` is the target's logit of the expected token minus that of the actual
    one, given what stood before, None where nobody looked. `places` counts the executions that part in the same place.
    """

    query_id: str
    turn: int
    arm: str
    block: int
    repeat: int
    token: int | None
    expected: int | None
    actual: int | None
    logit_gap: float | None = None
    kind: DivergenceKind = DivergenceKind.UNKNOWN
    places: int = 1
