"""The outcome of the spans that were to go to one target: the result that a report shows."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from punie.trace.telemetry.shipping.targets import Target
from punie.trace.units import count_text

_LONGEST_PROBLEM: Final = 1_000  # characters
_SHOWN: Final = 5
"""Problems in a summary: a receiver may say one of each span."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a batch, in spans. `unanswered`: no answer came for them, though they were sent again.

    `final` is False if the receiver refused the request rather than spans of it (a wrong token, a wrong path):
    once that is mended it may take them.
    """

    accepted: int = 0
    rejected: int = 0
    unanswered: int = 0
    problems: tuple[str, ...] = ()
    final: bool = True

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(
            self.accepted + other.accepted,
            self.rejected + other.rejected,
            self.unanswered + other.unanswered,
            self.problems + other.problems,
            self.final and other.final,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result for one target.

    `sent` are the spans that were to be delivered; of these the receiver `accepted` some and `rejected` some,
    and never answered for the rest (`unanswered`). `errors` are what it or the network reported, each once, in
    order. `skipped_lines` of the journal are no spans: torn by a crash, or not OTLP/JSON. `earlier` spans were
    accepted before, `earlier_rejected` were rejected, and neither were sent again. `changed` has a sentence for
    each journal that is gone or another one than was read before: whether all of it was sent can't be known.
    """

    target: Target
    sent: int
    accepted: int
    rejected: int
    errors: tuple[str, ...]
    skipped_lines: int
    earlier: int = 0
    earlier_rejected: int = 0
    changed: tuple[str, ...] = ()

    @property
    def unanswered(self) -> int:
        """Spans for which no answer came: they may or may not have arrived."""
        return self.sent - self.accepted - self.rejected

    @property
    def complete(self) -> bool:
        """Every span was accepted, every line was a span, and no error was reported."""
        return self.acknowledged and not self.errors and not self.skipped_lines

    @property
    def acknowledged(self) -> bool:
        """The receiver has acknowledged every span that the journals hold, now or earlier."""
        return self.accepted == self.sent and not self.earlier_rejected and not self.changed

    def summary(self) -> str:
        """One line for the terminal."""
        counts = (
            (self.earlier if self.sent else 0, "{} earlier"),
            (self.earlier_rejected, "{} rejected earlier"),
            (self.rejected, "{} rejected"),
            (self.unanswered, "{} without an answer"),
            (self.skipped_lines, "{} unreadable journal lines skipped"),
        )
        more = [text.format(count) for count, text in counts if count]
        line = f"{self.target.name}: {', '.join([self._accepted_text(), *more])}"
        problems = [*self.changed, *self.errors]
        if len(problems) > _SHOWN:
            problems[_SHOWN:] = [f"and {len(problems) - _SHOWN} more"]
        return f"{line}: {'; '.join(problems)}" if problems else line

    def _accepted_text(self) -> str:
        if self.sent or not self.earlier:
            return f"{self.accepted} of {count_text(self.sent, 'span')} accepted"
        return f"nothing new, {count_text(self.earlier, 'span')} accepted earlier"


class DeliveryCount:
    """A `Delivery` while it grows; thread-safe."""

    def __init__(self, target: Target, *, earlier: int = 0, earlier_rejected: int = 0) -> None:
        self._target = target
        self._earlier = earlier
        self._earlier_rejected = earlier_rejected
        self._lock = threading.Lock()
        self._lines = self._spans = self._unreadable = 0
        self._received = Receipt()
        self._errors: dict[str, None] = {}

    def read(self, *, lines: int, spans: int, unreadable: int) -> None:
        """So many more lines were read; they hold `spans` to be delivered, and something `unreadable`."""
        with self._lock:
            self._lines += lines
            self._spans += spans
            self._unreadable += unreadable

    def received(self, receipt: Receipt) -> None:
        """The outcome of a batch."""
        with self._lock:
            self._received += receipt
            self._errors |= dict.fromkeys(
                problem[:_LONGEST_PROBLEM] for problem in receipt.problems if problem
            )

    def problem(self, text: str) -> None:
        """Something to say, once; empty is nothing."""
        self.received(Receipt(problems=(text,)))

    def close(self, *, held_lines: int, waiting_lines: int, changed: Iterable[str]) -> Delivery:
        """The result.

        Undelivered are also the spans of the `held_lines` whole lines of the journals that were not read, and of the
        `waiting_lines` that no journal holds.
        """
        with self._lock:
            return Delivery(
                self._target,
                self._spans + max(held_lines - self._lines, 0) + waiting_lines,
                self._received.accepted,
                self._received.rejected,
                tuple(self._errors),
                self._unreadable,
                self._earlier,
                self._earlier_rejected,
                tuple(changed),
            )
