"""Sends the journal to every target, during a run or after it, and gives an account of each.

The journal is the queue: nothing is lost when a receiver is down or this process dies, and `ship` can send it
again. Delivery is at least once; readers drop duplicates by trace and span id.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan

from punie.trace.telemetry.content import ContentPolicy
from punie.trace.telemetry.decode import LineDecoder
from punie.trace.telemetry.delivery import Account, Delivery
from punie.trace.telemetry.sender import Outcome, Receipt, Sender, make_sender
from punie.trace.telemetry.tail import JournalTail
from punie.trace.telemetry.targets import Target

DEFAULT_DEADLINE_S: Final = 15.0
_EXPORT_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 5.0
_BATCH_LINES: Final = 256  # about 1 MB with content; receivers take 4 MB over gRPC by default

SenderFactory = Callable[[Target, float], Sender]


def ship(
    spans_dir: Path | str,
    targets: Sequence[Target],
    *,
    policy: ContentPolicy = ContentPolicy.STRIP,
    deadline_s: float = DEFAULT_DEADLINE_S,
) -> tuple[Delivery, ...]:
    """Send what is in `spans_dir` to every target, side by side, within `deadline_s` seconds.

    One `Delivery` a target, in the order of `targets`; trouble is in them and never raised.
    """
    shipper = Shipper(spans_dir, targets, policy=policy)
    shipper.start()
    return shipper.stop(deadline_s)


class Shipper:
    """Follows a growing journal in background threads, one a target: between `start` and `stop`."""

    def __init__(
        self,
        spans_dir: Path | str,
        targets: Sequence[Target],
        *,
        policy: ContentPolicy = ContentPolicy.STRIP,
        poll_s: float = _POLL_S,
        export_timeout_s: float = _EXPORT_TIMEOUT_S,
        sender_factory: SenderFactory = make_sender,
    ) -> None:
        self._workers = [
            _Worker(target, Path(spans_dir), policy, poll_s, _make(sender_factory, target, export_timeout_s))
            for target in targets
        ]

    def start(self) -> None:
        """Begin to send what is there, and what will be."""
        for worker in self._workers:
            worker.start()

    def stop(self, deadline_s: float = DEFAULT_DEADLINE_S) -> tuple[Delivery, ...]:
        """Send the rest within `deadline_s` seconds and give the account of every target."""
        deadline = time.monotonic() + deadline_s
        for worker in self._workers:
            worker.finish()
        for worker in self._workers:
            worker.join(max(deadline - time.monotonic(), 0.0))
        return tuple(worker.close(deadline_s) for worker in self._workers)


def _make(factory: SenderFactory, target: Target, timeout_s: float) -> Sender:
    try:
        return factory(target, timeout_s)
    except Exception as error:  # noqa: BLE001 # a certificate or compression that can't be: the account says so
        return _NoSender(f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class _NoSender:
    """Stands where no sender could be made."""

    problem: str

    def send(self, spans: Sequence[ReadableSpan]) -> Receipt:
        return Receipt(Outcome.UNANSWERED, 0, 0, self.problem)

    def close(self) -> None:
        """Nothing is open."""


class _Worker:
    """Sends to one target, in a thread that doesn't keep the process alive."""

    def __init__(
        self, target: Target, spans_dir: Path, policy: ContentPolicy, poll_s: float, sender: Sender
    ) -> None:
        self._account = Account(target)
        self._spans_dir = spans_dir
        self._tail = JournalTail(spans_dir)
        self._decoder = LineDecoder(policy)
        self._poll_s = poll_s
        self._sender = sender
        self._finish = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ship to {target.name}", daemon=True)
        self.start = self._thread.start
        self.join = self._thread.join
        self.finish = self._finish.set

    def close(self, deadline_s: float) -> Delivery:
        """The account. A thread that still works is left alone: what it did not do stays unanswered."""
        if self._thread.is_alive():
            self._abandoned.set()
            self._account.problem(f"not finished within {deadline_s:g} s")
            self._account.problem(self._sender.problem)
            self._account.expect(sum(1 for _ in JournalTail(self._spans_dir).lines()))
        self._sender.close()
        return self._account.close()

    def _run(self) -> None:
        try:
            with (
                suppress_instrumentation()
            ):  # else an instrumented `requests` would write spans of our sending
                self._follow()
        except Exception as error:  # noqa: BLE001 # a thread has nobody to raise to: it is in the account
            self._account.problem(f"the shipper failed: {type(error).__name__}: {error}")

    def _follow(self) -> None:
        while not self._abandoned.is_set():
            finishing = self._finish.is_set()  # asked before the read: what is written by then is read
            self._send_all()
            if finishing:
                break
            self._finish.wait(self._poll_s)
        self._account.skipped(self._tail.torn_lines())

    def _send_all(self) -> None:
        batches = self._batches()
        for batch in batches:
            self._account.read(len(batch))
            if not self._send(batch):
                for unsent in batches:  # counted, so that the account is whole
                    self._account.read(len(unsent))

    def _send(self, batch: list[ReadableSpan]) -> bool:
        """Deliver a batch, again and again while the run goes on; once more when it is over. False: gave up."""
        pause_s = self._poll_s
        while not self._abandoned.is_set():
            finishing = self._finish.is_set()
            receipt = self._sender.send(batch)
            if receipt.outcome is Outcome.ANSWERED:
                self._account.answered(receipt)
                return True
            if finishing:
                self._account.problem(receipt.problem)
                return False
            self._finish.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        return False

    def _batches(self) -> Iterator[list[ReadableSpan]]:
        spans = self._spans()
        while batch := list(islice(spans, _BATCH_LINES)):
            yield batch

    def _spans(self) -> Iterator[ReadableSpan]:
        for line in self._tail.lines():
            try:
                yield from self._decoder.decode(line)
            except ValueError:
                self._account.skipped(1)
