"""What became of the spans that were to go to one target: the result that a report shows."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from punie.trace.telemetry.shipping.sender import Receipt
from punie.trace.telemetry.shipping.targets import Target
from punie.trace.units import count_text


@dataclass(frozen=True, slots=True)
class Delivery:
    """The account of one target.

    `sent` are the spans that were to be delivered; of these the receiver `accepted` some and `rejected` some,
    and never answered for the rest (`unanswered`). `errors` are what it or the network said, each once, in
    order. `skipped_lines` of the journal are no spans: torn by a crash, or not OTLP/JSON. `earlier` spans were
    accepted before, `earlier_rejected` were rejected, and neither were sent again.
    """

    target: Target
    sent: int
    accepted: int
    rejected: int
    errors: tuple[str, ...]
    skipped_lines: int
    earlier: int = 0
    earlier_rejected: int = 0

    @property
    def unanswered(self) -> int:
        """Spans for which no answer came: they may or may not have arrived."""
        return self.sent - self.accepted - self.rejected

    @property
    def complete(self) -> bool:
        """Every span was accepted, every line was a span, and nothing was said against it."""
        return self.accepted == self.sent and not self.errors and not self.skipped_lines

    def summary(self) -> str:
        """One line for the terminal."""
        said = f"{self.target.name}: {self.accepted} of {count_text(self.sent, 'span')} accepted"
        if self.earlier:
            said += f", {self.earlier} earlier"
        if self.earlier_rejected:
            said += f", {self.earlier_rejected} rejected earlier"
        if self.rejected:
            said += f", {self.rejected} rejected"
        if self.unanswered:
            said += f", {self.unanswered} without an answer"
        if self.skipped_lines:
            said += f", {self.skipped_lines} unreadable journal lines skipped"
        return f"{said}: {'; '.join(self.errors)}" if self.errors else said


class Account:
    """A `Delivery` while it grows; thread-safe."""

    def __init__(self, target: Target, *, earlier: int = 0, earlier_rejected: int = 0) -> None:
        self._target = target
        self._earlier = earlier
        self._earlier_rejected = earlier_rejected
        self._lock = threading.Lock()
        self._read = 0
        self._accepted = 0
        self._rejected = 0
        self._skipped = 0
        self._errors: dict[str, None] = {}

    def read(self, spans: int) -> None:
        """So many more spans are to be delivered."""
        with self._lock:
            self._read += spans

    def expect(self, lines: int) -> None:
        """The journal has `lines` whole lines: those not read are to be delivered too."""
        with self._lock:
            self._read = max(self._read, lines - self._skipped)

    def skipped(self, lines: int) -> None:
        """So many more lines are no spans."""
        with self._lock:
            self._skipped += lines

    def answered(self, receipt: Receipt) -> None:
        """The receiver answered for a batch."""
        with self._lock:
            self._accepted += receipt.accepted
            self._rejected += receipt.rejected
        self.problem(receipt.problem)

    def problem(self, text: str) -> None:
        """Something to say, once; empty is nothing."""
        if text:
            with self._lock:
                self._errors.setdefault(text)

    def close(self) -> Delivery:
        """The account as it stands."""
        with self._lock:
            return Delivery(
                self._target,
                self._read,
                self._accepted,
                self._rejected,
                tuple(self._errors),
                self._skipped,
                self._earlier,
                self._earlier_rejected,
            )
