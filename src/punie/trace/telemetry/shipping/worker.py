"""Sends a growing journal to one target, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from opentelemetry.instrumentation.utils import suppress_instrumentation

from punie.trace.errors import PunieTraceError
from punie.trace.telemetry.shipping.answers import Outcome, ReceiverResponse
from punie.trace.telemetry.shipping.batches import Batch, BatchReader
from punie.trace.telemetry.shipping.delivery import Delivery, DeliveryCount, Receipt
from punie.trace.telemetry.shipping.outgoing import OutgoingSpan
from punie.trace.telemetry.shipping.sender import Sender
from punie.trace.telemetry.shipping.tail import Place

_LONGEST_PAUSE_S: Final = 5.0
_LONGEST_RETRY_S: Final = 300.0  # what a receiver may ask to be waited for, all together
_REFUSED_IN_A_ROW: Final = 64  # single spans; a receiver that refuses more refuses all


class Bookmark(Protocol):
    """How far one target has acknowledged the journal; outlives the process."""

    @property
    def places(self) -> Mapping[str, Place]:
        """The end of what is acknowledged of each journal file, by its name."""
        ...

    @property
    def accepted(self) -> int:
        """Spans that it accepted up to there."""
        ...

    @property
    def rejected(self) -> int:
        """Spans that it refused up to there."""
        ...

    def reached(self, places: Mapping[str, Place], *, accepted: int, rejected: int) -> None:
        """Everything up to `places` is acknowledged, so many more spans. Raises PunieTraceError or OSError."""
        ...


class Worker:
    """Begins with `start`; `finish` says that nothing more is written. The thread doesn't keep the process alive.

    `retry_s`: how long a receiver that doesn't answer is tried again after `finish`.
    """

    def __init__(
        self,
        count: DeliveryCount,
        reader: BatchReader,
        sender: Sender,
        bookmark: Bookmark,
        *,
        poll_s: float,
        retry_s: float,
    ) -> None:
        self._count = count
        self._reader = reader
        self._sender = sender
        self._bookmark = bookmark
        self._poll_s = poll_s
        self._retry_s = retry_s
        self._retry_until = float("inf")
        self._deadline = float("inf")
        self._finish = threading.Event()
        self._abandoned = threading.Event()
        self._unbroken = True  # everything before this point is acknowledged
        # it has accepted something, so what it refuses is due to the spans and not to itself
        self._proven = False
        self._refused_in_a_row = 0
        self._problem = ""  # why a batch that is still tried was not answered
        self._thread = threading.Thread(target=self._run, name="ship", daemon=True)
        self.start = self._thread.start
        self.join = self._thread.join
        self.take = reader.take

    def finish(self, deadline: float) -> None:
        """Send what is left, until `deadline` (of the monotonic clock) at most."""
        self._deadline = deadline
        self._retry_until = time.monotonic() + self._retry_s
        self._finish.set()

    def close(self, patience_s: float | None) -> Delivery:
        """The result. A thread that still works is left alone: what it did not do stays unanswered."""
        if patience_s is not None and self._thread.is_alive():
            self._abandoned.set()
            self._count.problem(f"not finished within {patience_s:g} s")
            self._count.problem(self._problem)
        return self._count.close(
            held_lines=self._reader.held_lines(),
            waiting_lines=self._reader.waiting_lines(),
            changed=self._reader.changed(),
        )

    def _run(self) -> None:
        try:
            with suppress_instrumentation():  # else an instrumented client would write spans of our sending
                self._follow()
        except Exception as error:  # noqa: BLE001 # a thread has nobody to raise to: it is in the result
            self._count.problem(f"the shipper failed: {type(error).__name__}: {error}")
        finally:
            self._sender.close()

    def _follow(self) -> None:
        while not self._abandoned.is_set():
            finishing = self._finish.is_set()  # asked before the read: what is written by then is read
            self._send_all()
            if finishing:
                break
            self._finish.wait(self._poll_s)
        self._count.read(lines=0, spans=0, unreadable=self._reader.torn_lines())

    def _send_all(self) -> None:
        answered = True
        for batch in self._reader.batches():
            self._count.read(lines=batch.lines, spans=len(batch.spans), unreadable=batch.unreadable)
            if answered:  # else the others are only counted, so that the result is whole
                receipt = self._deliver(batch.spans) if batch.spans else Receipt()
                self._count.received(receipt)
                self._keep(batch, receipt)
                answered = not receipt.unanswered

    def _deliver(self, spans: Sequence[OutgoingSpan]) -> Receipt:
        """Send `spans`, in halves where something in them is refused, down to the span that is."""
        answer = self._try(spans)
        if answer.outcome is Outcome.UNANSWERED:
            return Receipt(unanswered=len(spans), problems=(answer.problem,), final=False)
        if answer.outcome is Outcome.ACCEPTED:
            self._refused_in_a_row, self._proven = 0, True
            rejected = min(answer.rejected, len(spans))
            return Receipt(len(spans) - rejected, rejected, problems=(answer.problem,))
        if answer.outcome is Outcome.REQUEST_REFUSED or self._refused_in_a_row >= _REFUSED_IN_A_ROW:
            return Receipt(rejected=len(spans), problems=(answer.problem,), final=False)
        if len(spans) == 1:
            self._refused_in_a_row += 1
            return Receipt(rejected=1, problems=(f"{spans[0].label}: {answer.problem}",))
        middle = len(spans) // 2
        first = self._deliver(spans[:middle])
        if first.unanswered:
            return first + Receipt(unanswered=len(spans) - middle)
        return first + self._deliver(spans[middle:])

    def _try(self, spans: Sequence[OutgoingSpan]) -> ReceiverResponse:
        """The answer to `spans`, asked for again and again while the run goes on, and for a time when it is over."""
        pause_s = self._poll_s
        while True:
            try:
                answer = self._sender.send(spans)
            except ValueError as error:
                return ReceiverResponse(Outcome.SPANS_REFUSED, problem=f"it can't be encoded: {error}")
            if answer.outcome is not Outcome.UNANSWERED:
                return answer
            self._problem = answer.problem
            if not self._wait(pause_s, answer.retry_after_s):
                return answer
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _wait(self, pause_s: float, requested_s: float | None) -> bool:
        """Wait before another try, for as long as the receiver asks for; False if there is no time for another."""
        if self._finish.is_set() and not self._may_wait(pause_s, requested_s):
            return False
        if requested_s is not None:
            self._abandoned.wait(requested_s)
        else:
            (self._abandoned if self._finish.is_set() else self._finish).wait(pause_s)
        return not self._abandoned.is_set()

    def _may_wait(self, pause_s: float, requested_s: float | None) -> bool:
        now = time.monotonic()
        if requested_s is None:
            return now + pause_s <= min(self._retry_until, self._deadline)
        until = now + requested_s
        if requested_s > _LONGEST_RETRY_S or until > self._deadline:
            return False
        self._retry_until = max(self._retry_until, until + self._retry_s)
        return True

    def _keep(self, batch: Batch, receipt: Receipt) -> None:
        self._unbroken = self._unbroken and receipt.final and (self._proven or not receipt.rejected)
        if not self._unbroken:
            return
        try:
            self._bookmark.reached(batch.places, accepted=receipt.accepted, rejected=receipt.rejected)
        except (PunieTraceError, OSError) as error:
            self._count.problem(f"{error} (so it would be sent again)")
